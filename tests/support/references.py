"""The references within a description: OpenAPI, AsyncAPI, JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["references"]


def references(value: Any) -> Iterator[str]:
    """Every `$ref` in it, however deep."""
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)
