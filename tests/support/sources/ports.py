"""The usual port of a kind of source, from the kind itself."""

from importlib import import_module

from sources.schema import Key


def usual_port(kind: str) -> int:
    """Return the port of a server whose table names none."""
    module = import_module(f"sources.{kind}.source")
    keys: dict[str, Key] = module.KEYS
    port = keys["port"].default if "port" in keys else module.PORT
    assert isinstance(port, int)
    return port
