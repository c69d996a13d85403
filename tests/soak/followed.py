"""Code follows a room while its broker is killed twenty times: it gets every event once and in order, also from a saved position.

Three processes in one event loop share a store and a broker in a real server: one publishes, two follow. One loop goes through all
kills. One is left at each kill and begun again where it was. Of two loops of one name, each event reaches one.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass

from sanic_chatrooms import ChatRooms, Unavailable, connect
from sanic_chatrooms.brokers.base import Broker
from sanic_chatrooms.brokers.nats import NATSBroker
from sanic_chatrooms.brokers.postgres import PostgresBroker
from sanic_chatrooms.brokers.redis import RedisBroker
from sanic_chatrooms.support.ids import new_id
from tests.soak._talker import until
from tests.soak.runs import Progress, Verdict, main
from tests.support.nats import running as running_nats
from tests.support.postgres import PostgresServer
from tests.support.valkey import running as running_valkey

KILLS = 20
SHORT = 0.05
AT_LEAST = 20
"""Events between two kills."""
WITHIN = 90.0
ROOM = "orders"


@dataclass
class Killed:
    """A broker's server, and perhaps the store's."""

    kill: Callable[[], object]
    start: Callable[[], object]
    broker: Callable[[], Broker]
    store: str


@contextlib.contextmanager
def valkey(store: str) -> Iterator[Killed]:
    with running_valkey() as server:
        yield Killed(server.kill, server.start, lambda: RedisBroker(server.url), store)


@contextlib.contextmanager
def nats(store: str) -> Iterator[Killed]:
    with running_nats() as server:
        yield Killed(server.kill, server.start, lambda: NATSBroker(server.url), store)


@contextlib.contextmanager
def postgres(store: str) -> Iterator[Killed]:
    server = PostgresServer()
    try:
        server.start()
        yield Killed(server.kill, server.start, lambda: PostgresBroker(server.url()), store)
    finally:
        server.close()


@contextlib.contextmanager
def postgres_alone(store: str) -> Iterator[Killed]:
    with postgres(store) as killed:
        broker = killed.broker()
        assert isinstance(broker, PostgresBroker)
        killed.store = broker.server_url or store
        yield killed


@contextlib.contextmanager
def valkey_alone(_: str) -> Iterator[Killed]:
    with running_valkey(persistence="always") as server:
        yield Killed(server.kill, server.start, lambda: RedisBroker(server.url), server.url)


SYSTEMS = {
    "Valkey": valkey,
    "Valkey, also the store": valkey_alone,
    "NATS": nats,
    "PostgreSQL": postgres,
    "PostgreSQL, also the store": postgres_alone,
}
LONG_ONLY = ("Valkey, also the store", "PostgreSQL")


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict = Verdict()
    kills = max(1, round(KILLS * scale))
    systems = {name: system for name, system in SYSTEMS.items() if scale >= 0.2 or name not in LONG_ONLY}
    for number, (name, system) in enumerate(systems.items()):
        with tempfile.TemporaryDirectory() as folder, system(f"sqlite:///{folder}/chat.db") as killed:
            async with contextlib.AsyncExitStack() as stack:
                chats = [await stack.enter_async_context(process(killed)) for _ in range(3)]
                run = Run(name, chats, verdict)
                await run.begin()
                for n in range(kills):
                    await run.kill(killed)
                    progress((number + (n + 1) / kills) / len(systems), f"{name}: {n + 1} kills")
                await run.end(kills)
    return verdict


def process(killed: Killed) -> contextlib.AbstractAsyncContextManager[ChatRooms]:
    return connect(
        "soak", namespace="none", guests=True, store=killed.store, broker=killed.broker(), presence="memory:"
    )


class Loop:
    """A loop, and what it heard."""

    def __init__(self, heard: list[int]) -> None:
        self.heard = heard
        self.position: str | None = None
        self._task: asyncio.Task[None] | None = None

    def begin(self, chat: ChatRooms, once: str | None = None) -> None:
        self._task = asyncio.ensure_future(self._follow(chat, once))

    async def _follow(self, chat: ChatRooms, once: str | None) -> None:
        async with aclosing(chat.follow(ROOM, since=self.position, once=once)) as events:
            async for event in events:
                self.heard.append(event.payload["n"])
                self.position = chat.position(event)

    async def leave(self) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


class Run:
    """One system: a publisher, four loops, and what becomes of them."""

    def __init__(self, name: str, chats: list[ChatRooms], verdict: Verdict) -> None:
        self.name = name
        self.chats = chats
        self.verdict = verdict
        self.said = 0
        self.stays, self.returns = Loop([]), Loop([])
        heard: list[int] = []
        self.named = [Loop(heard), Loop(heard)]
        self._talking: asyncio.Task[None] | None = None
        self._enough = False

    async def begin(self) -> None:
        room = await self.chats[0].create_room(ROOM)
        for loop in (self.stays, self.returns, *self.named):
            loop.position = f"{room.epoch}:0"
        self.stays.begin(self.chats[1])
        self.returns.begin(self.chats[2])
        for loop, chat in zip(self.named, self.chats[1:], strict=True):
            loop.begin(chat, once="soak")
        self._talking = asyncio.ensure_future(self._talk())

    async def _talk(self) -> None:
        while not self._enough:
            key = new_id()
            while not await self._stored(key):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            self.said += 1
            await asyncio.sleep(0.002)

    async def _stored(self, key: str) -> bool:
        with contextlib.suppress(Unavailable):
            await self.chats[0].publish(ROOM, "ORDER", {"n": self.said + 1}, key=key)
            return True
        return False

    async def kill(self, killed: Killed) -> None:
        await self._more("before the kill")
        await asyncio.to_thread(killed.kill)
        await self.returns.leave()
        if killed.store.startswith("sqlite"):
            await self._more("while the broker is away", heard=False)
        self.returns.begin(self.chats[2])
        await asyncio.to_thread(killed.start)
        await self._more("after the kill")

    async def _more(self, when: str, *, heard: bool = True) -> None:
        """So much more is said, and heard by all."""
        enough = self.said + AT_LEAST
        lists = (self.stays.heard, self.returns.heard, self.named[0].heard) if heard else ()
        if not await until(lambda: self.said >= enough and all(len(one) >= enough for one in lists), WITHIN):
            self.verdict.wrong.append(
                f"{self.name}: {when}: {self.said - enough + AT_LEAST} said, heard {[len(one) for one in lists]}"
            )

    async def end(self, kills: int) -> None:
        assert self._talking is not None
        self._enough = True
        await self._talking
        head = await self.chats[0].room(ROOM)
        assert head is not None
        lists = {"stays": self.stays.heard, "returns": self.returns.heard, "once": self.named[0].heard}
        await until(lambda: all(len(heard) >= head.seq for heard in lists.values()), WITHIN)
        for loop in (self.stays, self.returns, *self.named):
            await loop.leave()
        for what, heard in lists.items():
            if heard != list(range(1, head.seq + 1)):
                self.verdict.wrong.append(f"{self.name}: {what}: {flaws(heard, head.seq)}")
        self.verdict.figures[self.name] = f"{kills} kills, {head.seq:,} events, each once and in order"


def flaws(heard: list[int], last: int) -> str:
    missing = sorted(set(range(1, last + 1)) - set(heard))
    doubled = len(heard) - len(set(heard))
    return f"of {last} events {len(missing)} missing {missing[:5]}, {doubled} doubled, in order: {heard == sorted(heard)}"


if __name__ == "__main__":
    main(soak)
