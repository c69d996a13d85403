"""Who reaches the broker's server and does not know the store's secret cannot speak for the chat, on any broker."""

from __future__ import annotations

import contextlib
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sanic_chatrooms import User
from sanic_chatrooms.brokers.postgres import PostgresBroker
from sanic_chatrooms.brokers.redis import RedisBroker
from sanic_chatrooms.config.backends import Backends
from sanic_chatrooms.models import Envelope
from sanic_chatrooms.presence.memory import MemoryBoard, MemoryPresence
from sanic_chatrooms.sessions import signed as signed_module
from sanic_chatrooms.stores.memory.store import MemoryStore
from sanic_chatrooms.testing import Recorder, chat_client, running_chat
from tests.support.brokers import arrived, envelope, holds, started
from tests.support.on_redis import draft, store_at
from tests.support.systems import System
from tests.support.valkey import ValkeyServer

LIVE = Envelope("r", "", 0, "notice", b'{"type":"notice","room":"r"}')


@contextlib.asynccontextmanager
async def heard_by(
    system: System, key: bytes = b"key"
) -> AsyncIterator[tuple[Any, Any, Recorder, list[Any]]]:
    """A publisher, a hearer with what it heard in r and s, and what travelled."""
    one, other, spy = system.make(), system.make(), system.make()
    for broker in (one, other):
        broker.rekey(key)
    async with started(one, other) as (_, heard):
        try:
            for room in ("r", "s"):
                await other.subscribe(room)
            yield one, other, heard, await system.tap(spy, "r", "s")
        finally:
            await spy.stop()


async def recorded(pieces: list[Any]) -> Any:
    await holds(lambda: bool(pieces))
    return pieces[-1]


async def nothing_more(one: Any, heard: Recorder, count: int) -> None:
    """What is published now arrives, once or more often, and nothing else arrived before it."""
    await arrived(one, heard, 999)
    assert len([envelope for envelope in heard.envelopes if envelope.seq != 999]) == count


async def test_what_is_signed_by_another_key_is_dropped(broker_system: System) -> None:
    async with heard_by(broker_system) as (one, other, heard, _):
        async with heard_by(broker_system, b"guessed") as (stranger, *_):
            await stranger.publish([envelope(1), LIVE])

            await nothing_more(one, heard, 0)

        assert other.forged >= 1
        assert other.dropped >= other.forged


async def test_what_was_recorded_is_heard_once(broker_system: System) -> None:
    async with heard_by(broker_system) as (one, other, heard, pieces):
        await one.publish([LIVE, envelope(1)])
        piece = await recorded(pieces)
        await heard.until(2)

        for _ in range(3):
            await broker_system.inject(other, "r", piece)

        await nothing_more(one, heard, 2)
        assert other.forged == 0


async def test_what_was_recorded_in_another_room_is_dropped(broker_system: System) -> None:
    if broker_system.kind is PostgresBroker:
        return  # all rooms share a channel: the room is in what is signed
    async with heard_by(broker_system) as (one, other, heard, pieces):
        await one.publish([envelope(1)])
        piece = await recorded(pieces)
        await heard.until(1)

        await broker_system.inject(other, "s", piece)

        await nothing_more(one, heard, 1)
        assert other.forged == 1


async def test_what_was_recorded_in_another_instance_is_dropped(broker_system: System) -> None:
    another = broker_system.make()
    another.rekey(b"key")
    found = Recorder()
    async with heard_by(broker_system) as (one, _, _, pieces):
        await another.start("another", found, found.reconnected)
        try:
            await another.subscribe("r")
            await one.publish([envelope(1)])
            await broker_system.inject(another, "r", await recorded(pieces))
            await holds(lambda: another.forged == 1)
            assert found.envelopes == []
        finally:
            await another.stop()


async def test_what_was_recorded_under_the_old_key_is_dropped(broker_system: System) -> None:
    async with heard_by(broker_system) as (one, other, heard, pieces):
        other.rekey(b"nobody's")
        await one.publish([envelope(1)])
        piece = await recorded(pieces)
        await holds(lambda: other.forged == 1)
        for broker in (one, other):
            broker.rekey(b"new")
        await broker_system.inject(other, "r", piece)

        await nothing_more(one, heard, 0)
        assert other.forged == 2


async def test_what_was_changed_on_its_way_is_dropped(broker_system: System) -> None:
    async with heard_by(broker_system) as (one, other, heard, pieces):
        other.rekey(b"nobody's")
        await one.publish([envelope(1)])
        piece = await recorded(pieces)
        await holds(lambda: other.forged == 1)
        other.rekey(b"key")
        raw = b64decode(piece) if isinstance(piece, str) else piece

        for place in range(len(raw)):
            changed = bytearray(raw)
            changed[place] ^= 1
            await broker_system.inject(
                other, "r", b64encode(changed).decode() if isinstance(piece, str) else bytes(changed)
            )

        await nothing_more(one, heard, 0)
        await holds(lambda: other.forged == 1 + len(raw))


async def test_a_large_live_event_is_heard_once_though_it_comes_in_parts(broker_system: System) -> None:
    large = Envelope("r", "", 0, "notice", b"x" * 20_000)
    async with heard_by(broker_system) as (one, other, heard, pieces):
        await one.publish([large])
        assert await heard.until(1) == [large]

        for piece in list(pieces):
            await broker_system.inject(other, "r", piece)

        await nothing_more(one, heard, 1)


async def test_a_piece_whose_reading_fails_in_a_new_way_is_dropped_and_the_next_one_heard(
    broker_system: System, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with heard_by(broker_system) as (one, other, heard, _):
        unpack, problems = other._packer.unpack, [LookupError("nobody thought of it")]

        def fail_once(*about: Any) -> Any:
            if problems:
                raise problems.pop()
            return unpack(*about)

        monkeypatch.setattr(other._packer, "unpack", fail_once)
        await one.publish([envelope(1)])
        await holds(lambda: other.dropped == 1)

        await nothing_more(one, heard, 0)
        assert heard.reconnects == 0
        assert "LookupError" in caplog.text


# ---- the whole ----


@contextlib.asynccontextmanager
async def workers(system: System, store: MemoryStore) -> AsyncIterator[list[Any]]:
    board = MemoryBoard()
    async with contextlib.AsyncExitStack() as stack:
        instances = [
            await stack.enter_async_context(
                running_chat(
                    guests=True,
                    position_check=3600,
                    backends=Backends(store, system.make(), MemoryPresence(board)),
                )
            )
            for _ in range(2)
        ]
        yield [instance.running() for instance in instances]


async def test_a_forged_number_does_not_swallow_the_real_event(broker_system: System) -> None:
    async with workers(broker_system, MemoryStore()) as (here, there):
        ada, bob = [
            await chat_client(chat, User(name, name)) for chat, name in ((here, "ada"), (there, "bob"))
        ]
        for client in (ada, bob):
            await client.ack("join", room="general")
        stranger = broker_system.make()
        await stranger.start(there.settings.instance, lambda _: None, lambda: None)
        try:
            epoch = there.hub.room("general").head.epoch
            data = b'{"msgId":"x","timestamp":1.5,"type":"message","payload":{"text":"forged"},"room":"general","seq":1}'
            await stranger.publish([Envelope("general", epoch, 1, "message", data)])
            await holds(lambda: there.backends.broker.forged == 1)
        finally:
            await stranger.stop()

        await ada.ack("message", room="general", payload={"text": "real"})

        assert (await bob.expect("message"))["payload"]["text"] == "real"
        assert not bob.unread("reset")


async def test_another_secret_in_the_store_is_found_by_all_workers(
    broker_system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signed_module, "SUSPECT_EVERY", 0.0)
    monkeypatch.setattr("sanic_chatrooms.upkeep.SWEEP", 0.01)
    store = MemoryStore()
    async with workers(broker_system, store) as (here, there):
        ada, bob = [
            await chat_client(chat, User(name, name)) for chat, name in ((here, "ada"), (there, "bob"))
        ]
        for client in (ada, bob):
            await client.ack("join", room="general")
        store._secrets["broker"] = "the store was lost, and has made another"
        first = here.signed._key
        here.signed._due = 0.0
        await holds(lambda: here.signed._key != first)

        await ada.ack("message", room="general", payload={"text": "one"})

        assert (await bob.expect("message"))["payload"]["text"] == "one", (
            "found in the store: it was not understood"
        )
        await holds(lambda: here.signed._key == there.signed._key)
        here.journal.publish(Envelope("general", "", 0, "notice", b'{"type":"notice","room":"general"}'))
        await bob.expect("notice")


async def test_what_a_store_rings_by_itself_is_signed_for_its_room(mortal_valkey: ValkeyServer) -> None:
    system = System(RedisBroker, mortal_valkey.url, mortal_valkey)
    mortal_valkey.ask("FLUSHALL")
    async with store_at(system.url, "r") as store, heard_by(system) as (one, other, heard, pieces):
        store.publishes_as = one.publisher
        for number, key in enumerate((b"guessed", b"key"), start=1):
            store.publish_key = key
            await store.append([draft(str(number))])
            await holds(lambda number=number: len(pieces) == number)  # type: ignore[misc]

        assert [found.seq for found in await heard.until(1)] == [2]
        assert other.forged == 1
        piece = pieces[1]
        for room, changed in (
            ("s", piece),
            ("r", piece.replace(b'"seq":2', b'"seq":3')),
            ("r", b"#" + piece),
        ):
            await system.inject(other, room, changed)
        await nothing_more(one, heard, 1)
        assert other.forged == 4
