"""What the host's code gives to be kept and sent, as JSON that everybody can read later."""

from collections.abc import Mapping
from typing import Any

from ..errors import InvalidField
from .check import check_json
from .protocol import encode

__all__ = ["written"]

MAX_DEPTH = 128
"""How deep a host's payloads may nest: what the setting for clients allows at most."""


def written(value: Mapping[str, Any], field: str) -> bytes:
    """The object as JSON. Raises `InvalidField`, `InvalidText`: for what is none, and for what clients may not send either."""
    try:
        data = encode(dict(value))
    except (TypeError, ValueError, RecursionError) as exc:
        raise InvalidField(f"cannot be written as JSON: {exc}", field=field) from exc
    check_json(data, max_depth=MAX_DEPTH)
    return data
