"""What bodies, queries and keys of requests say."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from sanic_chatrooms.errors import BadFrame, InvalidField
from sanic_chatrooms.web.rest.reading import key_of, object_of, payload_by_body, payload_by_query
from sanic_chatrooms.web.rest.routes import ROUTES, RestRoute, row_of

KEY = "k" * 16


def route(method: str, path: str) -> RestRoute:
    return next(one for one in ROUTES if (one.method, one.path) == (method, path))


def by_body(method: str, path: str, body: bytes, *, query: dict[str, str] | None = None, **named: str) -> Any:
    its = route(method, path)
    row = row_of(its)
    assert row is not None
    return payload_by_body(its, row, named, query or {}, body)


def by_query(path: str, query: dict[str, str], **named: Any) -> Any:
    row = row_of(route("GET", path))
    assert row is not None
    return json.loads(payload_by_query(row, query, named))


@pytest.mark.parametrize("given", [KEY, f'"{KEY}"', f" {KEY} "])
def test_a_key_may_stand_in_quotes(given: str) -> None:
    request: Any = SimpleNamespace(headers={"Idempotency-Key": given})

    assert key_of(request) == KEY


@pytest.mark.parametrize("given", ["", "short", "k" * 65, "with a space in it", "é" * 20])
def test_a_key_of_another_form_is_refused(given: str) -> None:
    request: Any = SimpleNamespace(headers={"Idempotency-Key": given})

    with pytest.raises(InvalidField):
        key_of(request)


def test_no_body_is_an_empty_object() -> None:
    assert object_of(b"  ") == (b"{}", {})


@pytest.mark.parametrize("body", [b"[]", b'{"a":1}}', b"{}{}", b'{"a":"\xff"}', b"{"])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadFrame):
        object_of(body)


def test_the_body_of_a_message_is_the_payload_to_the_byte() -> None:
    body = b'{ "text": "hi",\n "n": 1.50 }'

    assert by_body("POST", "/rooms/{room}/messages", body, room="general") == (body, None)


def test_what_the_path_names_goes_before_what_the_body_says() -> None:
    path = "/rooms/{room}/bans/{user}"

    payload, _ = by_body("PUT", path, b'{"user": "eve", "reason": "spam"}', room="general", user="bob")

    assert json.loads(payload) == {"user": "bob", "reason": "spam"}


def test_the_body_of_an_edit_becomes_a_field() -> None:
    path = "/rooms/{room}/messages/{msgId}"

    payload, _ = by_body("PATCH", path, b'{"text": "hi"}', room="general", msgId="m1")

    assert json.loads(payload) == {"msgId": "m1", "body": {"text": "hi"}}


def test_a_deletion_has_its_fields_in_the_query_too() -> None:
    path, query = "/rooms/{room}/members/{user}", {"reason": "spam", "other": "x"}

    payload, _ = by_body("DELETE", path, b"", query=query, room="general", user="bob")

    assert json.loads(payload) == {"user": "bob", "reason": "spam"}


def test_a_new_room_may_be_named_in_the_body() -> None:
    payload, room = by_body("POST", "/rooms", b'{"room": "club", "title": "Club"}')

    assert (json.loads(payload), room) == ({"title": "Club"}, "club")


def test_a_query_has_numbers_flags_and_lists() -> None:
    page = by_query(
        "/rooms/{room}/messages", {"limit": "10", "replies": "false", "other": "x"}, room="general"
    )

    assert (page["limit"], page["replies"], page["before"]) == (10, False, None)
    assert by_query("/unread", {"rooms": "a,b"}) == {"rooms": ["a", "b"]}


@pytest.mark.parametrize("limit", ["many", "", "1.5", "9" * 5000])
def test_what_is_no_number_names_its_field(limit: str) -> None:
    with pytest.raises(InvalidField):
        by_query("/rooms", {"limit": limit})
