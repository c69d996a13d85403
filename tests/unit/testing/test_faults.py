"""The fault proxies fail exactly as they are told to, and otherwise not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from random import Random

import pytest

from sanic_chatrooms.brokers.memory import MemoryBroker, MemoryBus
from sanic_chatrooms.errors import Unavailable
from sanic_chatrooms.models import Appended, Draft, Envelope, Fact, Room, Scope
from sanic_chatrooms.stores.base import Bounds, Store
from sanic_chatrooms.stores.memory.store import MemoryStore
from sanic_chatrooms.testing import FaultyBroker, FaultyStore, Recorder


class Wire:
    """A sound publisher and a listener behind faults."""

    def __init__(self, **faults: float) -> None:
        bus = MemoryBus()
        self.publisher = MemoryBroker(bus)
        self.broker = FaultyBroker(MemoryBroker(bus), random=Random(7), **faults)
        self.heard = Recorder()

    async def __aenter__(self) -> Wire:
        await self.publisher.start("test", Recorder(), lambda: None)
        await self.broker.start("test", self.heard, self.heard.reconnected)
        await self.broker.subscribe("r")
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.broker.stop()
        await self.publisher.stop()

    async def publish(self, *seqs: int, room: str = "r") -> None:
        await self.publisher.publish([Envelope(room, "e", seq, "message", b"{}") for seq in seqs])

    @property
    def seqs(self) -> list[int]:
        return [envelope.seq for envelope in self.heard.envelopes]


class TestFaultyBroker:
    async def test_without_faults_changes_nothing(self) -> None:
        async with Wire() as wire:
            await wire.publish(1, 2, 3)

            assert (wire.seqs, wire.broker.lost) == ([1, 2, 3], 0)
            assert wire.broker.healthy
            assert wire.broker.scope is Scope.PROCESS

    async def test_loses_the_next(self) -> None:
        async with Wire() as wire:
            wire.broker.lose_next(2)
            await wire.publish(1, 2, 3)

            assert (wire.seqs, wire.broker.lost) == ([3], 2)

    async def test_what_one_node_loses_another_hears(self) -> None:
        async with Wire() as wire:
            wire.broker.lose_next()
            heard = Recorder()
            await wire.broker.publish([Envelope("r", "e", 0, "typing", b"{}")])
            await wire.publisher.stop()
            await wire.publisher.start("test", heard, lambda: None)
            await wire.publisher.subscribe("r")

            await wire.broker.publish([Envelope("r", "e", 1, "message", b"{}")])

            assert [envelope.seq for envelope in heard.envelopes] == [1]

    async def test_loses_with_a_probability_and_the_same_ones_for_the_same_seed(self) -> None:
        runs = []
        for _ in range(2):
            async with Wire(lose=0.3) as wire:
                await wire.publish(*range(1_000))
                runs.append(wire.seqs)
                assert len(wire.seqs) + wire.broker.lost == 1_000

        assert runs[0] == runs[1]
        assert 600 < len(runs[0]) < 800

    async def test_doubles(self) -> None:
        async with Wire(double=1.0) as wire:
            await wire.publish(1, 2)

            assert wire.seqs == [1, 1, 2, 2]

    async def test_reorders(self) -> None:
        async with Wire(reorder=0.3, delay_by=60) as wire:
            await wire.publish(*range(100))
            wire.broker.reorder = 0
            await wire.publish(100)

            assert sorted(wire.seqs) == list(range(101))
            assert wire.seqs != sorted(wire.seqs)

    async def test_reordered_last_one_comes_all_the_same(self) -> None:
        async with Wire(reorder=1.0, delay_by=0.001) as wire:
            await wire.publish(1)
            assert wire.seqs == []

            await wire.heard.until(1)

    async def test_delays(self) -> None:
        async with Wire(delay=1.0, delay_by=0.001) as wire:
            await wire.publish(*range(20))
            assert wire.seqs == []

            await wire.heard.until(20)

            assert sorted(wire.seqs) == list(range(20))

    async def test_holds_and_releases_in_any_order(self) -> None:
        async with Wire() as wire:
            wire.broker.hold()
            wire.broker.hold()
            await wire.publish(1, 2, 3)
            assert wire.seqs == []

            wire.broker.release(lambda held: [*reversed(held), held[0]])
            await wire.publish(4)

            assert wire.seqs == [3, 2, 1, 1, 4]

    async def test_releasing_what_is_not_held_does_nothing(self) -> None:
        async with Wire() as wire:
            wire.broker.release()

            assert wire.seqs == []

    async def test_nothing_late_arrives_after_unsubscribe(self) -> None:
        async with Wire() as wire:
            wire.broker.hold()
            await wire.publish(1)
            await wire.broker.unsubscribe("r")

            wire.broker.release()

            assert wire.seqs == []

    async def test_nothing_late_arrives_after_stop(self) -> None:
        async with Wire(delay=1.0, delay_by=0) as wire:
            await wire.publish(1, 2)
            await wire.broker.stop()
            passed = asyncio.Event()
            asyncio.get_running_loop().call_later(0.001, passed.set)

            await passed.wait()

            assert wire.seqs == []

    async def test_down_loses_what_arrives_refuses_what_is_sent_and_says_so(self) -> None:
        async with Wire() as wire:
            wire.broker.down()

            await wire.publish(1)
            with pytest.raises(Unavailable):
                await wire.broker.publish([])
            with pytest.raises(Unavailable):
                await wire.broker.subscribe("s")
            await wire.broker.unsubscribe("s")

            assert (wire.seqs, wire.broker.healthy, wire.heard.reconnects) == ([], False, 0)

    async def test_up_hears_again_and_calls_reconnected_once(self) -> None:
        async with Wire() as wire:
            wire.broker.down()
            wire.broker.up()
            wire.broker.up()

            await wire.publish(1)

            assert (wire.seqs, wire.broker.healthy, wire.heard.reconnects) == ([1], True, 1)


@pytest.fixture
async def store() -> AsyncIterator[FaultyStore]:
    store = FaultyStore(MemoryStore())
    await store.start("test", Bounds())
    await store.create_room(Room("r", "", 0))
    store.calls.clear()
    yield store
    await store.stop()


def _draft() -> Draft:
    return Draft("r", "message", b"{}", "id", 0.0, None, ("u", "k"))


async def _seq(store: Store) -> int:
    return (await store.heads(["r"]))["r"].seq


class TestFaultyStore:
    async def test_without_faults_changes_nothing(self, store: FaultyStore) -> None:
        assert isinstance((await store.append([_draft()]))[0], Appended)
        assert await _seq(store) == 1
        assert store.calls == ["append", "heads"]
        assert store.scope is Scope.PROCESS

    async def test_fails_the_next_calls_and_does_nothing(self, store: FaultyStore) -> None:
        store.fail_next(2)

        for _ in range(2):
            with pytest.raises(Unavailable):
                await store.append([_draft()])

        assert await _seq(store) == 0

    async def test_fails_the_next_calls_of_one_verb(self, store: FaultyStore) -> None:
        store.fail_next(verb="append")

        assert await _seq(store) == 0
        with pytest.raises(Unavailable):
            await store.append([_draft()])
        assert isinstance((await store.append([_draft()]))[0], Appended)

    async def test_mended_it_fails_no_more(self, store: FaultyStore) -> None:
        store.fail_next(2)
        store.unknown_outcome_next()
        store.hang()

        store.mend()

        assert isinstance((await store.append([_draft()]))[0], Appended)

    async def test_every_verb_can_fail(self, store: FaultyStore) -> None:
        store.fail_next(12)
        for call in (
            store.append([]),
            store.heads([]),
            store.history("r", after=0, limit=1),
            store.renew_epoch("r", ""),
            store.create_room(Room("s", "", 0)),
            store.room("r"),
            store.rooms(),
            store.update_room(Room("r", "", 0)),
            store.delete_room("r"),
            store.facts("r", "member"),
            store.set_fact("r", Fact("ban", "u", None)),
            store.secret("s"),
        ):
            with pytest.raises(Unavailable):
                await call

        assert len(set(store.calls)) == 12

    async def test_stores_without_saying_so(self, store: FaultyStore) -> None:
        store.unknown_outcome_next()

        with pytest.raises(Unavailable):
            await store.append([_draft()])
        (again,) = await store.append([_draft()])

        assert isinstance(again, Appended)
        assert again.duplicate

    async def test_hangs_until_it_is_resumed(self, store: FaultyStore) -> None:
        store.hang()
        call = asyncio.create_task(store.append([_draft()]))
        await asyncio.sleep(0)
        assert not call.done()
        assert await _seq(store.inner) == 0

        store.resume()

        assert isinstance((await call)[0], Appended)

    async def test_call_given_up_while_hanging_does_nothing(self, store: FaultyStore) -> None:
        store.hang()

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await store.append([_draft()])
        store.resume()

        assert await _seq(store) == 0

    async def test_latency_is_awaited_before_every_verb(self, store: FaultyStore) -> None:
        waited: list[int] = []

        async def wait() -> None:
            waited.append(await _seq(store.inner))

        store.latency = wait
        await store.append([_draft()])

        assert (await _seq(store), waited) == (1, [0, 1])
