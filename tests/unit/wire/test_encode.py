"""Replies and events, as they go out."""

from __future__ import annotations

import json
import re
import uuid

import msgspec
import pytest

from sanic_chatrooms.errors import InvalidField, InvalidText, RoomNotFound
from sanic_chatrooms.models import Event, Sender
from sanic_chatrooms.wire.encode import ack, encode_event, encode_object, error, live, pong

ID = "6f1c0b1e-1f0e-4c55-9d6b-0e0c2f6f7a11"


def test_an_ack() -> None:
    assert json.loads(ack(ID, {"a": 1}, 12.5)) == {
        "type": "ack",
        "timestamp": 12.5,
        "payload": {"a": 1},
        "replyTo": ID,
    }


def test_replies_to_commands_without_msg_id_have_no_reply_to() -> None:
    for text in (ack(None, {}), pong(None, b"{}"), error(RoomNotFound(), None)):
        reply = json.loads(text)
        assert reply.keys() == {"type", "timestamp", "payload"}
        assert isinstance(reply["timestamp"], float)


def test_a_pong_returns_the_payload_as_it_came() -> None:
    assert pong(ID, b'{"b": 1,  "a":[]}').endswith(
        b'"payload":{"b": 1,  "a":[]},"replyTo":"%s"}' % ID.encode()
    )


def test_an_error() -> None:
    said = json.loads(error(InvalidField("is missing", field="text"), ID, "general"))

    assert said["payload"] == {
        "code": "invalid_field",
        "message": "text: is missing",
        "temporary": False,
        "field": "text",
    }
    assert (said["replyTo"], said["room"]) == (ID, "general")


def test_a_live_event_has_an_id_and_no_number() -> None:
    event = json.loads(live("typing", {"users": []}, room="general", sender=Sender("u1", "Ada")))

    assert event.keys() == {"msgId", "type", "timestamp", "payload", "room", "sender"}
    assert uuid.UUID(event["msgId"]).version == 4


def test_a_durable_event_as_every_client_gets_it() -> None:
    event = Event(
        ID, 1.5, "message", msgspec.Raw(b'{"text": "hi"}'), "general", 42, Sender("u1", "Ada"), "c" * 16
    )

    text = encode_event(event)

    assert re.search(rb'"payload":\{"text": "hi"\}', text)
    assert json.loads(text) == {
        "msgId": ID,
        "timestamp": 1.5,
        "type": "message",
        "payload": {"text": "hi"},
        "room": "general",
        "seq": 42,
        "sender": {"id": "u1", "name": "Ada"},
        "clientMsgId": "c" * 16,
    }


@pytest.mark.parametrize("value", [{"a": object()}, {"a": 1j}])
def test_an_object_that_json_cannot_say_is_refused_with_its_field(value: dict[str, object]) -> None:
    with pytest.raises(InvalidField) as problem:
        encode_object(value, "payload")

    assert problem.value.fields["field"] == "payload"


def test_an_app_may_not_send_text_that_clients_may_not() -> None:
    with pytest.raises(InvalidText):
        encode_object({"text": "\0"}, "payload")
