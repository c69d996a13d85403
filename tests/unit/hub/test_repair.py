"""Each room in order and without a gap, whatever the broker does; and `reset` where that cannot be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sanic_chatrooms.errors import RoomNotFound, Unavailable
from sanic_chatrooms.hub.sequence import EARLY_LIMIT
from sanic_chatrooms.models import EVERYONE, LOOK, RESERVED, Envelope, Head, Room
from sanic_chatrooms.observe.instruments import GAPS, REPAIRED, RESETS
from tests.support.hubs import ROOM, FakeSession, World, a_world, envelope


@pytest.fixture
async def world(idle_time: None) -> AsyncIterator[World]:
    async with a_world() as world:
        yield world


# ---- in order, whatever the broker does ----


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    lose=st.sampled_from([0.0, 0.05, 0.3, 1.0]),
    double=st.sampled_from([0.0, 0.3]),
    delay=st.sampled_from([0.0, 0.3]),
    reorder=st.sampled_from([0.0, 0.3]),
    senders=st.lists(st.integers(0, 1), min_size=5, max_size=40),
)
def test_two_workers_hear_the_same_in_order_over_a_bad_broker(
    seed: int, lose: float, double: float, delay: float, reorder: float, senders: list[int]
) -> None:
    async def run() -> None:
        faults = {"lose": lose, "double": double, "delay": delay, "reorder": reorder, "delay_by": 0.002}
        async with a_world() as world:
            nodes = [await world.node(random=Random(f"{seed}{i}"), **faults) for i in range(2)]
            sessions = [FakeSession(), FakeSession()]
            for node, session in zip(nodes, sessions, strict=True):
                await node.enter(session)
            for sender in senders:
                await nodes[sender].say()
            for node, session in zip(nodes, sessions, strict=True):
                await node.hub.check()  # where the last envelopes were lost nobody else would say so
                assert await session.until_seq(len(senders)) == list(range(1, len(senders) + 1))
                assert not session.of("reset")

    asyncio.run(run())


async def test_next_number_is_delivered_at_once_and_its_echo_dropped(world: World) -> None:
    node, session = await world.node(), FakeSession()
    await node.enter(session)
    epoch = await world.epoch()

    for seq in (1, 1, 2, 1, 2):
        node.hub.deliver(envelope(seq, epoch))
    node.hub.flush()

    assert session.seqs() == [1, 2]
    assert node.meter.value(GAPS) == 0


async def test_number_that_comes_early_waits_for_the_one_before(world: World) -> None:
    node, session = await world.node(), FakeSession()
    await node.enter(session)
    epoch = await world.epoch()

    for seq in (4, 2, 3):
        node.hub.deliver(envelope(seq, epoch))
    node.hub.flush()
    assert session.seqs() == []
    node.hub.deliver(envelope(1, epoch))
    node.hub.flush()

    assert session.seqs() == [1, 2, 3, 4]
    assert node.meter.value(GAPS) == 0


async def test_number_that_does_not_come_is_read_from_the_store(world: World) -> None:
    here, there, session = await world.node(), await world.node(), FakeSession()
    await here.enter(session)

    here.broker.lose_next(2)
    await there.say(3)

    assert await session.until_seq(3) == [1, 2, 3]
    assert here.meter.value(GAPS) == 1
    assert here.meter.value(REPAIRED) == 3


async def test_what_is_announced_while_a_hole_is_read_is_not_forgotten(world: World) -> None:
    """The page may be older than the announcement: neither its number nor the hole below it may be dropped."""
    here, there, session = await world.node(), await world.node(), FakeSession()
    await here.enter(session)
    asked, answer = asyncio.Event(), asyncio.Event()
    history = here.store.inner.history

    async def slow(*args: Any, **kwargs: Any) -> Any:
        page = await history(*args, **kwargs)
        asked.set()
        await answer.wait()
        return page

    here.store.inner.history = slow  # type: ignore[method-assign]
    here.broker.lose_next(1)
    await there.say(2)
    await asked.wait()
    here.broker.lose_next(1)
    await there.say(2)
    here.store.inner.history = history  # type: ignore[method-assign]
    answer.set()

    assert await session.until_seq(4) == [1, 2, 3, 4]


async def test_hole_longer_than_a_page_is_read_page_by_page(world: World) -> None:
    here, there, session = await world.node(), await world.node(), FakeSession()
    await here.enter(session)

    here.broker.lose_next(500)
    await there.say(501)

    assert await session.until_seq(501) == list(range(1, 502))


async def test_lost_last_bell_is_found_by_the_position_check(world: World) -> None:
    here, there, session = await world.node(), await world.node(), FakeSession()
    await here.enter(session)
    here.broker.lose_next()
    await there.say()

    await here.hub.check()

    assert await session.until_seq(1) == [1]


async def test_one_check_asks_for_all_rooms_at_once(world: World) -> None:
    node = await world.node()
    for index in range(20):
        await world.truth.create_room(Room(f"r{index}", "", 0))
        await node.enter(FakeSession(), f"r{index}")
    node.store.calls.clear()

    await node.hub.check()

    assert node.store.calls == ["heads"]


async def test_announced_number_that_is_not_stored_is_given_up(world: World) -> None:
    node, session = await world.node(), FakeSession()
    await node.enter(session)
    held = node.hub.room(ROOM)
    assert held is not None

    node.hub.deliver(envelope(7, await world.epoch()))
    await node.until_asked("history")

    assert (held.sequence.known, held.sequence.early, held.timer) == (0, {}, None)
    await node.say()
    assert await session.until_seq(1) == [1]


async def test_only_so_many_early_numbers_are_kept(world: World) -> None:
    node, session = await world.node(), FakeSession()
    await node.enter(session)
    held = node.hub.room(ROOM)
    assert held is not None
    epoch = await world.epoch()

    for seq in range(2, EARLY_LIMIT + 100):
        node.hub.deliver(envelope(seq, epoch))

    assert len(held.sequence.early) == EARLY_LIMIT


# ---- reset ----


async def test_reset_when_history_was_trimmed_past_the_position() -> None:
    async with a_world(history_max=10) as world:
        here, there, session = await world.node(), await world.node(), FakeSession()
        await here.enter(session)
        await there.say(3)
        here.broker.lose_next(50)
        await there.say(51)

        await session.until(lambda: session.of("reset"))

        assert session.seqs() == [1, 2, 3]
        reset = session.of("reset")[0]["payload"]
        assert (reset["room"], reset["seq"], reset["epoch"]) == (ROOM, 54, await world.epoch())
        assert reset["rejoinIn"] >= 0
        assert session.evicted_from == [ROOM]
        await there.say()
        here.hub.flush()
        assert session.frames[-1]["type"] == "reset"  # nothing more of the room until it is joined again


async def test_reset_when_the_epoch_changed(world: World) -> None:
    here, there, session = await world.node(), await world.node(), FakeSession()
    await here.enter(session)
    await here.say()
    await world.truth.renew_epoch(ROOM, await world.epoch())

    await there.say()
    await session.until(lambda: session.of("reset"))

    assert session.of("reset")[0]["payload"]["epoch"] == await world.epoch()
    assert await here.enter(session) == 2


async def test_bell_of_an_older_epoch_resets_nobody(world: World) -> None:
    node, session = await world.node(), FakeSession()
    await node.enter(session)

    node.hub.deliver(envelope(1, "another"))
    await node.until_asked("history")
    await node.say()

    assert await session.until_seq(1) == [1]
    assert not session.of("reset")


async def test_store_that_went_back_gets_a_new_epoch_and_the_room_a_reset(world: World) -> None:
    nodes, sessions = [await world.node(), await world.node()], [FakeSession(), FakeSession()]
    for node, session in zip(nodes, sessions, strict=True):
        await node.enter(session)
    await nodes[0].say(5)
    old = await world.epoch()
    world.set_back(3)

    for node in nodes:
        await node.hub.check()

    new = await world.epoch()
    assert new != old
    for node, session in zip(nodes, sessions, strict=True):
        node.hub.flush()
        reset = session.of("reset")[0]["payload"]
        assert (reset["epoch"], reset["seq"]) == (new, 3)  # renewed once: both stand in the same past
        assert len(session.of("reset")) == 1


async def test_head_that_is_behind_only_once_changes_nothing(world: World) -> None:
    """A replica may lag; a second look decides."""
    node, session = await world.node(), FakeSession()
    await node.enter(session)
    await node.say(3)
    epoch = await world.epoch()
    heads = node.store.inner.heads

    async def lagging(rooms: Any) -> dict[str, Head]:
        node.store.inner.heads = heads  # type: ignore[method-assign]
        return {ROOM: Head(epoch, 1)}

    node.store.inner.heads = lagging  # type: ignore[method-assign]
    await node.hub.check()

    assert await world.epoch() == epoch
    assert not session.of("reset")


async def test_store_with_a_hole_in_it_resets_the_room(world: World) -> None:
    here, there, session = await world.node(), await world.node(), FakeSession()
    await here.enter(session)
    here.broker.lose_next(2)
    await there.say(2)
    page = await world.truth.history(ROOM, after=0, limit=10)

    async def history(*args: Any, **kwargs: Any) -> Any:
        return type(page)(page.events[1:], False, page.epoch, page.seq)

    here.store.inner.history = history  # type: ignore[method-assign]
    await here.hub.check()

    await session.until(lambda: session.of("reset"))
    assert session.seqs() == []


async def test_deleted_room_is_told_and_let_go(world: World) -> None:
    node, session = await world.node(), FakeSession()
    await node.enter(session)
    await world.truth.delete_room(ROOM)

    await node.hub.check()
    node.hub.flush()

    assert session.of("room.removed")[0]["payload"] == {"room": ROOM, "reason": "deleted"}
    assert session.evicted_from == [ROOM]
    await node.hub.release()
    assert node.hub.room(ROOM) is None


@pytest.fixture
async def living(world: World) -> World:
    """A store with the room of all, which stays as long as the store keeps what it has."""
    await world.truth.create_room(Room(EVERYONE, "", 0, visibility=RESERVED))
    return world


class Ignoring:
    """A watcher that does nothing."""

    def on_event(self, envelope: Envelope) -> None: ...

    def on_gap(self, room: str) -> None: ...

    def on_deleted(self, room: str) -> None: ...


async def lose_everything(world: World, *again: str) -> None:
    """The store is as one that started with empty hands; these rooms are made again meanwhile."""
    world.truth._clear(world.bounds)
    for room in again:
        await world.truth.create_room(Room(room, "", 0))


@pytest.mark.parametrize("again", [(), (EVERYONE,)], ids=["nothing", "the room of all"])
@pytest.mark.parametrize("by", ["check", "look", "order"])
async def test_a_room_that_the_store_lost_is_to_be_joined_again(
    living: World, again: tuple[str, ...], by: str
) -> None:
    node, session = await living.node(), FakeSession()
    await node.hub.watch(EVERYONE, Ignoring())
    await node.enter(session)
    old = await living.epoch()
    await lose_everything(living, *again)

    if by == "check":
        await node.hub.check()
        await node.hub.check()
    elif by == "look":
        node.hub.deliver(Envelope(ROOM, "", 0, LOOK, b"{}"))
    else:  # the room of all is found first, and watched again
        await node.hub.check()
        if again:
            await node.hub.watch(EVERYONE, Ignoring())
        node.hub.deliver(Envelope(ROOM, "", 0, LOOK, b"{}"))

    await session.until(lambda: session.of("reset"))
    reset = session.of("reset")[0]["payload"]
    assert (reset["room"], reset["seq"]) == (ROOM, 0)
    assert reset["epoch"] != old
    assert session.of("room.removed") == []
    assert session.evicted_from == [ROOM]


async def test_a_room_that_the_store_lost_is_not_found_or_made_and_entered_anew(living: World) -> None:
    node, session = await living.node(), FakeSession()
    await node.hub.watch(EVERYONE, Ignoring())
    await node.enter(session)
    await lose_everything(living, EVERYONE)
    await node.hub.check()

    with pytest.raises(RoomNotFound):
        await node.hub.enter(session, ROOM)
    await living.truth.create_room(Room(ROOM, "", 0))
    assert await node.enter(session) == 0
    await node.say()

    assert await session.until_seq(1) == [1]


async def test_a_room_that_was_deleted_is_told_to_be_also_after_the_store_lost_everything(
    living: World,
) -> None:
    node, session = await living.node(), FakeSession()
    await node.hub.watch(EVERYONE, Ignoring())
    await lose_everything(living, EVERYONE, ROOM)
    await node.hub.check()
    await node.enter(session)

    await living.truth.delete_room(ROOM)
    await node.hub.check()
    node.hub.flush()

    assert session.of("room.removed")[0]["payload"]["reason"] == "deleted"
    assert session.of("reset") == []


async def test_who_is_told_to_look_asks_the_store_and_believes_nobody_else(world: World) -> None:
    node, session = await world.node(), FakeSession()
    await node.enter(session)
    look = Envelope(ROOM, "", 0, LOOK, b"{}")

    node.hub.deliver(look)
    await node.until_asked("history")
    node.hub.flush()
    assert session.evicted_from == [], "the room is there"

    await world.truth.delete_room(ROOM)
    node.hub.deliver(look)
    await session.until(lambda: session.of("room.removed"))
    node.hub.deliver(look)


async def test_who_is_told_to_look_while_reading_looks_once_more(world: World) -> None:
    node, session = await world.node(), FakeSession()
    await node.enter(session)
    look = Envelope(ROOM, "", 0, LOOK, b"{}")
    node.store.hang()
    node.hub.deliver(look)
    await asyncio.sleep(0)
    node.hub.deliver(look)
    node.store.resume()
    await node.until_asked("history")
    await world.truth.delete_room(ROOM)

    await session.until(lambda: session.of("room.removed"))


async def test_room_that_is_made_again_is_another_room(world: World) -> None:
    node, session = await world.node(), FakeSession()
    await node.enter(session)
    await node.say(5)
    await world.truth.delete_room(ROOM)
    node.hub.deleted(ROOM)
    await world.truth.create_room(Room(ROOM, "", 0))

    assert await node.enter(session) == 0
    await node.say()

    await session.until(lambda: session.seqs()[-1:] == [1])
    assert node.meter.value(GAPS) == 0


# ---- the store is away ----


async def test_rooms_stand_still_while_the_store_is_away_and_go_on_after(world: World) -> None:
    here, there, session = await world.node(), await world.node(), FakeSession()
    await here.enter(session)
    here.store.hang()
    here.broker.lose_next()
    await there.say(2)
    await here.until_asked("history")
    assert session.seqs() == []

    here.store.resume()

    assert await session.until_seq(2) == [1, 2]
    assert not session.of("reset")


async def test_store_that_fails_is_asked_again(world: World) -> None:
    here, there, session = await world.node(), await world.node(), FakeSession()
    await here.enter(session)
    here.store.fail_next(2, "history")
    here.broker.lose_next()

    await there.say(2)

    assert await session.until_seq(2) == [1, 2]
    assert here.store.calls.count("history") == 3


async def test_store_that_is_away_does_not_let_anybody_in(world: World) -> None:
    node, session = await world.node(), FakeSession()
    node.store.fail_next(1, "heads")

    with pytest.raises(Unavailable):
        await node.hub.enter(session, ROOM)

    held = node.hub.room(ROOM)
    assert held is not None
    assert held.unused
    assert await node.enter(session) == 0


async def test_release_ends_a_repair_that_waits_for_the_store(world: World) -> None:
    here, there, session = await world.node(), await world.node(), FakeSession()
    await here.enter(session)
    here.store.hang()
    here.broker.lose_next()
    await there.say(2)
    held = here.hub.room(ROOM)
    assert held is not None
    await here.until_asked("history")
    repair = held.repairing
    assert repair is not None
    here.hub.exit(session, ROOM)

    await here.hub.release()

    with pytest.raises(asyncio.CancelledError):
        await repair


async def test_resets_are_counted_by_their_reason(world: World) -> None:
    node = await world.node()
    await node.enter(FakeSession())
    held = node.hub.room(ROOM)
    assert held is not None

    node.hub.reset(held, held.head, "another past")

    assert node.meter.value(RESETS, "another past") == node.meter.total(RESETS) == 1
