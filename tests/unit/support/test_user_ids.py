"""The id of a user: what it may be, whoever brings it."""

from __future__ import annotations

from typing import Any

import pytest

from sanic_chatrooms.errors import InvalidField
from sanic_chatrooms.support.user_ids import check_user_id

GOOD = [
    "a",
    "u1",
    "7",
    "guest-x",
    "https://id.example/users/7",
    "Zoë",
    "山田",
    "a b",
    "50%41",
    "x" * 128,
    "~host",
    "👩‍🚀",
]
BAD: dict[str, Any] = {
    "a number": 7,
    "a float": 7.0,
    "true": True,
    "nothing": None,
    "bytes": b"u1",
    "a list": ["u1"],
    "an object": object(),
    "empty": "",
    "too long": "x" * 129,
    "a NUL": "u\0",
    "a line end": "u1\nadmin",
    "a C1 control": "u\x85",
    "delete": "u\x7f",
    "a high surrogate": "\ud800",
    "a low surrogate": "u\udfff",
    "both halves of a character": "\ud83d\ude00",
}


@pytest.mark.parametrize("user_id", GOOD)
def test_an_id_is_a_string_of_readable_characters(user_id: str) -> None:
    assert check_user_id(user_id) == user_id


@pytest.mark.parametrize("what", BAD)
def test_anything_else_is_an_invalid_field(what: str) -> None:
    with pytest.raises(InvalidField) as caught:
        check_user_id(BAD[what], "to")

    assert caught.value.fields == {"field": "to"}
    assert str(caught.value).isprintable()
