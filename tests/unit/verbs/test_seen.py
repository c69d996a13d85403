"""What users see of a room's past who may not read all of it: by history, join, recovery, and what they change."""

from __future__ import annotations

from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from sanic_chatrooms import ChatRooms, MemoryStore, MessageNotFound, User
from sanic_chatrooms.access.visibility import EVERYTHING, Seen
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.models import PRIVATE, Appended, Draft, Fold, Member, Relation, Room, Sender
from sanic_chatrooms.stores import members
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.properties import room_fact
from sanic_chatrooms.support.ids import new_id
from sanic_chatrooms.testing import MemoryClient, chat_client
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs.pages import Past

ADA, BOB, EVE = User("u1", "Ada"), User("u2", "Bob"), User("u3", "Eve")


def draft(type: str, text: str, user: User = ADA, **more: Any) -> Draft:
    id = f"id-of-{text}-{type}"
    payload = b'{"text":"%s"}' % text.encode()
    return Draft("club", type, payload, id, 1750000000.0, Sender(user.id, user.name), ("", id), **more)


def joining(user: User, role: str = "member") -> Draft:
    return draft(
        "member.joined", user.id, user, facts=(members.member_fact(Member(user.id, user.name, role)),)
    )


@pytest.fixture
def rooms() -> ChatRooms:
    return ChatRooms("test", guests=True)


@pytest.fixture
async def chat(rooms: ChatRooms) -> AsyncIterator[Chat]:
    """Events 1 to 9 of the private room "club". Of these, 4 and 5 are for all members, and the others for those of then."""
    async with running_core(rooms) as chat:
        store = chat.backends.store
        room = Room("club", "", 0, visibility=PRIVATE, history_visibility="joined")
        await store.create_room(room, facts=(members.member_fact(Member(ADA.id, "Ada", "owner")),))
        await put(chat, draft("message", "m1", EVE), joining(BOB), draft("message", "m3"))
        await show(chat, "members")
        await put(chat, draft("message", "m5"))
        await show(chat, "joined")
        await put(chat, draft("message", "m7"), joining(EVE, "moderator"), draft("message", "m9"))
        yield chat


async def put(chat: Chat, *drafts: Draft) -> None:
    assert all(isinstance(answer, Appended) for answer in await chat.backends.store.append(drafts))


async def show(chat: Chat, shown: str) -> None:
    was = await chat.backends.store.room("club")
    assert was is not None
    fact = room_fact(replace(was, history_visibility=shown), was)
    await put(chat, draft("room.updated", shown, facts=(fact,), judged=was.seq, restricts=True))


def texts(page: Any) -> list[str]:
    return [message["payload"]["text"] for message in page["messages"]]


async def history(client: MemoryClient, **ask: Any) -> tuple[list[str], bool]:
    page = await client.ack("history", room="club", payload=ask)
    return texts(page), page["more"]


async def test_history_leaves_out_what_was_said_before_the_stay_unless_all_members_might_read_it(
    chat: Chat, rooms: ChatRooms
) -> None:
    eve, bob = await chat_client(chat, EVE), await chat_client(chat, BOB)

    assert await history(eve) == (["m5", "m9"], False)
    assert await history(bob) == (["m3", "m5", "m7", "m9"], False)
    assert [m["payload"]["text"] for m in (await rooms.history("club", as_user=EVE)).messages] == ["m5", "m9"]
    assert len((await rooms.history("club")).messages) == 5


async def test_history_is_paged_over_what_is_left_out(chat: Chat) -> None:
    eve = await chat_client(chat, EVE)

    assert await history(eve, limit=1) == (["m9"], True)
    assert await history(eve, limit=1, before=9) == (["m5"], False)
    assert await history(eve, before=4) == await history(eve, before=1) == ([], False)
    assert await history(eve, limit=1, after=0) == (["m5"], True)
    assert await history(eve, limit=1, after=5) == (["m9"], False)
    assert await history(eve, after=9) == ([], False)


async def test_a_join_shows_the_timeline_without_it(chat: Chat) -> None:
    eve = await chat_client(chat, EVE)

    joined = await eve.ack("join", room="club")

    assert (texts(joined), joined["more"], joined["seq"]) == (["m5", "m9"], False, 9)


@pytest.mark.parametrize(
    ("since", "recovered"), [(9, True), (8, True), (7, True), (6, False), (3, False), (0, False)]
)
async def test_what_may_not_be_read_makes_recovery_impossible(
    chat: Chat, since: int, recovered: bool
) -> None:
    eve = await chat_client(chat, EVE)
    room = await chat.backends.store.room("club")
    assert room is not None

    joined = await eve.ack("join", room="club", payload={"since": {"epoch": room.epoch, "seq": since}})

    assert joined["recovered"] is recovered
    seqs = [message["seq"] for message in joined["messages"]]
    assert seqs == (list(range(since + 1, 10)) if recovered else [5, 9])


async def test_recovery_of_a_guest_who_has_everything_is_whole(chat: Chat) -> None:
    await chat.backends.store.create_room(Room("open", "", 0))
    (said,) = await chat.backends.store.append([replace(draft("message", "hi"), room="open")])
    assert isinstance(said, Appended)
    guest = await chat_client(chat, User("guest-1", "G", guest=True))
    for seq in (0, 1):
        joined = await guest.ack("join", room="open", payload={"since": {"epoch": said.epoch, "seq": seq}})
        assert (joined["recovered"], len(joined["messages"])) == (True, 1 - seq)


@pytest.mark.parametrize("type", ["message.edit", "message.delete", "message.pin", "message.unpin"])
async def test_a_message_that_one_may_not_read_is_not_there_for_any_command(chat: Chat, type: str) -> None:
    eve = await chat_client(chat, EVE)
    await eve.ack("join", room="club")
    body = {"body": {"text": "changed"}} if type == "message.edit" else {}
    for id in ("id-of-m1-message", "id-of-m7-message"):  # one of them is Eve's own
        answer = await eve.request(type, room="club", payload={"msgId": id, **body})
        assert answer["payload"]["code"] == MessageNotFound.code


async def test_pins_leave_it_out_and_do_not_count_it(chat: Chat) -> None:
    for text in ("m7", "m5", "m9"):
        pin = Relation(f"id-of-{text}-message", Fold.TOGGLE, "pin", value=True)
        await put(chat, draft("message.pinned", text, about=pin))
    eve, bob = await chat_client(chat, EVE), await chat_client(chat, BOB)

    seen, all_pins = await eve.ack("pins", room="club"), await bob.ack("pins", room="club")

    assert (texts(seen), seen["total"]) == (["m9", "m5"], 2)
    assert (texts(all_pins), all_pins["total"]) == (["m9", "m5", "m7"], 3)


@pytest.mark.parametrize("seed", range(10))
async def test_pages_over_any_ranges_are_the_past_without_the_rest(seed: int) -> None:
    random = Random(seed)
    store, past = MemoryStore(), None
    await store.start("test", Bounds(history_max=50))
    await store.create_room(Room("r", "", 0))
    types = [random.choice(("message", "member.joined")) for _ in range(60)]
    await store.append([Draft("r", type, b"{}", new_id(), 0.0) for type in types])
    past = Past(store)
    edges = sorted(random.sample(range(1, 62), 2 * random.randrange(4)))
    seen = Seen([(first, last - 1) for first, last in zip(edges[::2], edges[1::2], strict=True)])
    for timeline in (True, False):
        whole = (await past.read("r", after=0, limit=200, timeline=timeline)).events
        wanted = [event.seq for event in whole if event.seq in seen]
        limit = random.randrange(1, 8)
        forward: list[int | None] = []
        backward: list[int | None] = []
        at, more = 0, True
        while more:
            page = await past.read("r", after=at, limit=limit, timeline=timeline, seen=seen)
            forward += [event.seq for event in page.events]
            at, more = (page.events[-1].seq or 0) if page.events else 99, page.more and bool(page.events)
            assert len(page.events) <= limit
        at, more = 99, True
        while more:
            page = await past.read("r", before=at, limit=limit, timeline=timeline, seen=seen)
            backward[:0] = [event.seq for event in page.events]
            at, more = (page.events[0].seq or 0) if page.events else 0, page.more and bool(page.events)
        assert forward == backward == wanted
    everything = await past.read("r", after=0, limit=200, seen=EVERYTHING)
    assert len(everything.events) == 50


async def test_a_page_that_is_full_of_large_messages_says_that_there_are_more() -> None:
    store = MemoryStore()
    await store.start("test", Bounds())
    await store.create_room(Room("r", "", 0))
    large = b'{"text":"%s"}' % (b"x" * 100_000)
    await store.append([Draft("r", "message", large, new_id(), 0.0) for _ in range(12)])
    past, seen = Past(store), Seen([(1, 3), (6, 9), (11, 12)])

    at, found = 0, list[int]()
    while True:
        page = await past.read("r", after=at, limit=50, timeline=True, seen=seen)
        found += [event.seq or 0 for event in page.events]
        at = found[-1]
        if not page.more:
            break

    assert found == [1, 2, 3, 6, 7, 8, 9, 11, 12]
