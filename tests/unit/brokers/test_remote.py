"""Tests for `sanic_chatrooms.brokers.remote`: what brokers in a server of their own have in common."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import aclosing

import pytest

from sanic_chatrooms.brokers import remote
from sanic_chatrooms.brokers.codec import Entry, by_room, in_room
from sanic_chatrooms.brokers.remote import RemoteBroker
from sanic_chatrooms.errors import ConfigError, Unavailable
from sanic_chatrooms.models import Envelope
from sanic_chatrooms.testing import Recorder
from tests.support.brokers import holds

MESSAGE = Envelope("r", "epoch", 1, "message", b"{}")


class Server:
    """In this process: it passes packets to every connection, and can be away."""

    def __init__(self) -> None:
        self.away = False
        self.connections: list[TinyBroker] = []


class TinyBroker(RemoteBroker[Entry]):
    logger = logging.getLogger("tiny")

    def __init__(self, server: Server) -> None:
        super().__init__(Entry)
        self.server = server
        self.closed = False

    async def _open(self, instance: str) -> None:
        await self._resubscribe()

    async def _close(self) -> None:
        self.closed = True

    async def _resubscribe(self) -> None:
        if self.server.away:
            raise Unavailable
        self.server.connections.append(self)

    async def _probe(self) -> None:
        if self.server.away:
            self._give_up()

    def _give_up(self) -> None:
        if self in self.server.connections:
            self.server.connections.remove(self)
        self._disconnected()

    async def subscribe(self, room: str) -> None: ...

    async def unsubscribe(self, room: str) -> None: ...

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        for room, entries in by_room(envelopes).items():
            packet = self._packer.pack(room, entries)
            for connection in list(self.server.connections):
                connection.take(room, packet)

    def take(self, room: str, packet: bytes) -> None:
        self._receive(room, self._unpacked, packet)

    def _unpacked(self, room: str, packet: bytes) -> list[Envelope]:
        return in_room(room, self._packer.unpack(room, packet))


class Scene:
    def __init__(self) -> None:
        self.server, self.heard = Server(), Recorder()
        self.one, self.other = TinyBroker(self.server), TinyBroker(self.server)

    async def start(self) -> None:
        await self.one.start("test", Recorder(), lambda: None)
        await self.other.start("test", self.heard, self.heard.reconnected)

    async def aclose(self) -> None:
        await self.one.stop()
        await self.other.stop()


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(remote, "PROBE", 0.001)
    return Scene()


async def test_started_twice_is_refused_and_says_what_to_do(scene: Scene) -> None:
    async with aclosing(scene):
        await scene.start()

        with pytest.raises(ConfigError, match="this TinyBroker is started already; make one per app"):
            await scene.one.start("test", Recorder(), lambda: None)


async def test_a_start_that_fails_leaves_nothing_and_can_be_repeated(scene: Scene) -> None:
    scene.server.away = True
    with pytest.raises(Unavailable):
        await scene.one.start("test", Recorder(), lambda: None)
    assert scene.one.closed
    assert not scene.one.healthy

    scene.server.away = False
    async with aclosing(scene):
        await scene.start()
        assert scene.one.healthy


async def test_what_deliver_raises_is_logged_and_the_next_envelope_is_delivered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen: list[int] = []

    def deliver(envelope: Envelope) -> None:
        seen.append(envelope.seq)
        raise RuntimeError("no")

    server = Server()
    one, other = TinyBroker(server), TinyBroker(server)
    await one.start("test", Recorder(), lambda: None)
    await other.start("test", deliver, lambda: None)

    await one.publish([MESSAGE, MESSAGE])
    await one.stop()
    await other.stop()

    assert seen == [1, 1]
    assert caplog.text.count("could not be delivered") == 2


async def test_packets_without_a_signature_are_counted_and_logged_once_a_minute(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    async with aclosing(scene):
        await scene.start()

        for _ in range(3):
            scene.other.take("r", b"forged")
        await scene.one.publish([MESSAGE])

        assert (scene.other.dropped, scene.other.forged) == (3, 3)
        assert scene.heard.envelopes == [MESSAGE]
        assert caplog.text.count("dropped a packet for r") == 1


async def test_a_broker_is_healthy_while_it_is_connected_and_says_when_it_is_again(scene: Scene) -> None:
    async with aclosing(scene):
        await scene.start()
        scene.server.away = True
        await holds(lambda: not scene.other.healthy)

        scene.server.away = False
        await holds(lambda: scene.other.healthy)

        assert scene.heard.reconnects == 1
        await scene.one.publish([MESSAGE])
        assert scene.heard.envelopes == [MESSAGE]


async def test_a_connection_that_is_lost_again_while_it_is_made_is_made_once_more(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with aclosing(scene):
        await scene.start()
        resubscribe, tries = TinyBroker._resubscribe, []

        async def lost_once(self: TinyBroker) -> None:
            await resubscribe(self)
            tries.append(self)
            if len(tries) == 1:
                self._give_up()

        monkeypatch.setattr(TinyBroker, "_resubscribe", lost_once)
        scene.other._give_up()
        await holds(lambda: scene.other.healthy)

        assert len(tries) == 2
        assert scene.heard.reconnects == 1


async def test_nothing_is_delivered_after_the_end(scene: Scene) -> None:
    async with aclosing(scene):
        await scene.start()
        await scene.other.stop()

        scene.other.take("r", scene.one._packer.pack("r", by_room([MESSAGE])["r"]))

        assert scene.heard.envelopes == []
        assert scene.other.closed
