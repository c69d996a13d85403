from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from sanic_chatrooms.errors import RoomNotFound
from sanic_chatrooms.models import Event, Fold, Page, Relation, Room, Sender
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.memory.store import MemoryStore
from sanic_chatrooms.verbs.drafts import draft
from sanic_chatrooms.verbs.pages import PAGE_BYTES, STEP, Messages, Past, cut
from sanic_chatrooms.wire.encode import encode


def page(*sizes: int, more: bool = False) -> Page:
    """Events 1, 2, … with payloads of these sizes."""
    events = [
        Event("m", 1.0, "message", msgspec.Raw(b'{"text":"%s"}' % (b"x" * size)), "general", seq)
        for seq, size in enumerate(sizes, 1)
    ]
    return Page(events, more, "e", 99)


def seqs(messages: Messages) -> list[int]:
    return [msgspec.json.decode(bytes(message))["seq"] for message in messages.messages]


def test_a_small_page_is_whole() -> None:
    for newest in (True, False):
        messages = cut(page(1, 2, 3), newest=newest)

        assert seqs(messages) == [1, 2, 3]
        assert (messages.more, messages.epoch, messages.seq) == (False, "e", 99)


def test_what_the_store_has_more_of_is_said() -> None:
    assert cut(page(1, more=True), newest=True).more


def test_too_large_a_page_loses_its_far_end() -> None:
    third = PAGE_BYTES // 3

    newest, oldest = (cut(page(third, third, third), newest=newest) for newest in (True, False))

    assert (seqs(newest), newest.more) == ([2, 3], True)
    assert (seqs(oldest), oldest.more) == ([1, 2], True)


def test_one_event_always_fits() -> None:
    huge = PAGE_BYTES + 1

    assert seqs(cut(page(1, huge), newest=True)) == [2]
    assert seqs(cut(page(huge, 1), newest=False)) == [1]
    assert not cut(page(huge), newest=True).more


def test_an_empty_page() -> None:
    assert cut(page(), newest=True).messages == []


# ---- reading ----


class Reads(MemoryStore):
    """Notes how many events each read was for."""

    def __init__(self) -> None:
        super().__init__()
        self.limits: list[int] = []
        self.epochs: list[str] = []
        self.gate: asyncio.Event | None = None
        self.asked = asyncio.Event()

    async def history(self, room: str, **which: Any) -> Page:
        self.limits.append(which["limit"])
        if self.gate is not None:
            self.asked.set()
            await self.gate.wait()
        page = await super().history(room, **which)
        epoch = self.epochs.pop(0) if self.epochs else page.epoch
        return msgspec.structs.replace(page, epoch=epoch)


async def store_of(count: int, size: int) -> Reads:
    store = Reads()
    await store.start("test", Bounds())
    await store.create_room(Room("r", "", 0))
    payload = encode({"text": "x" * size})
    await store.append([draft("r", "message", payload, Sender("u", "U")) for _ in range(count)])
    return store


async def test_small_events_are_read_in_two_steps_at_most() -> None:
    store = await store_of(400, 10)

    newest = await Past(store).read("r", before=401, limit=200, timeline=True)
    since = await Past(store).read("r", after=100, limit=300)
    small = await Past(store).read("r", before=401, limit=STEP)

    assert [event.seq for event in newest.events] == list(range(201, 401))
    assert [event.seq for event in since.events] == list(range(101, 401))
    assert (newest.more, since.more, small.more) == (True, False, True)
    assert store.limits == [STEP, 150, STEP, 250, STEP]


async def test_of_large_events_no_more_is_read_than_is_shown() -> None:
    store = await store_of(400, 15_000)

    newest = await Past(store).read("r", before=401, limit=200, timeline=True)
    since = await Past(store).read("r", after=0, limit=400, most=2 * 1024 * 1024)

    assert [event.seq for event in newest.events] == list(range(351, 401))
    assert newest.more
    assert len(since.events) < 150
    assert since.more


async def test_of_a_room_known_to_have_large_events_no_more_is_read_at_first_than_is_shown() -> None:
    store = await store_of(400, 15_000)
    past = Past(store)
    first = await past.read("r", before=401, limit=200)

    again = await past.read("r", before=401, limit=200)

    assert store.limits == [STEP, PAGE_BYTES // 15_000 + 1]
    assert again.events == first.events[-store.limits[1] :]


async def test_rooms_with_large_events_are_read_one_at_a_time_and_others_beside_them() -> None:
    store = await store_of(400, 15_000)
    await store.create_room(Room("small", "", 0))
    past = Past(store)
    await past.read("r", before=401, limit=200)
    may_answer = asyncio.Event()
    store.gate = may_answer
    waiting = [asyncio.ensure_future(past.read("r", before=401, limit=200)) for _ in range(20)]
    await store.asked.wait()

    store.gate = None
    await past.read("small", after=0, limit=1)
    assert len(store.limits) == 3
    may_answer.set()
    await asyncio.gather(*waiting)

    assert len(store.limits) == 22


async def test_a_store_that_fails_does_not_keep_the_next_reader_waiting() -> None:
    store = await store_of(400, 15_000)
    past = Past(store)
    await past.read("r", before=401, limit=200)
    await store.delete_room("r")
    for _ in range(2):
        with pytest.raises(RoomNotFound):
            await past.read("r", before=401, limit=200)


async def test_a_room_that_was_renewed_in_between_is_read_no_further() -> None:
    store = await store_of(400, 10)
    store.epochs = ["e1", "e2"]

    page = await Past(store).read("r", before=401, limit=200)

    assert ([event.seq for event in page.events], page.epoch) == (list(range(351, 401)), "e1")


async def test_an_empty_room_is_read_once() -> None:
    store = await store_of(0, 0)

    assert (await Past(store).read("r", after=0, limit=200)).events == []
    assert len(store.limits) == 1


@pytest.mark.parametrize("where", [{"after": 0}, {"before": 101}])
async def test_what_other_events_made_of_messages_is_in_a_page_of_two_steps(where: dict[str, Any]) -> None:
    store = await store_of(100, 10)
    found = await store.events("r", [2, 99])
    pins = [
        draft(
            "r", "message.pinned", b"{}", None, about=Relation(event.msg_id, Fold.TOGGLE, "pin", value=True)
        )
        for event in found.values()
    ]
    await store.append(pins)

    page = await Past(store).read("r", limit=100, **where)

    assert len(store.limits) == 2
    assert {seq: list(related.toggles) for seq, related in page.related.items()} == {2: ["pin"], 99: ["pin"]}
