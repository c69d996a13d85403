"""JSON schemas of structs, for the documents that describe an instance."""

from collections.abc import Iterable
from typing import Any, get_args

import msgspec

__all__ = ["schemas_of"]


def schemas_of(kinds: Iterable[Any]) -> tuple[dict[Any, Any], dict[str, Any]]:
    """For each of these structs, and those in their fields, what refers to its schema; and the schemas by name."""
    found = dict[Any, None]()
    for kind in kinds:
        _reach(kind, found)
    named, components = msgspec.json.schema_components(found, ref_template="#/components/schemas/{name}")
    schemas = dict(zip(found, named, strict=True))
    for kind, reference in schemas.items():
        _let_be_left_out(kind, components[reference["$ref"].rpartition("/")[2]])
    return schemas, components


def _reach(kind: Any, found: dict[Any, None]) -> None:
    """Note a struct, and all structs in its fields."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        if kind not in found:
            found[kind] = None
            for field in msgspec.structs.fields(kind):
                _reach(field.type, found)
    else:
        for inner in get_args(kind):
            _reach(inner, found)


def _let_be_left_out(kind: Any, schema: dict[str, Any]) -> None:
    """Fields that may be unset need not be there."""
    unset = {
        its.encode_name for its in msgspec.structs.fields(kind) if msgspec.UnsetType in get_args(its.type)
    }
    schema["required"] = [name for name in schema.get("required", ()) if name not in unset]
    if not schema["required"]:
        del schema["required"]
