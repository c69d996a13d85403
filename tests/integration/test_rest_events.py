"""The events of a room by REST: as pages, and as a stream that can be cut, and that ends when the reader may not read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sanic import Sanic

from sanic_chatrooms import ChatRooms, Happening, User
from sanic_chatrooms.stores.memory.store import MemoryStore
from tests.support.fixtures import Connect, Live
from tests.support.rest import Rest, Sent, Stream, Visit
from tests.support.wire import SECRET, mount, token

App = Sanic[Any, Any]
MESSAGES = "/rooms/general/messages"


BOTH = pytest.mark.parametrize("chat", ["memory:", "sqlite"], indirect=True)
"""In memory and in a database."""


@pytest.fixture
def chat(app: App, request: pytest.FixtureRequest, tmp_path: Any) -> ChatRooms:
    stored = getattr(request, "param", "memory:") == "sqlite"
    store = f"sqlite:///{tmp_path}/chat.db" if stored else "memory:"
    return mount(
        app, guests=False, jwt_secret=SECRET, auto_create=True, api=True, store=store,
        heartbeat_interval=1.0, heartbeat_timeout=20.0,
    )  # fmt: skip


class Streams:
    """`stream = await streams(bob)`: closed after the test."""

    def __init__(self) -> None:
        self.open: list[Stream] = []

    async def __call__(self, user: Rest, room: str = "general", **how: str) -> Stream:
        stream = await Stream.open(user, room, **how)
        self.open.append(stream)
        return stream


@pytest.fixture
async def streams(live: Live) -> AsyncIterator[Streams]:
    streams = Streams()
    yield streams
    for stream in streams.open:
        await stream.close()


async def say(user: Rest, text: str, room: str = "general") -> Any:
    answer = await user("POST", f"/rooms/{room}/messages", {"text": text})
    assert answer.status == 201, answer
    return answer.body


# ---- pages ----


@BOTH
async def test_a_page_has_what_came_after_a_position(visit: Visit) -> None:
    ada = await visit()
    await say(ada, "before")
    first = await ada.get("/rooms/general/events")
    said = [await say(ada, str(number)) for number in range(3)]

    page = await ada.get(f"/rooms/general/events?since={first['epoch']}:{first['seq']}&limit=2")
    rest = await ada.get(f"/rooms/general/events?since={page['epoch']}:{page['seq']}")

    assert (first["events"], first["more"]) == ([], False)
    assert [event["seq"] for event in page["events"]] == [one["seq"] for one in said[:2]]
    assert (page["more"], page["seq"]) == (True, said[1]["seq"])
    assert [event["payload"]["text"] for event in rest["events"]] == ["2"]
    assert (rest["more"], rest["seq"], rest["epoch"]) == (False, said[2]["seq"], first["epoch"])


async def test_a_page_has_events_of_every_kind(visit: Visit) -> None:
    ada = await visit()
    sent = await say(ada, "hi")
    start = await ada.get("/rooms/general/events")
    await ada("PATCH", f"{MESSAGES}/{sent['msgId']}", {"text": "hello"})
    await ada("PUT", f"{MESSAGES}/{sent['msgId']}/reactions/:tada:")

    page = await ada.get(f"/rooms/general/events?since={start['epoch']}:0")

    assert [event["type"] for event in page["events"]] == ["message", "message.edited", "reaction.added"]


@BOTH
async def test_what_a_member_may_not_see_is_left_out(visit: Visit) -> None:
    ada, bob = await visit(), await visit("bob")
    await ada("POST", "/rooms", {"room": "club", "visibility": "private", "historyVisibility": "joined"})
    for one in (ada, bob):
        await say(one, "hi")
    await say(ada, "a secret", "club")
    await ada("PUT", "/rooms/club/members/bob")
    later = await say(ada, "welcome", "club")
    start = await bob.get("/rooms/club/events")

    page = await bob.get(f"/rooms/club/events?since={start['epoch']}:0&limit=200")

    assert "a secret" not in str(page)
    assert page["events"][-1]["seq"] == later["seq"] == page["seq"]


async def test_a_position_of_another_past_is_lost(visit: Visit) -> None:
    ada = await visit()
    sent = await say(ada, "hi")

    lost = await ada("GET", "/rooms/general/events?since=another:1")
    ahead = await ada("GET", f"/rooms/general/events?since={lost.body['epoch']}:99")

    assert (lost.status, lost.code, lost.body["seq"]) == (410, "position_lost", sent["seq"])
    assert ahead.status == 410


# ---- streams ----


async def test_a_stream_has_what_comes_from_now_on(visit: Visit, streams: Streams, connect: Connect) -> None:
    ada, bob = await visit(), await visit("bob")
    await say(ada, "before")
    stream = await streams(bob)
    socket = await connect(token=token("eve"))
    await socket.ack("join", room="general")

    sent = await say(ada, "hi")
    event = await stream.durable()

    assert (event.type, event.text) == ("message", "hi")
    assert event.id == f"{(await ada.get('/rooms/general/events'))['epoch']}:{sent['seq']}"
    assert event.data == await socket.expect("message")
    assert bob.headers  # a stranger: reading has joined nothing
    assert [line["id"] for line in (await ada.get("/rooms/general/members"))["members"]] == ["ada", "eve"]


async def test_a_payload_with_line_ends_is_one_event(visit: Visit, streams: Streams) -> None:
    ada = await visit()
    await say(ada, "before")
    stream = await streams(ada)

    await ada("POST", MESSAGES, b'{\n  "text":\r\n "two\\nlines"\n}')

    assert (await stream.next()).text == "two\nlines"


@BOTH
async def test_after_many_cuts_every_event_came_once(visit: Visit, streams: Streams) -> None:
    ada, bob = await visit(), await visit("bob")
    await say(ada, "0")
    stream = await streams(bob)
    heard: list[str] = []

    async def speak() -> None:
        for number in range(1, 61):
            await say(ada, str(number))

    speaking = asyncio.ensure_future(speak())
    while len(heard) < 60:
        heard.append((await stream.next()).text)
        if len(heard) % 4 == 0:
            last, stream.writer = stream.last_id, stream.writer
            stream.writer.transport.abort()
            stream = await streams(bob, since="nothing:0", Last_Event_ID=last or "")
    await speaking

    assert heard == [str(number) for number in range(1, 61)]


@BOTH
async def test_a_stream_begins_at_a_position(visit: Visit, streams: Streams, chat: ChatRooms) -> None:
    ada = await visit()
    await say(ada, "0")
    sent = [await chat.publish("general", "message", {"text": str(number)}) for number in range(1, 300)]
    epoch = (await ada.get("/rooms/general/events"))["epoch"]

    stream = await streams(ada, since=f"{epoch}:{sent[9].seq}")

    assert [(await stream.next()).text for _ in range(289)] == [str(number) for number in range(11, 300)]


async def test_a_long_past_is_told_in_pages_with_others_in_between(
    visit: Visit, streams: Streams, chat: ChatRooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await visit()
    await say(ada, "hi")
    for _ in range(900):
        await chat.publish("general", "message", {"text": "x"})
    head = await ada.get("/rooms/general/events")
    turns = 0
    at_pages: list[int] = []
    history = MemoryStore.history

    async def note(store: MemoryStore, *args: Any, **options: Any) -> Any:
        at_pages.append(turns)
        return await history(store, *args, **options)

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(MemoryStore, "history", note)
    turning = asyncio.ensure_future(turn())
    try:
        stream = await streams(ada, since=f"{head['epoch']}:0")
        while (await stream.next()).id != f"{head['epoch']}:{head['seq']}":
            pass
    finally:
        turning.cancel()

    assert len(at_pages) >= 5
    assert len(set(at_pages)) == len(at_pages)


async def test_a_lost_position_is_a_reset(visit: Visit, streams: Streams) -> None:
    ada = await visit()
    sent = await say(ada, "before")
    stream = await streams(ada, since="another:1")

    reset = await stream.next()
    await say(ada, "after")

    assert (reset.type, reset.id, reset.data["payload"]["seq"]) == ("reset", None, sent["seq"])
    assert (await stream.next()).text == "after"


async def test_a_quiet_stream_has_comments(visit: Visit, streams: Streams) -> None:
    ada = await visit()
    await say(ada, "before")
    stream = await streams(ada)

    await stream.comment()
    await stream.comment()


async def test_a_stream_has_what_is_for_its_user_alone(
    visit: Visit, streams: Streams, chat: ChatRooms
) -> None:
    ada, bob = await visit(), await visit("bob")
    for one in (ada, bob):
        await say(one, "hi")
        await say(one, "hi", "den")
    stream = await streams(bob, "den")

    await ada("POST", MESSAGES, {"text": "hi bob", "mentions": ["bob"]})
    mention = await stream.next()
    await chat.notify("bob", "notice", {"title": "Tea", "content": "is ready"})
    notice = await stream.next()

    assert (mention.type, mention.data["payload"]["room"], mention.id) == ("mention", "general", None)
    assert (notice.type, notice.data["payload"]["title"]) == ("notice", "Tea")


async def test_live_events_have_no_id(
    visit: Visit, streams: Streams, chat: ChatRooms, connect: Connect
) -> None:
    ada = await visit()
    await say(ada, "hi")
    stream = await streams(ada)
    socket = await connect(token=token("bob", name="Bob"))
    await socket.ack("join", room="general")
    live, durable = list[Sent](), list[Sent]()

    await socket.ack("typing", room="general")
    await chat.push("general", "notice", {"text": "soon"})
    await say(ada, "hello")
    while not durable or {"typing", "notice"} - {event.type for event in live}:
        event = await stream.next()
        (durable if event.id else live).append(event)

    assert [event.text for event in durable] == ["hello"]
    [notice] = [event for event in live if event.type == "notice"]
    assert (notice.data["payload"], notice.data["room"]) == ({"text": "soon"}, "general")
    assert "seq" not in notice.data


@BOTH
async def test_a_ban_is_the_last_event(visit: Visit, streams: Streams, chat: ChatRooms) -> None:
    ada, bob = await visit(), await visit("bob")
    await ada("POST", "/rooms", {"room": "club"})
    await say(bob, "hi", "club")
    stream = await streams(bob, "club")
    other = await streams(ada, "club")

    await say(ada, "one", "club")
    await ada("PUT", "/rooms/club/bans/bob", {"reason": "spam"})
    await chat.push("club", "notice", {"text": "among us"})
    await say(ada, "two", "club")

    assert [event.type for event in await stream.rest()] == ["message", "member.banned"]
    durable = [event for event in [await other.next() for _ in range(4)] if event.id]
    assert [event.type for event in durable] == ["message", "member.banned", "message"]
    again = await bob("GET", "/rooms/club/events", Accept="text/event-stream")
    assert (again.status, again.code) == (403, "banned")


async def test_a_kick_is_the_last_event_also_where_strangers_read(visit: Visit, streams: Streams) -> None:
    ada, bob = await visit(), await visit("bob")
    await ada("POST", "/rooms", {"room": "club"})
    await say(bob, "hi", "club")
    stream = await streams(bob, "club")

    await ada("DELETE", "/rooms/club/members/bob")

    assert [event.type for event in await stream.rest()] == ["member.kicked"]
    await say(bob, "I am back", "club")
    back = await streams(bob, "club", since=(stream.last_id or "").replace(":2", ":0"))
    kinds = [(await back.next()).type for _ in range(2)]
    assert kinds[0] == "message"


async def test_the_loss_of_the_right_is_the_last_event(visit: Visit, streams: Streams) -> None:
    ada, bob = await visit(), await visit("bob")
    await ada("POST", "/rooms", {"room": "club"})
    stream = await streams(bob, "club")

    await ada("PATCH", "/rooms/club", {"title": "Club"})
    await ada("PATCH", "/rooms/club", {"visibility": "private"})
    await say(ada, "among us", "club")

    events = await stream.rest()
    assert [event.data["payload"]["visibility"] for event in events] == ["public", "private"]


async def test_the_deletion_of_the_room_is_the_last_event(visit: Visit, streams: Streams) -> None:
    ada, bob = await visit(), await visit("bob")
    await ada("POST", "/rooms", {"room": "club"})
    stream = await streams(bob, "club")

    await ada("DELETE", "/rooms/club")

    [event] = await stream.rest()
    assert (event.type, event.id, event.data["payload"]["reason"]) == ("room.removed", None, "deleted")


async def test_a_revocation_ends_a_stream(visit: Visit, streams: Streams, chat: ChatRooms) -> None:
    ada, bob = await visit(), await visit("bob")
    await say(ada, "hi")
    stream = await streams(bob)

    await chat.revoke(user="bob")

    [event] = await stream.rest()
    assert (event.type, event.data["payload"]["code"]) == ("error", "unauthenticated")
    assert (await bob("GET", "/rooms")).status == 401


async def test_a_ban_from_the_server_ends_a_stream(visit: Visit, streams: Streams, chat: ChatRooms) -> None:
    ada, bob = await visit(), await visit("bob")
    await say(ada, "hi")
    stream = await streams(bob)

    await chat.ban_user(User("bob", "Bob"))

    [event] = await stream.rest()
    assert (event.type, event.data["payload"]["code"]) == ("error", "banned")


async def test_the_end_of_a_token_ends_a_stream(visit: Visit, streams: Streams, chat: ChatRooms) -> None:
    ada, bob = await visit(), await visit("bob", expires_in=600)
    await say(ada, "hi")
    stream = await streams(bob)

    heartbeat = chat.running().heartbeat
    heartbeat._wall = lambda: time.time() + 601
    for session in chat.running().sessions:
        heartbeat.reconsider(session)

    *_, event = await stream.rest()
    assert (event.type, event.data["payload"]["code"]) == ("error", "token_expired")


async def test_a_stream_is_a_connection(app: App, live: Live, streams: Streams, connect: Connect) -> None:
    chat = mount(app, guests=False, jwt_secret=SECRET, auto_create=True, api=True, max_connections_per_user=2)
    gone = asyncio.Event()

    @chat.on("disconnect")
    async def note(_: Happening) -> None:
        gone.set()

    ada = Rest(await live(), "ada")
    await say(ada, "hi")
    first = await streams(ada)
    await connect(token=token("ada"))

    refused = await ada("GET", "/rooms/general/events", Accept="text/event-stream")

    assert (refused.status, refused.code) == (429, "rate_limited")
    assert len(chat.running().sessions) == 2
    await first.close()
    await gone.wait()
    await streams(ada)


async def test_a_ticket_opens_a_stream_once(visit: Visit, streams: Streams) -> None:
    ada = await visit()
    await say(ada, "hi")
    ticket = (await ada("POST", "/tickets")).body["ticket"]
    nobody = Rest(ada.server)

    stream = await streams(nobody, query=f"?ticket={ticket}")
    await say(ada, "hello")

    assert (await stream.next()).text == "hello"
    again = await nobody("GET", f"/rooms/general/events?ticket={ticket}", Accept="text/event-stream")
    assert again.status == 401


async def test_a_reader_who_does_not_read_is_cut_off(app: App, live: Live, streams: Streams) -> None:
    chat = mount(
        app, guests=False, jwt_secret=SECRET, auto_create=True, api=True, heartbeat_interval=1.0,
        heartbeat_timeout=2.0,
    )  # fmt: skip
    gone = asyncio.Event()

    @chat.on("disconnect")
    async def note(_: Happening) -> None:
        gone.set()

    ada, bob = Rest(await live(), "ada"), Rest(live.servers[0], "bob")
    await say(ada, "hi")
    stream = await streams(bob)
    stream.writer.transport.pause_reading()  # type: ignore[attr-defined]

    for _ in range(300):  # more than all buffers on the way hold
        await chat.publish("general", "message", {"text": "x" * 60_000})
    await asyncio.wait_for(gone.wait(), 40)

    assert not chat.running().sessions.of("bob")


async def test_a_restart_tells_when_to_come_back(visit: Visit, streams: Streams, live: Live) -> None:
    ada = await visit()
    await say(ada, "hi")
    stream = await streams(ada)

    stopping = asyncio.ensure_future(live.servers[0].stop())

    [event] = await stream.rest()
    assert (event.type, event.data["payload"]["reason"]) == ("closing", "restart")
    await stopping
