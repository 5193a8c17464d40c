"""Immutable records whose classes are cheap to define.

A monitoring check is a short run, and pays for each class that it defines: typing.NamedTuple
compiles code for every class (about a million instructions; fifteen of them were 14 % of a whole
run), dataclasses cost more. A Record is a tuple too, with named fields, defaults, a repr and
`replaced`; type checkers see it as they see a frozen dataclass.
"""

from operator import itemgetter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, Self, dataclass_transform
else:

    def dataclass_transform(**_: object) -> object:
        """Return a decorator that does nothing: typing costs a sixth of a run."""
        return lambda cls: cls


@dataclass_transform(frozen_default=True)
class Record(tuple["Any", ...]):
    """Base of records: annotate the fields in the subclass, assign those that have a default."""

    __slots__ = ()
    _fields: "ClassVar[tuple[str, ...]]" = ()
    _names: "ClassVar[frozenset[str]]" = frozenset()
    _defaults: "ClassVar[dict[str, Any]]"

    def __init_subclass__(cls) -> None:
        """Turn the annotated names into fields, in their order."""
        fields = tuple(cls.__annotations__)
        cls._defaults = {name: cls.__dict__[name] for name in fields if name in cls.__dict__}
        cls._fields = fields
        cls._names = frozenset(fields)
        for index, name in enumerate(fields):
            setattr(cls, name, property(itemgetter(index)))

    def __new__(cls, *values: "Any", **named: "Any") -> "Self":
        """Build the record; raise TypeError unless every field gets exactly one value."""
        fields = cls._fields
        if named or len(values) != len(fields):
            given = dict(zip(fields, values, strict=False)) | named if values else named
            whole = cls._defaults | given
            if len(given) != len(values) + len(named) or whole.keys() != cls._names:
                raise TypeError(f"{cls.__name__} has the fields {', '.join(fields)}, each once")
            values = tuple(map(whole.__getitem__, fields))
        return tuple.__new__(cls, values)

    def __repr__(self) -> str:
        """Return the record the way it would be built."""
        pairs = zip(self._fields, self, strict=True)
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in pairs)})"

    def replaced(self, **changes: "Any") -> "Self":
        """Return a copy in which some fields have other values."""
        values = tuple(map(changes.pop, self._fields, self))
        return type(self)(*values, **changes)
