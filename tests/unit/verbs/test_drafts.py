"""Drafts: their keys and hashes, and the bodies of messages."""

from __future__ import annotations

import msgspec
import pytest

from sanic_chatrooms.errors import InvalidField, TooLarge
from sanic_chatrooms.verbs.drafts import WRITTEN_ANEW, check_body, command_hash, draft
from sanic_chatrooms.wire.decode import Command

ID = "6f1c0b1e-1f0e-4c55-9d6b-0e0c2f6f7a11"


@pytest.mark.parametrize(
    "body",
    [
        b'{"text":""}',
        b'{"text":"hi","own":{"a":[1]},"another":null}',
        b'{"text":"hi","parent":"m1","mentions":["u1","u2"]}',
        b'{"text":"hi","parent":null,"mentions":null}',
    ],
)
def test_a_body_has_a_text_and_what_else_the_app_likes(body: bytes) -> None:
    check_body(body, 2)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{}", "text"),
        (b'{"text":null}', "text"),
        (b'{"text":7}', "text"),
        (b'{"text":"hi","parent":7}', "parent"),
        (b'{"text":"hi","mentions":"u1"}', "mentions"),
        (b'{"text":"hi","mentions":["u1",7]}', "mentions[1]"),
        (b"[]", "payload"),
    ],
)
def test_a_body_that_does_not_fit(body: bytes, field: str) -> None:
    with pytest.raises(InvalidField) as error:
        check_body(body, 2)

    assert error.value.fields["field"] == field


def test_texts_are_counted_in_characters() -> None:
    check_body('{"text":"\u00fc\U0001f600"}'.encode(), 2)
    with pytest.raises(TooLarge) as error:
        check_body('{"text":"\u00fc\U0001f600\u00fc"}'.encode(), 2, within="body")

    assert error.value.fields == {"limit": 2, "size": 3}
    assert error.value.message.startswith("body.text")


def test_a_draft_always_has_a_key_and_nobodys_is_its_own_id() -> None:
    item = draft("general", "message", b"{}", None)

    assert item.key == ("", item.msg_id)
    assert draft("general", "message", b"{}", None, key=("u1", ID)).key == ("u1", ID)


@pytest.mark.parametrize(
    "payload",
    [
        b'{"text":"hi"}',
        b'{"text": "hi"}',
        b' {\n"text"\t:"hi" }',
        b'{"text":"\\u0068i"}',
        b'{"text":"no","text":"hi"}',
    ],
)
def test_a_command_is_the_same_whichever_way_its_payload_is_written(payload: bytes) -> None:
    one = Command("message", ID, "general", b'{"text":"hi"}')

    assert command_hash(Command("message", ID, "general", payload)) == command_hash(one)
    assert command_hash(Command("direct", ID, "general", payload)) != command_hash(one)


@pytest.mark.parametrize(
    ("type", "hash"),
    [
        ("message", "d52b4843519595bd7ecf82dd08f7544f"),
        ("ORDER_CREATED_OR_SOLD", "bf0df1e87fa2b2ad2de4af9deba14258"),
    ],
)
def test_a_hash_stays_what_it_is_since_stores_keep_it(type: str, hash: str) -> None:
    assert command_hash(Command(type, ID, "general", b'{"text":"hi"}')).hex() == hash


def test_long_types_that_begin_alike_are_two_commands() -> None:
    one, other = (Command(f"ORDER_CREATED_OR_{end}", ID, "general", b'{"n":1}') for end in ("SOLD", "SENT"))

    assert command_hash(one) != command_hash(other)
    assert command_hash(one) == command_hash(msgspec.structs.replace(one))


def test_a_large_payload_is_compared_as_it_is_written() -> None:
    """How long it takes to decode, only its sender knows: 64 KiB of `1e23` take 60 ms."""
    text = "x" * WRITTEN_ANEW
    one = Command("message", ID, "general", b'{"a":1,"text":"%s"}' % text.encode())
    spaced = Command("message", ID, "general", b'{"a":1, "text":"%s"}' % text.encode())

    assert command_hash(one) == command_hash(msgspec.structs.replace(one))
    assert command_hash(one) != command_hash(spaced)


def test_the_order_of_fields_makes_no_other_command() -> None:
    one, other = (
        Command("message", ID, "general", p) for p in (b'{"text":"a","n":1}', b'{"n":1,"text":"a"}')
    )

    assert command_hash(one) == command_hash(other)


@pytest.mark.parametrize(
    "payload",
    [
        b'{"text":"ho"}',
        b'{"text":"hi "}',
        b'{"text":"hi","n":1}',
        b'{"text":"hi","text2":"hi"}',
        b'{"text":"h\\"i"}',
        b'{"text":""}',
        b"{}",
        b'{"text":"}"}',
        b'{"text":1}',
        b'{"n":"hi"}',
    ],
)
def test_a_command_is_another_with_another_payload(payload: bytes) -> None:
    one = Command("message", ID, "general", b'{"text":"hi"}')

    assert command_hash(Command("message", ID, "general", payload)) != command_hash(one)


def test_what_middleware_has_made_of_a_plain_payload_is_hashed_like_any_other() -> None:
    given = b'{"text":"hi"}'
    made = Command("message", ID, "general", given, given)
    made.payload = b'{"text":"hi", "n":1}'

    assert command_hash(made) == command_hash(Command("message", ID, "general", b'{"n":1,"text":"hi"}'))
