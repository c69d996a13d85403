"""Tests of the contract `sanic_chatrooms.brokers.base.Broker`, to run on your broker.

    import pytest
    pytest.register_assert_rewrite("sanic_chatrooms.testing")  # so that a failing assert shows its values

    from sanic_chatrooms.testing.brokers import BrokerSuite
    from mybroker import MyBroker

    class TestMyBroker(BrokerSuite):
        async def make(self) -> tuple[MyBroker, MyBroker]:
            return MyBroker("mybroker://localhost"), MyBroker("mybroker://localhost")

With pytest-asyncio in its auto mode, you need nothing else. The suite itself needs no test runner. The number in a test's
name is that of the sentence in the contract. To show without waiting that an event does not arrive, a test publishes
another one after it, which arrives alone.
"""

# ruff: noqa: D102 - a test's name is its sentence

import asyncio
import secrets
import threading
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from msgspec.structs import replace

from ..brokers.base import Broker, Deliver
from ..errors import Unavailable
from ..models import Envelope, Scope
from .recorder import Recorder

__all__ = ["BrokerSuite", "Node", "envelope"]

ROOMS = ("a", "A", "a:b", "a:b:c", "a.b", "b", ":", "a:", "-", "_", "~a", "0", "x" * 128, "x" * 127)
"""Rooms that are one and the same to a backend that glues, globs, folds or cuts names."""


class Node(NamedTuple):
    """A started broker and what it heard."""

    broker: Broker
    heard: Recorder


def envelope(room: str = "r", seq: int = 1, *, data: bytes = b"{}") -> Envelope:
    """A message's envelope."""
    return Envelope(room, "epoch", seq, "message", data)


class BrokerSuite:
    """Tests of the contract of a broker. Derive a test class from it and implement `make`."""

    patience = 30.0
    """Seconds to wait for events that must arrive."""

    async def make(self) -> tuple[Broker, Broker]:
        """Return the brokers of two processes, not started. A test that calls it twice gets four processes of one system."""
        raise NotImplementedError("override make() to return two of your brokers")

    @asynccontextmanager
    async def nodes(self, instance: str | None = None) -> AsyncIterator[tuple[Node, Node]]:
        """Two started nodes, of a new instance unless one is given."""
        instance = instance or _fresh()
        one, other = (Node(broker, Recorder()) for broker in await self.make())
        try:
            for node in (one, other):
                await node.broker.start(instance, node.heard, node.heard.reconnected)
            yield one, other
        finally:
            for node in (one, other):
                await node.broker.stop()

    async def assert_silent(self, publisher: Node, listener: Node) -> None:
        """Check that nothing arrives at the listener except what this publishes."""
        before = len(listener.heard.envelopes)
        mark = f"mark.{secrets.token_hex(8)}"
        await listener.broker.subscribe(mark)
        for _ in range(2):  # a second round trip, for what is still on its way
            await publisher.broker.publish([envelope(mark)])
            await self.until(listener, 1, mark)
        assert {heard.room for heard in listener.heard.envelopes[before:]} == {mark}
        await listener.broker.unsubscribe(mark)

    async def until(self, node: Node, count: int, room: str | None = None) -> list[Envelope]:
        """Wait until `count` envelopes have arrived at the node."""
        return await node.heard.until(count, room=room, within=self.patience)

    async def test_01_after_subscribe_has_returned_what_is_published_arrives(self) -> None:
        async with self.nodes() as (one, other):
            for n in range(20):
                await other.broker.subscribe(f"room.{n}")
                await one.broker.publish([envelope(f"room.{n}", n)])

            assert await self.until(other, 20)
            assert {heard.room: heard.seq for heard in other.heard.envelopes} == {
                f"room.{n}": n for n in range(20)
            }

    async def test_01_it_arrives_in_both_directions(self) -> None:
        async with self.nodes() as (one, other):
            for node in (one, other):
                await node.broker.subscribe("r")

            await one.broker.publish([envelope(seq=1)])
            await other.broker.publish([envelope(seq=2)])

            async with asyncio.timeout(self.patience):
                for node, seq in ((other, 1), (one, 2)):
                    while seq not in {heard.seq for heard in node.heard.envelopes}:
                        await self.until(node, len(node.heard.envelopes) + 1)

    async def test_01_a_batch_over_many_rooms_arrives_whole(self) -> None:
        async with self.nodes() as (one, other):
            rooms = [f"room.{n}" for n in range(100)]
            await asyncio.gather(*(other.broker.subscribe(room) for room in rooms))
            batch = [envelope(rooms[n % 100], n // 100 + 1, data=b'{"n":%d}' % n) for n in range(1000)]

            await one.broker.publish(batch)

            assert Counter(await self.until(other, 1000)) == Counter(batch)

    async def test_01_two_who_subscribe_at_once_both_hear(self) -> None:
        async with self.nodes() as (one, other):
            await asyncio.gather(*(node.broker.subscribe("r") for node in (one, other, one, other)))

            await one.broker.publish([envelope(seq=1)])
            await self.until(other, 1)
            await other.broker.publish([envelope(seq=2)])
            async with asyncio.timeout(self.patience):
                while 2 not in {heard.seq for heard in one.heard.envelopes}:
                    await self.until(one, len(one.heard.envelopes) + 1)

    async def test_01_subscribing_right_after_unsubscribing_hears(self) -> None:
        async with self.nodes() as (one, other):
            for n in range(1, 11):
                await other.broker.subscribe("r")
                await other.broker.unsubscribe("r")
                await other.broker.subscribe("r")
                await one.broker.publish([envelope(seq=n)])

                assert [heard.seq for heard in await self.until(other, n)] == list(range(1, n + 1))

    async def test_02_after_unsubscribe_has_returned_nothing_more_arrives(self) -> None:
        async with self.nodes() as (one, other):
            await other.broker.subscribe("r")
            await one.broker.publish([envelope(seq=1)])
            await self.until(other, 1)
            await other.broker.unsubscribe("r")

            await one.broker.publish([envelope(seq=2)])

            await self.assert_silent(one, other)

    async def test_02_subscribing_twice_is_subscribing_once(self) -> None:
        async with self.nodes() as (one, other):
            await other.broker.subscribe("r")
            await other.broker.subscribe("r")
            await one.broker.publish([envelope(seq=1)])
            await self.until(other, 1)
            await self.assert_silent(one, other)

            await other.broker.unsubscribe("r")
            await one.broker.publish([envelope(seq=2)])

            await self.assert_silent(one, other)

    async def test_02_unsubscribing_from_what_was_not_subscribed_does_nothing(self) -> None:
        async with self.nodes() as (one, other):
            await other.broker.unsubscribe("r")
            await other.broker.subscribe("r")
            await other.broker.unsubscribe("other")

            await one.broker.publish([envelope()])

            assert await self.until(other, 1)

    async def test_03_envelopes_of_rooms_that_were_not_subscribed_never_arrive(self) -> None:
        async with self.nodes() as (one, other):
            await other.broker.subscribe("r")

            await one.broker.publish([envelope(room) for room in ("R", "r.", "r:", "s", "rr")])

            await self.assert_silent(one, other)

    async def test_03_rooms_whose_ids_resemble_each_other_are_told_apart(self) -> None:
        async with self.nodes() as (one, other):
            for room in ROOMS:
                await other.broker.subscribe(room)
                await one.broker.publish([envelope(name, data=room.encode()) for name in ROOMS])
                await self.until(other, 1, room)
                await self.assert_silent(one, other)
                await other.broker.unsubscribe(room)

            heard = [
                (heard.room, heard.data.decode()) for heard in other.heard.envelopes if heard.data != b"{}"
            ]
            assert heard == [(room, room) for room in ROOMS]

    async def test_03_envelopes_of_another_instance_never_arrive(self) -> None:
        name = _fresh()
        # Names that meet where instance and room are simply glued together.
        async with self.nodes(name) as (one, _), self.nodes(f"{name}:a") as (other, publisher):
            for room in ("b", "a:b", "r"):
                await other.broker.subscribe(room)

            await one.broker.publish([envelope("a:b"), envelope("b"), envelope("r")])

            await self.assert_silent(publisher, other)

    async def test_04_a_broker_that_cannot_publish_raises_unavailable(self) -> None:
        one, other = await self.make()
        for broker in (one, other):
            await broker.start(_fresh(), Recorder(), _nothing)
            await broker.stop()

            try:
                async with asyncio.timeout(self.patience):
                    await broker.publish([envelope()])
            except Unavailable:
                continue
            raise AssertionError("it published though it was stopped")

    async def test_04_nothing_to_publish_is_nothing_to_fail(self) -> None:
        async with self.nodes() as (one, _):
            await one.broker.publish([])

    async def test_05_deliver_is_called_on_the_event_loop(self) -> None:
        loops: list[asyncio.AbstractEventLoop] = []
        async with self.listening(lambda _: loops.append(asyncio.get_running_loop())) as (one, heard):
            thread = threading.get_ident()

            await one.publish([envelope()])
            await heard.until(1, within=self.patience)

            assert loops == [asyncio.get_running_loop()]
            assert threading.get_ident() == thread

    async def test_05_what_deliver_raises_does_not_stop_the_broker(self) -> None:
        def fail(_: Envelope) -> None:
            raise RuntimeError("a listener that fails")

        async with self.listening(fail) as (one, heard):
            for seq in range(1, 6):
                await one.publish([envelope(seq=seq), envelope(seq=seq + 10)])

            await heard.until(10, within=self.patience)

    async def test_06_an_envelope_arrives_with_every_field_as_it_was_published(self) -> None:
        envelopes = [
            Envelope("r", "epoch", 1, "message", b'{"a":1}'),
            Envelope("r", "A-_z" * 16, 2**53 - 1, "ORDER_CREATED", "é 😀 \u2028".encode()),
            Envelope("r", "e", 0, "typing", b""),
            Envelope("r", "e", 2, "message", b'{"text":"\\u0000\\r\\n"}\r\n\x00'),
            Envelope("r", "e", 3, "message", b'{"text":"%s"}' % (b"x" * 300_000)),
        ]
        async with self.nodes() as (one, other):
            await other.broker.subscribe("r")

            for sent in envelopes:
                await one.broker.publish([sent])
            await one.broker.publish(envelopes)

            arrived = await self.until(other, 10)
            large = envelopes[-1]
            by_reference = replace(large, data=b"")
            assert Counter(large if heard == by_reference else heard for heard in arrived) == Counter(
                envelopes * 2
            )

    async def test_07_a_publisher_that_listens_disturbs_nobody(self) -> None:
        async with self.nodes() as (one, other):
            for node in (one, other):
                await node.broker.subscribe("r")

            await one.broker.publish([envelope(seq=1)])

            assert len(await self.until(other, 1)) == 1
            await self.assert_silent(one, other)
            assert {heard.seq for heard in one.heard.envelopes} <= {1}, "its own envelope, or nothing"

    async def test_08_only_what_is_published_under_the_same_key_arrives(self) -> None:
        async with self.nodes() as (one, other):
            if one.broker.scope is Scope.PROCESS:
                return  # whoever can speak there is this process
            for node, key in ((one, b"a key"), (other, b"another")):
                node.broker.rekey(key)
                await node.broker.subscribe("r")

            await one.broker.publish([envelope(seq=1), envelope(seq=0)])
            async with asyncio.timeout(self.patience):
                while not other.broker.forged:  # noqa: ASYNC110 - nobody tells of what is dropped
                    await asyncio.sleep(0.01)

            assert other.heard.envelopes == []
            other.broker.rekey(b"a key")
            await one.broker.publish([envelope(seq=2)])
            assert [heard.seq for heard in await self.until(other, 1)] == [2]

    async def test_a_running_broker_is_healthy(self) -> None:
        async with self.nodes() as (one, other):
            assert one.broker.healthy
            assert other.broker.healthy

    async def test_nothing_arrives_after_stop(self) -> None:
        async with self.nodes() as (one, other):
            await other.broker.subscribe("r")
            await other.broker.stop()

            await one.broker.publish([envelope()])
            await one.broker.subscribe("mark")
            await one.broker.publish([envelope("mark")])

            assert other.heard.envelopes == []

    async def test_stopping_again_or_before_the_start_does_nothing(self) -> None:
        for broker in await self.make():
            await broker.stop()
            await broker.start(_fresh(), Recorder(), _nothing)
            await broker.stop()
            await broker.stop()

    @asynccontextmanager
    async def listening(self, also: Deliver) -> AsyncIterator[tuple[Broker, Recorder]]:
        """A publisher, and what another node heard in room "r" before it called `also` for it."""
        heard = Recorder()

        def deliver(arrived: Envelope) -> None:
            heard(arrived)
            also(arrived)

        one, other = await self.make()
        instance = _fresh()
        try:
            await one.start(instance, Recorder(), _nothing)
            await other.start(instance, deliver, _nothing)
            await other.subscribe("r")
            yield one, heard
        finally:
            await one.stop()
            await other.stop()


def _fresh() -> str:
    return f"suite-{secrets.token_hex(8)}"


def _nothing() -> None:
    """For a reconnect that nobody wants to know of."""
