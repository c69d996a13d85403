"""The wire: what comes in is understood or refused with its reason, what goes out is framed to the byte."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import time
import uuid
from typing import Any

import msgspec
import pytest

from sanic_chatrooms.errors import BadFrame, ChatError, InvalidField, InvalidText, RoomNotFound
from sanic_chatrooms.models import Event, Sender
from sanic_chatrooms.wire import protocol
from sanic_chatrooms.wire.protocol import CloseCode, Command

ID = "6f1c0b1e-1f0e-4c55-9d6b-0e0c2f6f7a11"


def decode(frame: str | bytes, depth: int = 32) -> Command:
    return protocol.decode_command(frame.encode() if isinstance(frame, str) else frame, depth)


def refused(frame: str | bytes) -> ChatError:
    with pytest.raises(ChatError) as error:
        decode(frame)
    return error.value


# ---- in ----


def test_a_whole_command() -> None:
    command = decode(
        f'{{"type": "message", "msgId": "{ID}", "room": "general", "payload": {{"text": "hi"}}, "sender": 1}}'
    )

    assert command == Command("message", ID, "general", b'{"text": "hi"}')


@pytest.mark.parametrize(
    ("frame", "command"),
    [
        ('{"type":"ping"}', Command("ping")),
        ('{"type":"join","room":"general"}', Command("join", None, "general")),
        ('{"type":"ping","payload":null,"msgId":null,"room":null}', Command("ping")),
        ('{"type":"ping","seq":"x","timestamp":[],"unknown":{}}', Command("ping")),
        ('{"type":"ping","type":"pong"}', Command("pong")),
        (' {"type" : "ping" } ', Command("ping")),
        ('{"type":""}', Command("")),
        (f'{{"type":"x","room":"{"r" * 128}"}}', Command("x", None, "r" * 128)),
        ('{"type":"x","room":"~user.a_b:C-9"}', Command("x", None, "~user.a_b:C-9")),
        ('{"type":"x","room":"..."}', Command("x", None, "...")),
        (f'{{"type":"x","msgId":"{"!" * 16}"}}', Command("x", "!" * 16)),
        (f'{{"type":"x","msgId":"{"~" * 64}"}}', Command("x", "~" * 64)),
    ],
)
def test_commands_that_are_complete(frame: str, command: Command) -> None:
    assert decode(frame) == command


@pytest.mark.parametrize(
    "frame",
    [
        "",
        " ",
        "ping",
        "[]",
        '"ping"',
        "7",
        "null",
        "{",
        "{}",
        '{"type":7}',
        '{"type":null}',
        '{"payload":{}}',
        '{"type":"ping"} {"type":"ping"}',
        '{"type":"ping",}',
        '{"type":"ping","payload":NaN}',
        b'{"type":"\xff"}',
        b"\xef\xbb\xbf" + b'{"type":"ping"}',
    ],
)
def test_frames_that_are_no_commands(frame: str | bytes) -> None:
    assert isinstance(refused(frame), BadFrame)


@pytest.mark.parametrize(
    ("frame", "field"),
    [
        ('{"type":"x","payload":[]}', "payload"),
        ('{"type":"x","payload":"{}"}', "payload"),
        ('{"type":"x","payload":7}', "payload"),
        ('{"type":"x","payload":false}', "payload"),
        ('{"type":"x","payload":{"n":1e999}}', "payload"),
        ('{"type":"x","payload":{"n":9007199254740992}}', "payload"),
        ('{"type":"x","ignored":1e999}', "payload"),
        (f'{{"type":"x","payload":{{"a":{"[" * 40}{"]" * 40}}}}}', "payload"),
        (f'{{"type":"x","payload":{{"a":{"[" * 9000}{"]" * 9000}}}}}', "payload"),
        ('{"type":"x","msgId":7}', "msgId"),
        ('{"type":"x","msgId":"7"}', "msgId"),
        ('{"type":"x","msgId":""}', "msgId"),
        (f'{{"type":"x","msgId":"{"i" * 15}"}}', "msgId"),
        (f'{{"type":"x","msgId":"{"i" * 65}"}}', "msgId"),
        ('{"type":"x","msgId":"sixteen with blank"}', "msgId"),
        ('{"type":"x","msgId":"sixteenwith\u00fcmlaut"}', "msgId"),
        ('{"type":"x","room":7}', "room"),
        ('{"type":"x","room":""}', "room"),
        ('{"type":"x","room":"."}', "room"),
        ('{"type":"x","room":".."}', "room"),
        ('{"type":"x","room":"a b"}', "room"),
        ('{"type":"x","room":"a/b"}', "room"),
        ('{"type":"x","room":"a\\n"}', "room"),
        ('{"type":"x","room":"\u00fc"}', "room"),
        (f'{{"type":"x","room":"{"r" * 129}"}}', "room"),
    ],
)
def test_fields_that_do_not_fit_are_named(frame: str, field: str) -> None:
    problem = refused(frame)

    assert isinstance(problem, InvalidField)
    assert problem.fields == {"field": field}


def test_a_counter_as_msg_id_is_told_why_not() -> None:
    assert "counter" in refused('{"type":"x","msgId":"7"}').message


@pytest.mark.parametrize("text", ["\\u0000", "\\ud800", "\\udc00\\ud800"])
def test_text_that_cannot_be_shown_everywhere(text: str) -> None:
    assert isinstance(refused(f'{{"type":"x","payload":{{"text":"{text}"}}}}'), InvalidText)


@pytest.mark.parametrize(
    "rest",
    [
        '"payload":[]',
        '"payload":{"n":1e999}',
        '"payload":{"n":9007199254740993}',
        '"payload":{"text":"\\u0000"}',
        '"payload":{"text":"\\uD800"}',
        '"payload":{"text":"\\\\\\udfff \\ud83d\\ude00"}',
        f'"payload":{"[" * 40}{"]" * 40}',
        '"room":"a b"',
        '"room":7',
    ],
)
def test_the_answer_names_the_command_that_was_refused(rest: str) -> None:
    assert refused(f'{{"type":"x","msgId":"{ID}",{rest}}}').reply_to == ID


@pytest.mark.parametrize(
    ("msg_id", "reply_to"),
    [('"7"', "7"), (f'"{"i" * 64}!"', None), ('""', None), ("7", None), ("{}", None), ('"\u00fc"', "\u00fc")],
)
def test_a_bad_msg_id_is_answered_under_its_own_name_where_it_can_be(
    msg_id: str, reply_to: str | None
) -> None:
    assert refused(f'{{"type":"x","msgId":{msg_id}}}').reply_to == reply_to


def test_frames_nested_just_deep_enough_pass() -> None:
    assert decode('{"type":"x","payload":{"a":[[1]]}}', depth=4).payload == b'{"a":[[1]]}'
    with pytest.raises(InvalidField):
        decode('{"type":"x","payload":{"a":[[[1]]]}}', depth=4)


# ---- payloads ----


class _Inner(msgspec.Struct):
    seq: int


class _Wanted(msgspec.Struct):
    text: str
    since: _Inner | None = None
    many: list[_Inner] = []


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b"{}", "text"),
        (b'{"text":7}', "text"),
        (b'{"text":"x","since":{}}', "since.seq"),
        (b'{"text":"x","since":{"seq":"1"}}', "since.seq"),
        (b'{"text":"x","many":[{"seq":1},{}]}', "many[1].seq"),
        (b"[]", "payload"),
        (b"{", "payload"),
    ],
)
def test_a_payload_that_does_not_fit_names_the_field(raw: bytes, field: str) -> None:
    with pytest.raises(InvalidField) as error:
        protocol.decode_payload(raw, msgspec.json.Decoder(_Wanted))

    assert error.value.fields["field"] == field


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b'{"text":7}', "text: must be a string, and is an integer"),
        (b'{"text":null}', "text: must be a string, and is null"),
        (b'{"text":"x","since":[]}', "since: must be an object or null, and is an array"),
        (b'{"text":"x","since":{"seq":"1"}}', "since.seq: must be an integer, and is a string"),
        (b'{"text":"x","since":{"seq":1.5}}', "since.seq: must be an integer, and is a number"),
        (b'{"text":"x","since":{"seq":true}}', "since.seq: must be an integer, and is true or false"),
        (b"[]", "payload: must be an object, and is an array"),
    ],
)
def test_what_a_field_must_be_is_said_in_the_words_of_json(raw: bytes, message: str) -> None:
    with pytest.raises(InvalidField) as error:
        protocol.decode_payload(raw, msgspec.json.Decoder(_Wanted))

    assert str(error.value) == message


# ---- types and ids ----


@pytest.mark.parametrize(
    ("type", "ours", "host"),
    [
        ("message", True, False),
        ("typing", True, False),
        ("later", True, False),
        ("message.pin", True, False),
        ("reaction.x", True, False),
        ("member.", True, False),
        ("room.archive.now", True, False),
        ("presence.away", True, False),
        ("auth.expiring", True, False),
        ("poll.vote", False, True),
        ("messages.sent", False, True),
        ("ORDER_CREATED", False, True),
        ("V2", False, True),
        ("Poll.Vote_2", False, True),
        ("A" * 64, False, True),
        ("A" * 65, False, False),
        ("Vote", False, False),
        ("poll.", False, False),
        (".vote", False, False),
        ("poll..vote", False, False),
        ("poll vote", False, False),
        ("poll.vote\n", False, False),
        ("message.\n", False, False),
        ("2.x", False, False),
        ("\u00dc", False, False),
        ("", False, False),
    ],
)
def test_whose_type_it_is(type: str, ours: bool, host: bool) -> None:
    assert protocol.is_ours(type) is ours
    if host:
        assert protocol.check_type(type) == type
    else:
        with pytest.raises(InvalidField):
            protocol.check_type(type)


def test_durable_events_have_these_types() -> None:
    durable = [t for t in ("message", "message.edited", "X", "poll.vote") if protocol.is_event_type(t)]

    assert durable == ["message", "message.edited", "X", "poll.vote"]
    assert not any(map(protocol.is_event_type, ("typing", "read", "welcome", "")))


@pytest.mark.parametrize("room", ["", ".", "..", "a b", "x" * 129, "a\n"])
def test_room_ids_are_checked(room: str) -> None:
    assert protocol.check_room_id("A.b_c:d~e-9") == "A.b_c:d~e-9"
    with pytest.raises(InvalidField):
        protocol.check_room_id(room)


@pytest.mark.parametrize("key", ["type", "msgId", "room", "payload"])
def test_answer_to_a_wrong_frame_decodes_nothing_of_it(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """64 KiB of floats near the limit would take 100 ms."""

    def decode(*_: object, **__: object) -> None:
        raise AssertionError("something is decoded")

    monkeypatch.setattr("msgspec.json.decode", decode)
    frame = json.dumps({"type": 1, key: "HERE"}).replace('"HERE"', f"[{','.join(['1e23'] * 10_000)}]")

    assert refused(frame) is not None


def test_ids_are_version_4_uuids_and_all_different() -> None:
    ids = {protocol.new_id() for _ in range(500)}

    assert len(ids) == 500
    for id in ids:
        parsed = uuid.UUID(id)
        assert (parsed.version, parsed.variant, str(parsed)) == (4, uuid.RFC_4122, id)
    assert {id[19] for id in ids} == set("89ab")


def test_ids_do_not_repeat_when_a_host_seeds_its_dice() -> None:
    random.seed(1)
    first = protocol.new_id()
    random.seed(1)

    assert protocol.new_id() != first


def test_every_bit_of_an_id_comes_from_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "urandom", bytes)
    monkeypatch.setattr(protocol, "_ready", [])

    assert protocol.new_id() == "00000000-0000-4000-8000-000000000000"
    assert protocol.new_epoch() == "0" * 24


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_ids_of_a_forked_process_are_others() -> None:
    script = (
        "import os; from sanic_chatrooms.wire.protocol import new_id; new_id(); child = os.fork(); "
        "child and os.waitpid(child, 0); print(new_id())"  # one after the other: two would write into one line
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert len(set(told.split())) == 2


def test_the_clock_has_milliseconds() -> None:
    now = protocol.now()

    assert abs(now - time.time()) < 1
    assert now == round(now, 3)


# ---- out ----


def sent(frame: bytes) -> Any:
    """The JSON object in a short or medium frame."""
    start = 2 if frame[1] < 126 else 4
    return json.loads(frame[start:])


@pytest.mark.parametrize(
    ("size", "head"),
    [
        (0, b"\x81\x00"),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65_535, b"\x81\x7e\xff\xff"),
        (65_536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_text_frames_have_the_shortest_length(size: int, head: bytes) -> None:
    assert protocol.frame(b"x" * size) == head + b"x" * size


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("enough", "enough"),
        ("x" * 123, "x" * 123),
        ("x" * 124, "x" * 123),
        ("\u00e9" * 62, "\u00e9" * 61),
        ("x\u20ac" + "\u20ac" * 41, "x" + "\u20ac" * 40),
        ("\U0001f600" * 31, "\U0001f600" * 30),
    ],
)
def test_close_reasons_end_at_the_end_of_a_character(reason: str, text: str) -> None:
    frame = protocol.close_frame(4503, reason)

    assert frame[:2] == bytes((0x88, 2 + len(text.encode())))
    assert frame[2:4] == (4503).to_bytes(2, "big")
    assert frame[4:].decode() == text


def test_every_close_code_has_words_that_fit() -> None:
    for code in CloseCode:
        assert 0 < len(protocol.reason(code).encode()) <= 123
    assert protocol.reason(4242) == "closed by the application"


def test_codes_after_which_a_client_comes_back() -> None:
    assert [code.value for code in CloseCode if protocol.reconnects(code)] == [
        1001, 1009, 1011, 1012, 1013, 4001, 4008, 4010, 4012, 4013,
    ]  # fmt: skip
    assert protocol.reconnects(4499)
    assert not protocol.reconnects(4999)
    assert not protocol.reconnects(1000)


def test_an_ack() -> None:
    assert sent(protocol.ack(ID, {"a": 1}, 12.5)) == {
        "type": "ack",
        "timestamp": 12.5,
        "payload": {"a": 1},
        "replyTo": ID,
    }


def test_replies_to_commands_without_msg_id_have_no_reply_to() -> None:
    for frame in (protocol.ack(None, {}), protocol.pong(None, b"{}"), protocol.error(RoomNotFound(), None)):
        reply = sent(frame)
        assert reply.keys() == {"type", "timestamp", "payload"}
        assert isinstance(reply["timestamp"], float)


def test_a_pong_returns_the_payload_as_it_came() -> None:
    assert protocol.pong(ID, b'{"b": 1,  "a":[]}').endswith(
        b'"payload":{"b": 1,  "a":[]},"replyTo":"%s"}' % ID.encode()
    )


def test_an_error() -> None:
    error = sent(protocol.error(InvalidField("is missing", field="text"), ID, "general"))

    assert error["payload"] == {
        "code": "invalid_field",
        "message": "text: is missing",
        "temporary": False,
        "field": "text",
    }
    assert (error["replyTo"], error["room"]) == (ID, "general")


def test_a_live_event_has_an_id_and_no_number() -> None:
    event = json.loads(protocol.live("typing", {"users": []}, room="general", sender=Sender("u1", "Ada")))

    assert event.keys() == {"msgId", "type", "timestamp", "payload", "room", "sender"}
    assert uuid.UUID(event["msgId"]).version == 4


def test_a_durable_event_as_every_client_gets_it() -> None:
    event = Event(
        ID, 1.5, "message", msgspec.Raw(b'{"text": "hi"}'), "general", 42, Sender("u1", "Ada"), "c" * 16
    )

    text = protocol.encode_event(event)

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
