"""Cursors and paged lists."""

from __future__ import annotations

import random

import pytest

from sanic_chatrooms.errors import InvalidCursor
from sanic_chatrooms.support.paging import Paged, decode_cursor, encode_cursor


@pytest.mark.parametrize("last", ["", "a", "a\nb", "ü😀", "x" * 500, "=="])
def test_cursor_brings_its_id_back(last: str) -> None:
    cursor = encode_cursor("rooms", last)

    assert decode_cursor("rooms", cursor) == last
    assert cursor.isascii()
    assert "=" not in cursor


def test_cursor_of_another_list_is_invalid() -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor("members", encode_cursor("rooms", "a"))


@pytest.mark.parametrize("last", ["\0", "a\0", "\0a", "a\0b"])
def test_cursor_around_a_nul_is_invalid_since_no_id_holds_one(last: str) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor("present", encode_cursor("present", last))


def test_only_one_spelling_of_a_cursor_is_valid() -> None:
    cursor = encode_cursor("mine", "aa")
    # The last four bits of the last letter carry nothing, so base64 reads all of these as the same.
    spellings = [cursor[:-1] + letter for letter in "QRSTUVWXYZabcdef"] + [cursor + "=", cursor + "=="]

    assert [spelling for spelling in spellings if _is_valid(spelling)] == [cursor]


@pytest.mark.parametrize("cursor", ["", "a", "=", "é", "\ud800", "////", "gICA", "A" * 100_001])
def test_garbage_is_invalid(cursor: str) -> None:
    assert not _is_valid(cursor)


def test_paged_values_behave_as_sorted_ones() -> None:
    rng = random.Random(1)
    paged: Paged[int] = Paged()
    model: dict[str, int] = {}
    for n in range(2_000):
        id = str(rng.randrange(60))
        if rng.random() < 0.6:
            paged.put(id, n)
            model[id] = n
        else:
            assert paged.take(id) == model.pop(id, None)
        assert len(paged) == len(model)
        assert list(paged) == sorted(model)
        assert paged.get(id) == model.get(id)

    for limit in (1, 7, len(model), len(model) + 1):
        assert _all_pages(paged, limit) == [model[id] for id in sorted(model)]


def test_page_goes_on_behind_an_id_that_is_gone() -> None:
    paged: Paged[str] = Paged()
    for id in "abcd":
        paged.put(id, id.upper())
    _, cursor = paged.page("letters", None, 2)

    paged.take("b")

    assert paged.page("letters", cursor, 2) == (["C", "D"], None)


def _is_valid(cursor: str) -> bool:
    try:
        decode_cursor("mine", cursor)
    except InvalidCursor:
        return False
    return True


def _all_pages(paged: Paged[int], limit: int) -> list[int]:
    values, cursor = paged.page("n", None, limit)
    while cursor is not None:
        more, cursor = paged.page("n", cursor, limit)
        values += more
    return values
