"""Tests of recovery over your store: after `join` with `since`, a client has everything, or knows of a gap.

    from sanic_chatrooms.testing import RecoverySuite
    from mystore import MyStore

    class TestRecoveryOverMyStore(RecoverySuite):
        async def make(self) -> MyStore:
            return MyStore("mystore://localhost")

The hooks are those of `StoreSuite`. Everything from the session inwards runs as in production; the broker is in memory.
"""

# ruff: noqa: D102 - a test's name is its sentence

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any, NamedTuple

from ..brokers.memory import MemoryBroker
from ..chat import Chat
from ..config.backends import Backends
from ..models import PRIVATE, User
from ..presence.memory import MemoryPresence
from ..stores.base import Store
from ..verbs.drafts import draft
from ..verbs.entering import RECOVERY_BYTES
from ..verbs.rooms import create, delete
from ..web.chatrooms import ChatRooms
from ._store.hooks import StoreHooks
from .checker import Checker
from .connections import chat_client, running_core

__all__ = ["RecoverySuite"]

WHO = User("u1", "Ada")
STRANGER = User("u2", "Bob")
Ack = dict[str, Any]
Settings = Mapping[str, Any]


class Case(NamedTuple):
    """A room of `stored` events, in which somebody comes back from number `since`."""

    stored: int
    since: int
    recovered: list[int] | None
    """The numbers that they get, or None: they start afresh."""
    settings: Settings = MappingProxyType({})


SMALL: Settings = {"history_max": 10}
SHORT: Settings = {"recovery_limit": 5}
TABLE = {
    "an empty room, from its start": Case(0, 0, []),
    "from a position": Case(10, 8, [9, 10]),
    "from the head": Case(7, 7, []),
    "from the start": Case(4, 0, [1, 2, 3, 4]),
    "not there yet": Case(20, 108, None),
    "one not there yet": Case(20, 21, None),
    "not there yet in an empty room": Case(0, 1, None),
    "trimmed": Case(20, 8, None, SMALL),
    "one trimmed": Case(20, 9, None, SMALL),
    "the last that is not trimmed": Case(20, 10, list(range(11, 21)), SMALL),
    "the head of a trimmed room": Case(20, 20, [], SMALL),
    "one too many": Case(10, 4, None, SHORT),
    "as many as may be": Case(10, 5, [6, 7, 8, 9, 10], SHORT),
    "one too many by default": Case(501, 0, None),
    "as many as may be by default": Case(500, 0, list(range(1, 501))),
}


class RecoverySuite(StoreHooks):
    """Tests of recoveries over a store. Derive a test class from it and implement `make`."""

    async def test_everything_that_was_missed_or_nothing(self) -> None:
        for name, case in TABLE.items():
            async with self.chat(**case.settings) as chat:
                await self.say(chat.backends.store, case.stored)

                ack = await self.come_back(chat, case.since)

                assert _numbers(ack) == case.recovered, name
                assert ack["seq"] == case.stored, name

    async def test_from_every_position_everything_or_nothing(self) -> None:
        async with self.chat(**SMALL, recovery_limit=7) as chat:
            await self.say(chat.backends.store, 25)

            for since in range(28):
                whole = list(range(since + 1, 26)) if 18 <= since <= 25 else None
                assert _numbers(await self.come_back(chat, since)) == whole, since

    async def test_expired(self) -> None:
        async with self.chat(retention=1) as chat:
            await self.say(chat.backends.store, 10)
            await self.pass_time(1.5)

            assert _numbers(await self.come_back(chat, 8)) is None
            assert _numbers(await self.come_back(chat, 10)) == []

    async def test_expired_in_part(self) -> None:
        async with self.chat(retention=1) as chat:
            await self.say(chat.backends.store, 5)
            await self.pass_time(1.5)
            await self.say(chat.backends.store, 5)

            assert _numbers(await self.come_back(chat, 4)) is None
            assert _numbers(await self.come_back(chat, 5)) == [6, 7, 8, 9, 10]

    async def test_another_epoch(self) -> None:
        async with self.chat() as chat:
            await self.say(chat.backends.store, 10)

            for since in (0, 8, 10):
                assert _numbers(await self.come_back(chat, since, epoch="another")) is None

    async def test_an_epoch_that_was_renewed(self) -> None:
        async with self.chat() as chat:
            await self.say(chat.backends.store, 10)
            old = await self.epoch(chat)
            new = (await chat.backends.store.renew_epoch("r", old)).epoch

            assert _numbers(await self.come_back(chat, 8, epoch=old)) is None
            assert _numbers(await self.come_back(chat, 8, epoch=new)) == [9, 10]

    async def test_a_room_that_was_made_again(self) -> None:
        async with self.chat() as chat:
            await self.say(chat.backends.store, 10)
            old = await self.epoch(chat)
            await delete(chat.core, "r")
            await self.create(chat.backends.store, "r")
            await self.say(chat.backends.store, 10)

            assert _numbers(await self.come_back(chat, 8, epoch=old)) is None

    async def test_a_server_that_started_again_has_everything_or_another_epoch(self) -> None:
        store, rooms = await self.make(), _rooms()
        async with self.chat(store=store, rooms=rooms) as chat:
            await self.say(store, 10)
            old = await self.epoch(chat)

        async with self.chat(store=store, rooms=rooms, made=True) as chat:
            ack = await self.come_back(chat, 8, epoch=old)

            assert _numbers(ack) == ([9, 10] if ack["epoch"] == old else None)

    async def test_too_many_bytes(self) -> None:
        async with self.chat() as chat:
            count = RECOVERY_BYTES // 60_000 + 1
            await chat.backends.store.append([self.draft("r", "x" * 60_000) for _ in range(count)])

            assert _numbers(await self.come_back(chat, 0)) is None
            assert _numbers(await self.come_back(chat, 1)) == list(range(2, count + 1))

    async def test_what_no_timeline_shows_is_recovered_too(self) -> None:
        async with self.chat() as chat:
            await self.say(chat.backends.store, 2)
            await self.say(chat.backends.store, 2, type="member.joined")
            await self.say(chat.backends.store, 1, type="poll.opened")

            ack = await self.come_back(chat, 1)

            assert [event["type"] for event in ack["messages"]] == [
                "message",
                "member.joined",
                "member.joined",
                "poll.opened",
            ]

    async def test_who_is_not_recovered_gets_the_newest_page_and_hears_that_there_is_more(self) -> None:
        async with self.chat(**SHORT) as chat:
            await self.say(chat.backends.store, 10)

            ack = await self.come_back(chat, 1, history=3)

            assert (ack["recovered"], ack["more"]) == (False, True)
            assert [event["seq"] for event in ack["messages"]] == [8, 9, 10]

    async def test_who_may_not_join_any_more_recovers_nothing(self) -> None:
        async with self.chat() as chat:
            await create(chat.core, None, "secret", visibility=PRIVATE)
            await self.say(chat.backends.store, 10, room="secret")
            since = {"epoch": await self.epoch(chat, "secret"), "seq": 8}
            client = await chat_client(chat, STRANGER)

            error = await client.error("join", room="secret", payload={"since": since})

            assert error["code"] == "room_not_found"

    async def test_recovery_during_traffic_leaves_neither_hole_nor_double(self) -> None:
        checker = Checker()
        async with self.chat() as chat:
            witness = checker.witness("ada", user=WHO.id)
            talking = asyncio.ensure_future(_talk(chat))
            for _ in range(20):
                since = witness.since("r")
                client = await chat_client(chat, WHO, witness=witness)
                await client.ack("join", room="r", payload={"since": since} if since else {})
                await client.expect("message")
                client.disconnect()
                await _say(chat)
            talking.cancel()
            await asyncio.gather(talking, return_exceptions=True)
            await checker.read(chat.backends.store, "r")

        assert checker.flaws() + checker.gaps() == []
        assert witness.replays >= 19

    # ---- hooks and help ----

    @asynccontextmanager
    async def chat(
        self,
        *,
        store: Store | None = None,
        rooms: ChatRooms | None = None,
        made: bool = False,
        **settings: Any,
    ) -> AsyncIterator[Chat]:
        """A chat over a store of yours, with the public room "r" in it (`made`: there already, if the store kept it)."""
        backends = Backends(store or await self.make(), MemoryBroker(), MemoryPresence())
        async with running_core(rooms or _rooms(), backends=backends, guests=True, **settings) as chat:
            if not made or await chat.backends.store.room("r") is None:
                await self.create(chat.backends.store, "r")
            yield chat

    async def epoch(self, chat: Chat, room: str = "r") -> str:
        """The room's epoch."""
        return (await chat.backends.store.heads([room]))[room].epoch

    async def come_back(self, chat: Chat, since: int, *, epoch: str | None = None, history: int = 0) -> Ack:
        """Join on a new connection, with everything up to number `since`; the ack."""
        client = await chat_client(chat, WHO)
        position = {"epoch": epoch or await self.epoch(chat), "seq": since}
        ack: Ack = await client.ack("join", room="r", payload={"since": position, "history": history})
        client.disconnect()
        return ack


def _numbers(ack: Ack) -> list[int] | None:
    return [event["seq"] for event in ack["messages"]] if ack["recovered"] else None


def _rooms() -> ChatRooms:
    return ChatRooms(f"suite_{secrets.token_hex(8)}")


async def _talk(chat: Chat) -> None:
    while True:
        await _say(chat)
        await asyncio.sleep(0.001)


async def _say(chat: Chat) -> None:
    await chat.journal.append(draft("r", "message", b'{"text":"hi"}', None))
