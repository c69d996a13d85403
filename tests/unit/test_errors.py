from __future__ import annotations

from collections.abc import Iterator

import pytest

from sanic_chatrooms import errors
from sanic_chatrooms.errors import ChatError, RateLimited, TooLarge, Unavailable

CODES = {
    "bad_frame", "unknown_command", "invalid_field", "too_large", "invalid_text", "unauthenticated", "token_expired",
    "forbidden", "room_not_found", "message_not_found", "not_a_member", "banned", "muted", "conflict", "rate_limited",
    "room_limit", "invalid_cursor", "unavailable", "internal",
}  # fmt: skip


def kinds(base: type[ChatError] = ChatError) -> Iterator[type[ChatError]]:
    for kind in base.__subclasses__():
        if kind.__module__ == errors.__name__:
            yield kind
            yield from kinds(kind)


def test_every_code_of_the_protocol_has_one_error() -> None:
    codes = [kind.code for kind in kinds()]

    assert sorted(codes) == sorted(CODES)


def test_every_error_is_named_for_import() -> None:
    assert {kind.__name__ for kind in kinds()} <= set(errors.__all__)


def test_what_can_succeed_later_is_temporary() -> None:
    assert {kind for kind in kinds() if kind.temporary} == {Unavailable, RateLimited}


def test_an_error_as_it_travels() -> None:
    assert TooLarge("the text has too many characters", limit=10, size=11).payload() == {
        "code": "too_large",
        "message": "the text has too many characters: 11, at most 10; shorten it",
        "temporary": False,
        "limit": 10,
        "size": 11,
    }
    assert RateLimited(1.23456).payload()["retryAfter"] == 1.235


def test_fields_cannot_hide_the_code() -> None:
    assert ChatError("no", code="mine", temporary=True).payload()["code"] == "internal"


@pytest.mark.parametrize("type", ["x" * 10_000, "\u202e"])
def test_a_strange_type_is_quoted_briefly(type: str) -> None:
    message = errors.UnknownCommand(type).message

    assert len(message) < 300
    assert "\u202e" not in message
