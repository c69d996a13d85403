"""What the documentation says of commands is what their rows say. If a test fails: python scripts/reference_tables.py"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from sanic_chatrooms.verbs.schema import shape
from scripts.reference_tables import DOCS, PLACE, TABLES, made_anew

PAGES = [page for page in sorted(DOCS.rglob("*.md")) if PLACE.search(page.read_text())]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_say_what_the_rows_say(page: Path) -> None:
    assert made_anew(page.read_text()) == page.read_text()


def test_every_table_stands_somewhere() -> None:
    used = {found[2] for page in PAGES for found in PLACE.finditer(page.read_text())}

    assert used == TABLES.keys()


class Inner(msgspec.Struct):
    seq: int


class Outer(msgspec.Struct, rename="camel"):
    msg_id: str
    at: int | msgspec.UnsetType
    one: Inner
    perhaps: Inner | None = None
    several: list[Inner] = []
    names: list[str] = []


def test_a_shape_shows_what_may_be_left_out_and_what_is_inside() -> None:
    assert shape(Outer) == "{msgId, at?, one: {seq}, perhaps?: {seq}, several?: [{seq}], names?}"


def test_a_shape_may_leave_out_fields() -> None:
    assert shape(Outer, without=("msgId", "one", "at")) == "{perhaps?: {seq}, several?: [{seq}], names?}"
