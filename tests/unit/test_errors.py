from __future__ import annotations

from collections.abc import Iterator

import pytest

from sanic_chatrooms import errors
from sanic_chatrooms.errors import ChatError, RateLimited, TooLarge, Unavailable
from sanic_chatrooms.wire.codes import CloseCode

CODES = {
    "bad_frame", "unknown_command", "invalid_field", "too_large", "invalid_text", "unauthenticated", "token_expired",
    "forbidden", "room_not_found", "message_not_found", "not_a_member", "banned", "muted", "conflict", "rate_limited",
    "room_limit", "invalid_cursor", "position_lost", "unavailable", "internal",
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
    assert RateLimited(retry_after=1.23456).payload()["retryAfter"] == 1.235


STATUSES = {
    400: {"bad_frame", "invalid_field", "invalid_text", "invalid_cursor"},
    401: {"unauthenticated", "token_expired"},
    403: {"forbidden", "muted", "banned", "not_a_member"},
    404: {"room_not_found", "message_not_found", "unknown_command"},
    409: {"conflict", "room_limit"},
    410: {"position_lost"},
    413: {"too_large"},
    429: {"rate_limited"},
    503: {"unavailable"},
    500: {"internal"},
}


def test_every_error_has_the_status_of_its_code() -> None:
    found: dict[int, set[str]] = {}
    for kind in kinds():
        found.setdefault(kind.http_status, set()).add(kind.code)

    assert found == STATUSES


@pytest.mark.parametrize("kind", [ChatError, *kinds()])
def test_all_errors_are_made_alike(kind: type[ChatError]) -> None:
    plain = kind()
    full = kind("slow down", retry_after=3, item=7)

    assert plain.message
    assert full.message.endswith("slow down")
    assert (full.payload()["retryAfter"], full.payload()["item"]) == (3, 7)
    assert kind(message="slow down").message == full.message
    assert str(full) == full.message


def test_a_rate_limit_says_when_to_come_back() -> None:
    assert RateLimited(retry_after=2.5).message == "too fast; try again in 2.5 s"
    assert RateLimited("slow down", retry_after=3).payload() == {
        "code": "rate_limited",
        "message": "slow down",
        "temporary": True,
        "retryAfter": 3,
    }
    assert "retryAfter" not in RateLimited().payload()


def test_an_apps_own_error_is_an_answer_and_no_defect() -> None:
    class OutOfStock(ChatError):
        code = "out_of_stock"

    class Gone(ChatError):
        code = "gone"
        http_status = 410

    class TooYoung(errors.Forbidden):
        code = "too_young"

    assert [kind.http_status for kind in (OutOfStock, Gone, TooYoung)] == [400, 410, 403]
    assert errors.InvalidField("must be above 0", field="price").payload() == {
        "code": "invalid_field",
        "message": "price: must be above 0",
        "temporary": False,
        "field": "price",
    }


def test_fields_cannot_hide_the_code() -> None:
    assert ChatError("no", code="mine", temporary=True).payload()["code"] == "internal"


@pytest.mark.parametrize("type", ["x" * 10_000, "\u202e"])
def test_a_strange_type_is_quoted_briefly(type: str) -> None:
    message = errors.UnknownCommand.of(type).message

    assert len(message) < 300
    assert "\u202e" not in message


CLOSE_CODES = {
    1013: {"rate_limited", "unavailable"},
    4001: {"token_expired"},
    4500: {"unauthenticated"},
}


@pytest.mark.parametrize("kind", list(kinds()), ids=lambda kind: kind.__name__)
def test_every_error_says_what_a_connection_is_closed_with(kind: type[ChatError]) -> None:
    told = {code for code, names in CLOSE_CODES.items() if kind.code in names}

    assert kind.close_code in (told or {CloseCode.DISCONNECTED})
    assert kind.close_code in list(CloseCode)
