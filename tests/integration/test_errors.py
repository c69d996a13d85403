"""What the server answers to what it does not take, and with which code it closes."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from sanic import Sanic

from sanic_chatrooms import ChatRooms
from tests.support.client import Client
from tests.support.fixtures import Connect, Live
from tests.support.wire import SECRET, masked, mount, write

App = Sanic[Any, Any]
ID = "0123456789abcdef"
TEXT, CONT, BINARY, CLOSE, PING, PONG = 1, 0, 2, 8, 9, 10


@pytest.fixture
def chat(app: App) -> ChatRooms:
    return mount(app)


async def refused(client: Client, data: str | bytes) -> dict[str, Any]:
    """Send something that must be answered by an error; the whole frame."""
    await client.send_raw(data)
    return await client.expect("error")


# ---- frames that are none ----


NO_FRAMES = [
    "",
    " ",
    "hello",
    "{",
    "[]",
    "null",
    "7",
    '"ping"',
    "{}",
    '{"type":null}',
    '{"type":7}',
    '{"type":["ping"]}',
    '{"Type":"ping"}',
    '{"type":"ping"}{"type":"ping"}',
    '{"type":"ping"}\n{"type":"ping"}',
    '[{"type":"ping"}]',
    '{"type":"ping",}',
    "{'type':'ping'}",
    '{"type":"ping","payload":{"n":NaN}}',
    '{"type":"ping","payload":{"n":Infinity}}',
    '{"type":"ping","payload":{"n":01}}',
    '\ufeff{"type":"ping"}',
]


async def test_what_is_not_one_object_with_a_type_is_a_bad_frame(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()

    for frame in NO_FRAMES:
        error = await refused(ada, frame)
        await ada.settle()

        assert error["payload"]["code"] == "bad_frame", frame
        assert error["payload"]["temporary"] is False
        assert error["payload"]["message"]
        assert "replyTo" not in error
        assert "msgId" not in error
        assert ada.unread("pong") == []


async def test_a_bad_frame_whose_msg_id_can_be_read_is_answered_to_it(
    chat: ChatRooms, connect: Connect
) -> None:
    ada = await connect()

    error = await refused(ada, json.dumps({"msgId": ID, "payload": {}}))

    assert error["payload"]["code"] == "bad_frame"
    assert error["replyTo"] == ID


async def test_errors_close_nothing(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()

    for _ in range(5):
        await refused(ada, "{")

    await ada.ack("join", room="general")


async def test_ten_bad_frames_in_a_row_close_4501(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()

    for _ in range(10):
        await ada.send_raw("{")

    code, reason = await ada.closed()
    assert code == 4501
    assert reason
    assert len(ada.unread("error")) == 10


async def test_a_good_frame_in_between_begins_the_count_anew(app: App, connect: Connect) -> None:
    mount(app, max_bad_frames=3)
    ada = await connect()

    for _ in range(3):
        await refused(ada, "{")
        await refused(ada, "[")
        await ada.settle()

    for _ in range(3):
        await ada.send_raw("{")
    assert (await ada.closed())[0] == 4501


async def test_errors_of_sound_frames_do_not_count_as_bad_frames(app: App, connect: Connect) -> None:
    mount(app, max_bad_frames=2)
    ada = await connect()

    for _ in range(5):
        assert (await ada.error("dance"))["code"] == "unknown_command"

    await ada.settle()


async def test_nothing_after_the_last_bad_frame_is_carried_out(app: App, connect: Connect) -> None:
    chat = mount(app, max_bad_frames=1)
    ada = await connect()
    await ada.ack("join", room="general")
    say = json.dumps({"type": "message", "room": "general", "payload": {"text": "too late"}}).encode()

    write(ada, masked(TEXT, b"{") + masked(TEXT, say))

    assert (await ada.closed())[0] == 4501
    assert (await chat.history("general")).messages == []


# ---- fields ----


async def test_a_short_msg_id_is_refused_and_told_why(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()

    for msg_id in ["1", "7", "x" * 15]:
        error = await ada.request("ping", msg_id=msg_id)

        assert error["type"] == "error"
        assert error["payload"]["code"] == "invalid_field"
        assert error["payload"]["field"] == "msgId"
        assert "16" in error["payload"]["message"]
        assert "UUID" in error["payload"]["message"]


async def test_a_msg_id_is_16_to_64_visible_ascii_characters(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()

    for msg_id in [
        "",
        "x" * 65,
        "with a space inside",
        "with\ttab-inside-it",
        "ümlaut-in-the-id-1",
        7,
        [ID],
        {},
        True,
    ]:
        error = await refused(ada, json.dumps({"type": "ping", "msgId": msg_id}))

        assert (error["payload"]["code"], error["payload"]["field"]) == ("invalid_field", "msgId"), msg_id


async def test_a_msg_id_at_the_bounds_is_taken(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()

    for msg_id in ["x" * 16, "x" * 64, "!~{}:/?#[]@$&'()", '"quoted\\in-the-id"']:
        assert (await ada.request("ping", msg_id=msg_id))["replyTo"] == msg_id


async def test_a_room_that_cannot_be_one_is_an_invalid_field(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()

    rooms: list[Any] = [
        "",
        ".",
        "..",
        "a b",
        "a/b",
        "ä",
        "x" * 129,
        "a\nb",
        "general\n",
        "a%20b",
        "<b>",
        7,
        ["general"],
        {},
    ]
    for room in rooms:
        for type in ("join", "message", "history", "room.create"):
            error = await ada.request(type, room=room, payload={"text": "x"})
            assert error["payload"]["code"] == "invalid_field"
            assert error["payload"]["field"] == "room"


async def test_a_room_at_the_bounds_is_taken(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()

    for room in ["a", "...", "A-Z_a.z:0~9", "x" * 128, "-"]:
        assert (await ada.ack("join", room=room))["room"] == room


async def test_rooms_are_case_sensitive(chat: ChatRooms, connect: Connect) -> None:
    ada, bob = await connect(), await connect()
    await ada.ack("join", room="General")
    await bob.ack("join", room="general")

    await ada.ack("message", room="General", payload={"text": "hi"})
    await bob.settle()

    assert bob.unread("message") == []


async def test_a_command_that_needs_a_room_says_so(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()

    for type in ["join", "exit", "leave", "message", "typing", "history", "members", "presence"]:
        error = await ada.error(type, payload={"text": "x"})

        assert (error["code"], error["field"]) == ("invalid_field", "room")


async def test_a_payload_that_is_no_object_is_an_invalid_field(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()

    for payload in [[], "text", 7, True, [{}]]:
        for type in ["ping", "join", "message"]:
            error = await ada.error(type, room="general", payload=payload)

            assert (error["code"], error["field"]) == ("invalid_field", "payload")


async def test_null_is_as_if_the_key_were_not_there(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()

    await ada.send_raw('{"type":"ping","msgId":null,"room":null,"payload":null}')

    pong = await ada.expect("pong")
    assert pong["payload"] == {}
    assert "replyTo" not in pong


async def test_an_invalid_field_is_named(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()
    await ada.ack("join", room="general")

    for type, payload, field in [
        ("message", {}, "text"),
        ("message", {"text": 7}, "text"),
        ("message", {"text": "x", "mentions": "ada"}, "mentions"),
        ("join", {"history": "all"}, "history"),
        ("join", {"history": -1}, "history"),
        ("join", {"history": 1.5}, "history"),
        ("join", {"since": 7}, "since"),
        ("join", {"since": {"epoch": "e"}}, "since.seq"),
        ("join", {"since": {"epoch": 7, "seq": 1}}, "since.epoch"),
        ("join", {"since": {"epoch": "e", "seq": -1}}, "since.seq"),
        ("typing", {"active": "yes"}, "active"),
        ("history", {"before": "x"}, "before"),
        ("history", {"limit": 0}, "limit"),
        ("history", {"limit": -5}, "limit"),
        ("members", {"limit": 0}, "limit"),
        ("presence", {"limit": "x"}, "limit"),
        ("rooms", {"limit": 0}, "limit"),
        ("rooms", {"mine": 1}, "mine"),
        ("direct", {"body": {"text": "x"}}, "to"),
        ("direct", {"to": "", "body": {"text": "x"}}, "to"),
        ("direct", {"to": "bob"}, "body"),
        ("direct", {"to": "bob", "body": "x"}, "body"),
        ("direct", {"to": "bob", "body": {"words": "x"}}, "body.text"),
        ("room.create", {"visibility": "secret"}, "visibility"),
        ("room.create", {"visibility": "direct"}, "visibility"),
        ("room.create", {"title": 7}, "title"),
        ("auth", {"heartbeat": "slow"}, "heartbeat"),
        ("auth", {"name": 7}, "name"),
        ("auth", {"name": "   "}, "name"),
    ]:
        error = await ada.error(type, room="general" if type != "room.create" else "other", payload=payload)

        assert (error["code"], error["field"]) == ("invalid_field", field), (type, payload)
        assert error["temporary"] is False


async def test_a_number_that_a_double_cannot_hold_is_an_invalid_field(
    chat: ChatRooms, connect: Connect
) -> None:
    ada = await connect()
    await ada.ack("join", room="general")

    for value in [
        "1e999",
        "-1e999",
        "9007199254740992",
        "-9007199254740992",
        "123456789012345678901234567890",
        "1" + "0" * 5000,
    ]:
        error = await refused(
            ada, f'{{"type":"message","msgId":"{ID}","room":"general","payload":{{"text":"x","n":{value}}}}}'
        )

        assert error["payload"]["code"] == "invalid_field"
        assert error["payload"]["field"]
        assert error["replyTo"] == ID


async def test_a_number_that_it_can_hold_is_taken_as_it_was_sent(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()

    for value in ["9007199254740991", "-9007199254740991", "1.5e300", "0.1", "1e-400"]:
        await ada.send_raw(f'{{"type":"ping","payload":{{"n":{value}}}}}')

        assert (await ada.expect("pong"))["payload"] == {"n": json.loads(value)}


async def test_nesting_beyond_the_limit_is_an_invalid_field(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()

    for depth in [31, 200, 5_000, 20_000]:
        error = await refused(
            ada, f'{{"type":"ping","msgId":"{ID}","payload":{{"n":{"[" * depth + "]" * depth}}}}}'
        )
        assert error["payload"]["code"] == "invalid_field"
        assert error["replyTo"] == ID
    for depth in [31, 200, 5_000]:
        nested = '{"":' * (depth - 1) + "{}" + "}" * (depth - 1)
        error = await refused(ada, f'{{"type":"ping","msgId":"{ID}","payload":{{"n":{nested}}}}}')
        assert error["payload"]["code"] == "invalid_field"
        assert error["replyTo"] == ID
    assert (await refused(ada, '{"type":"ping","payload":' + "[" * 60_000))["payload"]["code"] in (
        "invalid_field",
        "bad_frame",
    )
    await ada.send_raw(f'{{"type":"ping","payload":{{"n":{"[" * 30 + "]" * 30}}}}}')
    await ada.expect("pong")


async def test_a_lone_surrogate_or_nul_is_invalid_text(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()
    await ada.ack("join", room="general")

    for text in ["\\ud800", "\\udfff", "\\udc00\\ud800", "x\\u0000y", "\\ud83dx"]:
        error = await refused(
            ada, f'{{"type":"message","msgId":"{ID}","room":"general","payload":{{"text":"{text}"}}}}'
        )

        assert error["payload"]["code"] == "invalid_text"
        assert error["payload"]["message"]
        assert error["replyTo"] == ID
        assert (await ada.ack("history", room="general"))["messages"] == []


async def test_the_msg_id_answered_to_is_the_frames_own(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()
    other = "fedcba9876543210"

    inner = await refused(ada, f'{{"type":"ping","payload":{{"msgId":"{other}","n":1e999}}}}')
    outer = await refused(
        ada,
        f'{{"payload":{{"msgId":"{other}","t":"\\"msgId\\":\\"{other}\\"","n":1e999}},"msgId":"{ID}","type":"ping"}}',
    )

    assert "replyTo" not in inner
    assert outer["replyTo"] == ID


async def test_any_other_text_is_taken_untouched(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()
    await ada.ack("join", room="general")

    for text in ["\\ud83d\\ude00", "😀", "\\u2028", "\\\\ud800", "\\\\u0000", "\u202e", "é" * 10]:
        await ada.send_raw(f'{{"type":"message","room":"general","payload":{{"text":"{text}"}}}}')

        event = await ada.expect("message")
        assert event["payload"] == {"text": json.loads(f'"{text}"')}


async def test_a_text_over_the_limit_is_too_large(app: App, connect: Connect) -> None:
    mount(app, max_text=10)
    ada = await connect()
    await ada.ack("join", room="general")

    error = await ada.error("message", room="general", payload={"text": "😀" * 11})

    assert (error["code"], error["limit"], error["size"]) == ("too_large", 10, 11)
    await ada.ack("message", room="general", payload={"text": "😀" * 10})


async def test_a_title_over_the_limit_is_too_large(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()

    error = await ada.error("room.create", room="r", payload={"title": "x" * 201})
    attributes = await ada.error("room.create", room="r", payload={"attributes": {"x": "x" * 5000}})

    assert (error["code"], error["limit"], error["size"]) == ("too_large", 200, 201)
    assert (attributes["code"], attributes["limit"]) == ("too_large", 4096)


# ---- commands ----


async def test_an_unknown_command_is_answered_so(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()

    for type in [
        "dance",
        "",
        "welcome",
        "ack",
        "error",
        "message.edited",
        "poll.vote",
        "JOIN",
        "Join",
        "x" * 1000,
        "ünï",
        "reaction.toggle",
    ]:
        error = await ada.request(type, room="general", payload={"x": 1})

        assert error["type"] == "error"
        assert error["payload"]["code"] == "unknown_command"
        assert error["payload"]["temporary"] is False
        assert len(error["payload"]["message"]) < 400


async def test_unknown_keys_are_ignored(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()
    await ada.ack("join", room="general", colour="red", payload={"history": 1, "mood": {"x": [1]}}, ref=7)

    await ada.ack("message", room="general", payload={"text": "hi", "more": 1}, extra={"deep": [[]]}, seq=99)

    event = await ada.expect("message")
    assert event["payload"] == {"text": "hi", "more": 1}
    assert event["seq"] == 1
    assert "extra" not in event


async def test_what_a_client_says_of_time_and_sender_is_ignored(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()
    me = (await ada.expect("welcome"))["payload"]["user"]
    await ada.ack("join", room="general")

    await ada.ack(
        "message",
        room="general",
        payload={"text": "hi"},
        timestamp="yesterday",
        sender={"id": "root", "name": "Root"},
    )

    event = await ada.expect("message")
    assert event["sender"] == {"id": me["id"], "name": me["name"]}
    assert event["timestamp"] > 1_700_000_000


async def test_a_room_that_was_not_joined_is_not_a_members(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()
    await ada.ack("room.create", room="general")

    for type in ["message", "typing"]:
        here = await ada.error(type, room="general", payload={"text": "x"})
        nowhere = await ada.error(type, room="nowhere", payload={"text": "x"})

        assert here == nowhere
        assert here["code"] == "not_a_member"


async def test_a_room_that_is_not_there_is_not_found(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()

    for type in ["history", "members", "presence", "leave"]:
        assert (await ada.error(type, room="nowhere"))["code"] == "room_not_found"


async def test_a_cursor_that_is_none_of_ours_is_invalid(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()
    await ada.ack("join", room="general")

    for cursor in ["x", "", "!!", "cm9vbXMKYQ==", "bWluZQph"]:
        for type in ["rooms", "members", "presence"]:
            error = await ada.error(type, room="general", payload={"cursor": cursor})
            assert error["code"] == "invalid_cursor", (type, cursor)


async def test_a_position_that_cannot_be_is_an_invalid_cursor(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()
    await ada.ack("join", room="general")

    for position in [{"before": -1}, {"after": -1}]:
        assert (await ada.error("history", room="general", payload=position))["code"] == "invalid_cursor"


async def test_before_and_after_together_are_refused(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()
    await ada.ack("join", room="general")

    error = await ada.error("history", room="general", payload={"before": 5, "after": 1})

    assert error["code"] == "invalid_field"


async def test_rooms_beyond_the_limit_of_a_connection(app: App, connect: Connect) -> None:
    mount(app, max_rooms_per_connection=2)
    ada = await connect()
    assert (await ada.expect("welcome"))["payload"]["limits"]["maxRooms"] == 2
    await ada.ack("join", room="a")
    await ada.ack("join", room="b")

    error = await ada.error("join", room="c")

    assert (error["code"], error["limit"], error["temporary"]) == ("room_limit", 2, False)
    await ada.ack("join", room="b")
    await ada.ack("exit", room="a")
    await ada.ack("join", room="c")


async def test_rooms_beyond_the_limit_of_the_server(app: App, connect: Connect) -> None:
    mount(app, max_rooms=1)
    ada = await connect()
    await ada.ack("join", room="a")

    assert (await ada.error("join", room="b"))["code"] == "room_limit"
    assert (await ada.error("room.create", room="c"))["code"] == "room_limit"


async def test_a_failing_command_of_the_apps_is_internal_and_logged(
    app: App, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    chat = mount(app)

    @chat.command("poll.vote")
    async def vote(ctx: Any, payload: dict[str, Any]) -> None:
        raise RuntimeError("secret detail")

    ada = await connect()
    error = await ada.error("poll.vote")
    await ada.settle()

    assert error["code"] == "internal"
    assert "secret" not in error["message"]
    assert any("poll.vote" in record.getMessage() for record in caplog.records)


async def test_an_error_is_answered_to_its_command_and_names_the_room(
    chat: ChatRooms, connect: Connect
) -> None:
    ada = await connect()

    error = await ada.request("message", room="general", payload={"text": "x"}, msg_id=ID)
    await ada.send_raw('{"type":"message","room":"general","payload":{"text":"x"}}')
    anonymous = await ada.expect("error")

    assert (error["replyTo"], error["room"]) == (ID, "general")
    assert "replyTo" not in anonymous
    assert anonymous["payload"] == error["payload"]


# ---- frames of the WebSocket ----


async def closed(client: Client) -> int:
    code, reason = await client.closed()
    assert 0 < len(reason.encode()) <= 123
    return code


async def test_a_binary_frame_closes_1003(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()

    await ada.send_raw(b'{"type":"ping"}')

    assert await closed(ada) == 1003
    assert ada.unread("pong") == []


async def test_bad_utf_8_closes_1007(chat: ChatRooms, connect: Connect) -> None:
    for bad in [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xaf"]:
        ada = await connect()
        write(ada, masked(TEXT, b'{"type":"ping","payload":{"x":"' + bad + b'"}}'))

        assert await closed(ada) == 1007


async def test_utf_8_may_be_cut_anywhere_by_fragments(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()
    data = '{"type":"ping","payload":{"x":"é😀"}}'.encode()

    for byte in range(len(data)):
        write(ada, masked(CONT if byte else TEXT, data[byte : byte + 1], fin=byte == len(data) - 1))

    assert (await ada.expect("pong"))["payload"] == {"x": "é😀"}


async def test_a_frame_of_exactly_the_limit_is_taken(app: App, connect: Connect) -> None:
    mount(app, max_frame=2048)
    ada = await connect()
    frame = '{"type":"ping","payload":{"x":"' + "x" * (2048 - 34) + '"}}'
    assert len(frame) == 2048

    await ada.send_raw(frame)

    await ada.expect("pong")


async def test_a_frame_over_the_limit_closes_1009(app: App, connect: Connect) -> None:
    mount(app, max_frame=2048)
    ada = await connect()
    assert (await ada.expect("welcome"))["payload"]["limits"]["maxFrame"] == 2048

    await ada.send_raw('{"type":"ping","payload":{"x":"' + "x" * (2048 - 33) + '"}}')

    assert await closed(ada) == 1009


async def test_fragments_that_are_too_long_together_close_1009(app: App, connect: Connect) -> None:
    mount(app, max_frame=2048)
    ada = await connect()

    write(ada, masked(TEXT, b'"' + b"x" * 1500, fin=False) + masked(CONT, b"x" * 1500, fin=False))

    assert await closed(ada) == 1009


async def test_a_frame_that_only_claims_to_be_long_closes_1009_at_once(
    chat: ChatRooms, connect: Connect
) -> None:
    ada = await connect()

    write(ada, b"\x81\xff" + (1 << 40).to_bytes(8, "big"))

    assert await closed(ada) == 1009


async def test_a_violation_of_the_protocol_closes_1002(chat: ChatRooms, connect: Connect) -> None:
    for data, what in [
        (b"\x81\x04ping", "unmasked"),
        (masked(CONT, b"x"), "continuation of nothing"),
        (masked(TEXT, b"x", fin=False) + masked(TEXT, b"y"), "text inside a fragmented text"),
        (masked(3, b"x"), "reserved opcode"),
        (masked(11, b"x"), "reserved control opcode"),
        (masked(PING, b"x" * 126), "long ping"),
        (masked(PING, b"x", fin=False), "fragmented ping"),
        (b"\xc1\x80\x00\x00\x00\x00", "RSV1, which means compressed"),
        (masked(CLOSE, b"\x03"), "close with half a code"),
        (masked(CLOSE, b"\x03\xed"), "close with a code that must not be sent"),
    ]:
        ada = await connect()
        write(ada, data)

        assert await closed(ada) == 1002, what


async def test_pings_between_fragments_are_answered(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()

    pong = await ada.ws.ping()
    write(ada, masked(TEXT, b'{"type":', fin=False) + masked(PING, b"hello") + masked(CONT, b'"ping"}'))

    await ada.expect("pong")
    await asyncio.wait_for(pong, 30)


async def test_several_frames_may_come_in_one_segment(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()
    await ada.ack("join", room="general")
    say = '{{"type":"message","room":"general","payload":{{"text":"{0}"}}}}'

    write(ada, b"".join(masked(TEXT, say.format(n).encode()) for n in range(50)))

    events = await ada.expect_many("message", 50)
    assert [event["payload"]["text"] for event in events] == [str(n) for n in range(50)]
    assert [event["seq"] for event in events] == list(range(1, 51))


async def test_one_frame_may_come_in_many_segments(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()
    frame = masked(TEXT, b'{"type":"ping","payload":{"x":1}}')

    for byte in frame:
        write(ada, bytes([byte]))
        await asyncio.sleep(0)

    assert (await ada.expect("pong"))["payload"] == {"x": 1}


async def test_a_fragmented_text_is_one_command(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()

    await ada.ws.send(["{", '"type"', ":", '"ping"', "}"])

    await ada.expect("pong")


@pytest.mark.fast_edge
async def test_two_thousand_empty_fragments_are_a_flood(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()

    write(ada, masked(TEXT, b"", fin=False) + masked(CONT, b"", fin=False) * 2000)

    assert await closed(ada) == 1008


async def test_the_closing_handshake_answers_with_the_same_code(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()

    await ada.close(1000, "bye")

    assert ada.close_code == 1000
    async with asyncio.timeout(30):
        while chat.connections():  # noqa: ASYNC110 - the server's own end
            await asyncio.sleep(0.005)


async def test_a_close_without_a_code_is_answered(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()
    await ada.settle()

    write(ada, masked(CLOSE, b""))

    assert (await ada.closed())[0] in (1000, 1005, 1006)


@pytest.mark.fast_edge
async def test_what_was_sent_before_a_close_is_carried_out(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()
    bob = await connect()
    await ada.ack("join", room="general")
    await bob.ack("join", room="general")
    say = b'{"type":"message","room":"general","payload":{"text":"last words"}}'

    write(ada, masked(TEXT, say) + masked(CLOSE, b"\x03\xe8"))

    assert (await bob.expect("message"))["payload"]["text"] == "last words"


# ---- the app and the end of the server ----


async def test_disconnect_closes_4503(app: App, connect: Connect) -> None:
    chat = mount(app)
    ada, bob = await connect(), await connect()
    user = (await ada.expect("welcome"))["payload"]["user"]["id"]

    await chat.disconnect(user)

    assert await closed(ada) == 4503
    await bob.settle()


async def test_disconnect_may_close_one_session_with_a_code_and_a_reason(app: App, connect: Connect) -> None:
    from tests.support.wire import token

    chat = mount(app, guests=False, jwt_secret=SECRET)
    one, two = await connect(token=token("ada")), await connect(token=token("ada"))
    session = (await one.expect("welcome"))["payload"]["sessionId"]

    await chat.disconnect("ada", session=session, code=4100, reason="moved")

    assert await one.closed() == (4100, "moved")
    await two.settle()


async def test_nothing_is_stored_for_somebody_after_disconnect(chat: ChatRooms, connect: Connect) -> None:
    ada = await connect()
    user = (await ada.expect("welcome"))["payload"]["user"]["id"]
    await ada.ack("join", room="general")
    for n in range(20):
        await ada.send("message", room="general", payload={"text": str(n)})

    await chat.disconnect(user)
    stored = (await chat.history("general")).seq
    await ada.closed()

    assert (await chat.history("general")).seq == stored


async def test_a_stopping_server_says_so_and_closes_1012(
    chat: ChatRooms, live: Live, connect: Connect
) -> None:
    server = await live()
    clients = [await connect() for _ in range(3)]
    for client in clients:
        await client.ack("join", room="general")

    await server.stop()

    for client in clients:
        assert await closed(client) == 1012
        closing = client.frames[-1]
        assert closing["type"] == "closing"
        assert closing["payload"].keys() == {"reason", "reconnectIn"}
        assert closing["payload"]["reconnectIn"] >= 0


async def test_a_server_stops_also_while_commands_are_under_way(
    chat: ChatRooms, live: Live, connect: Connect
) -> None:
    server = await live()
    ada = await connect()
    await ada.ack("join", room="general")
    for n in range(100):
        await ada.send("message" if n % 3 else "join", room="general", payload={"text": "x"})

    await server.stop()

    assert await closed(ada) == 1012


async def test_a_stopping_server_does_not_wait_for_who_never_answers(
    app: App, live: Live, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sanic_chatrooms.web.socket.base.CLOSE_TIMEOUT", 600.0)
    mount(app, drain_seconds=0.2)
    server = await live()
    ada = await connect()
    await ada.settle()
    ada.pause_reading()

    async with asyncio.timeout(30):
        await server.stop()
