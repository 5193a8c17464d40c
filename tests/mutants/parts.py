"""What is mutated, in the order of importance, and the tests that have to notice it."""

from sources.record import Record


class Part(Record):
    """Some files that prove or decide, and their tests."""

    name: str
    files: tuple[str, ...]
    tests: tuple[str, ...]
    without: tuple[str, ...] = ()
    """Tests among them that take so long that each survivor would take a minute."""


def _source(kind: str, *files: str, without: tuple[str, ...] = ()) -> Part:
    paths = tuple(f"sources/{kind}/{file}.py" for file in files)
    return Part(f"sources/{kind}", paths, (f"tests/unit/sources/{kind}",), without)


PARTS = (
    Part(
        "drift/consensus",
        tuple(f"drift/consensus/{file}.py" for file in ("rule", "cover", "duplicates", "verdict")),
        (
            "tests/unit/drift/consensus",
            "tests/unit/drift/wording",
            "tests/unit/drift/formats/test_explain.py",
        ),
    ),
    _source("ntp", "proof", "wire"),
    _source(
        "roughtime",
        "proof",
        "wire",
        "wire_dialects",
        without=("tests/unit/sources/roughtime/test_vectors.py::test_no_bit_can_be_flipped",),
    ),
    _source("nts", "proof", "wire", "wire_ke"),
    _source("https", "proof", "wire_date"),
    Part(
        "sources/net/validity",
        ("sources/net/validity.py",),
        ("tests/unit/sources/net/test_validity.py",),
    ),
    Part(
        "fleet/readings",
        ("fleet/readings.py",),
        ("tests/unit/fleet/test_readings.py", "tests/property/test_readings.py"),
    ),
    Part("nodes/wire", ("nodes/wire/*.py",), ("tests/unit/nodes/wire",)),
)
