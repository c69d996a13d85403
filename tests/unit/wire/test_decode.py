"""Commands: what comes in is understood, or refused with its reason."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sanic_chatrooms.errors import BadFrame, ChatError, InvalidField, InvalidText
from sanic_chatrooms.verbs.drafts import NO_MORE, check_body, command_hash
from sanic_chatrooms.wire import decode as module
from sanic_chatrooms.wire.decode import Command, decode_command, decode_payload

ID = "6f1c0b1e-1f0e-4c55-9d6b-0e0c2f6f7a11"


def decode(frame: str | bytes, depth: int = 32) -> Command:
    return decode_command(frame.encode() if isinstance(frame, str) else frame, depth)


def refused(frame: str | bytes) -> ChatError:
    with pytest.raises(ChatError) as error:
        decode(frame)
    return error.value


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


@pytest.mark.parametrize("key", ["type", "msgId", "room", "payload"])
def test_answer_to_a_wrong_frame_decodes_nothing_of_it(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """64 KiB of floats near the limit would take 100 ms."""

    def decode(*_: object, **__: object) -> None:
        raise AssertionError("something is decoded")

    monkeypatch.setattr("msgspec.json.decode", decode)
    frame = json.dumps({"type": 1, key: "HERE"}).replace('"HERE"', f"[{','.join(['1e23'] * 10_000)}]")

    assert refused(frame) is not None


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
        decode_payload(raw, msgspec.json.Decoder(_Wanted))

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
        decode_payload(raw, msgspec.json.Decoder(_Wanted))

    assert str(error.value) == message


# ---- frames that are not searched ----

WORDS = ("hi", "", "hé", "]}", "{[", "9" * 20, "1e999", "\\u0000", '\\"', "\\\\", " ", "\ud800")
TEXTS = st.sampled_from(WORDS).map('"{}"'.format)
BODIES = st.one_of(
    TEXTS.map('{{"text":{}}}'.format),
    TEXTS.map('{{"text": {}}}'.format),
    st.tuples(TEXTS, TEXTS).map('{{"text":{0[0]},"more":{0[1]}}}'.format),
    st.sampled_from(
        ('{"text":"a" }', '{"text":1e999}', '{"text":"a","n":1e999}', '{"text":"a","text":"b"}', "{}", "null")
    ),
)
FIELDS = st.one_of(
    st.sampled_from(("message", "ping")).map('"type":"{}"'.format),
    st.sampled_from((ID, "short", "x" * 15 + " ")).map('"msgId":"{}"'.format),
    st.sampled_from(("general", "..", "no room")).map('"room":"{}"'.format),
    BODIES.map('"payload":{}'.format),
    st.sampled_from(
        ('"room":null', '"n":1e999', '"n":12345678901234567', '"n":[[[[[]]]]]', '"s":"1"', '"n":1')
    ),
)
PLAIN = ['"type":"message"', f'"msgId":"{ID}"', '"room":"general"']


def looked_at(frame: bytes) -> Command | tuple[type[ChatError], str, str | None]:
    try:
        return decode_command(frame, 4)
    except ChatError as problem:
        return type(problem), problem.message, problem.reply_to


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.lists(FIELDS, max_size=6), BODIES.map(lambda body: [*PLAIN, f'"payload":{body}'])))
@example([*PLAIN, '"payload":{"text":"hi"}'])
@example([*PLAIN, '"payload":{"n":1e999}', '"payload":{"text":"hi"}'])
@example([*PLAIN[:2], '"n":1e999', '"payload":{"text":"hi"}'])
def test_a_frame_that_is_not_searched_is_one_in_which_nothing_is_found(fields: list[str]) -> None:
    frame = f"{{{','.join(fields)}}}".encode("utf-8", "replace")

    found = looked_at(frame)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_is_plain", lambda *_: False)
        searched = looked_at(frame)

    if isinstance(found, Command) and found.plain is not None:
        assert found.plain is found.payload
        assert isinstance(searched, Command)
        assert command_hash(found) == command_hash(searched)
        body = check_body(found.payload, 100)
        assert (body.parent, body.mentions, body.attachments) == (NO_MORE.parent, NO_MORE.mentions, None)
        found.plain = None
    assert found == searched


def test_only_a_text_without_escapes_is_plain() -> None:
    def is_plain(body: str) -> bool:
        return decode(f'{{{",".join(PLAIN)},"payload":{body}}}').plain is not None

    assert is_plain('{"text":"hi"}')
    assert is_plain('{"text":"hé"}')
    assert not any(
        map(is_plain, ('{"text":"\\n"}', '{"text": "hi"}', '{"text":"hi" }', '{"text":"hi","n":1}', "{}"))
    )


def test_a_room_that_is_known_is_not_checked_again() -> None:
    frame = b'{"type":"message","room":"not a room\'s id"}'

    assert decode_command(frame, 4, {"not a room's id"}).room == "not a room's id"
    with pytest.raises(InvalidField):
        decode_command(frame, 4, {"general"})
