"""python -m benchmarks.signing: what do signatures on envelopes cost? Signed and unsigned messages take turns, in one process.

A message goes from a WebSocket of one worker to a WebSocket of another, through the workers' broker. Its cost is the
processor time of all that takes part: both workers and both clients, which are one process, and the broker's server. What a
signature adds is timed where it is made and verified, in the midst of all that, and is compared with the cost of a message.
The exit status is 1 where it is more than 3 %. Two minutes.
"""

import argparse
import contextlib
import hashlib
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from statistics import quantiles
from typing import Any

import msgspec
import uvloop

from sanic_chatrooms.brokers.base import Broker
from sanic_chatrooms.brokers.codec import Packer
from sanic_chatrooms.brokers.nats import NATSBroker
from sanic_chatrooms.brokers.postgres import PostgresBroker
from sanic_chatrooms.brokers.redis import RedisBroker
from sanic_chatrooms.drivers.redis.cluster import Call
from sanic_chatrooms.drivers.redis.server import Script
from sanic_chatrooms.models import Draft
from sanic_chatrooms.presence.memory import MemoryBoard, MemoryPresence
from sanic_chatrooms.stores.base import Store
from sanic_chatrooms.stores.memory.store import MemoryStore
from sanic_chatrooms.stores.redis.scripts import APPEND
from sanic_chatrooms.stores.redis.store import RedisStore
from sanic_chatrooms.support.signature import SCRIPT_BODY, Signer
from tests.support.nats import running as running_nats
from tests.support.postgres import PostgresServer
from tests.support.raw import Raw
from tests.support.server import LiveServer, new_app, serve
from tests.support.valkey import running as running_valkey
from tests.support.wire import SECRET, mount, token

__all__ = ["MOST", "SYSTEMS", "Costs", "measure"]

MOST = 0.03
"""What a signature may add to the cost of a message that crosses workers, as a part of it."""
MESSAGES = 10
"""Messages in a turn: so few that what else the machine does hits signed and unsigned ones alike."""
ROOM = "general"
BODY = {"text": "x" * 140}

_SIGNING = "redis.sha1hex(ARGV[13] .. redis.sha1hex(ARGV[12] .. channel .. '\\n' .. body))"
_BLANK = "x" * 40


class Costs(msgspec.Struct):
    """Microseconds of one run."""

    message: list[float]
    """Processor time per message, turn by turn."""
    steps: list[tuple[float, float]]
    """Of each step that signs or verifies: how long it takes unsigned, and signed; lower quartiles."""

    @property
    def added(self) -> float:
        """What a signature adds to a message."""
        return sum(signed - unsigned for unsigned, signed in self.steps)

    @property
    def base(self) -> float:
        """What a message costs. What else the machine does only adds to a time, so all of them are lower quartiles."""
        return _lower(self.message)

    @property
    def ratio(self) -> float:
        """What a signature adds, as a part of what a message costs."""
        return self.added / self.base

    def line(self) -> str:
        """In words."""
        return f"{self.base:.0f} µs a message, {self.added:+.1f} µs of it for the signature: {self.ratio:.1%}"


def _lower(values: list[float]) -> float:
    return quantiles(values, n=4)[0]


class _Step:
    """One step of a message's way, timed with and without signatures."""

    def __init__(self) -> None:
        self.took: dict[bool, list[float]] = {True: [], False: []}

    def timed(self, step: Callable[..., Any], signed: Callable[[], bool]) -> Callable[..., Any]:
        """The same step, with its time noted."""

        def call(*arguments: Any) -> Any:
            began = time.perf_counter_ns()
            result = step(*arguments)
            self.took[signed()].append((time.perf_counter_ns() - began) / 1000)
            return result

        return call

    @property
    def typical(self) -> list[tuple[float, float]]:
        """Unsigned and signed; nothing if it was never taken."""
        if not all(self.took.values()):
            return []
        return [(_lower(self.took[False]), _lower(self.took[True]))]


# ---- without signatures ----


class _Unsigned(Signer):
    """Leaves out all that signatures need."""

    def sign(self, place: str, body: bytes) -> bytes:
        return body

    def verify(self, place: str, packet: bytes) -> bytes:
        return packet

    def verify_script(self, channel: bytes, packet: bytes) -> bytes:
        return packet[SCRIPT_BODY:]


class _UnsignedPacker(Packer[Any]):
    """Numbers are there for signed packets that somebody recorded: without signatures nobody looks at them."""

    def unpack(self, place: str, packet: bytes) -> Sequence[Any]:
        packed = self._decode(packet)
        return () if packed.publisher == self._publisher else packed.entries


class _UnsignedScript(Script):
    """Publishes the same bytes, with blanks for the signature."""

    def __init__(self) -> None:
        self.text = APPEND.script.text.replace(_SIGNING, f"'{_BLANK}'")
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()
        assert self.sha != APPEND.script.sha


class _SwitchedStore(RedisStore):
    """Signs in its script, or does not."""

    signed = True

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._unsigned = _UnsignedScript()
        self._link._opener.scripts = (*self._link._opener.scripts, self._unsigned)

    def _append_call(self, room: str, epoch: str, drafts: Sequence[Draft]) -> Call:
        call = super()._append_call(room, epoch, drafts)
        return call if self.signed else call._replace(script=self._unsigned)


class _Worker:
    """A chat's backends, which sign or do not: `switch` between two messages."""

    def __init__(self, store: Store, broker: Any, board: MemoryBoard) -> None:
        self.backends = {"store": store, "broker": broker, "presence": MemoryPresence(board)}
        self.signed = True
        self.steps = [_Step(), _Step()]
        self._store, self._broker = store, broker

    def started(self) -> None:
        """Its broker has what it signs with."""
        broker, unsigned, (pack, unpack) = self._broker, _Unsigned(), self.steps
        packer = _UnsignedPacker(unsigned, broker._packer._publisher, broker._entry)
        self._kinds = {True: (broker._signer, broker._packer), False: (unsigned, packer)}
        for _, each in self._kinds.values():
            each.pack = pack.timed(each.pack, lambda: self.signed)
        broker._unpacked = unpack.timed(broker._unpacked, lambda: self.signed)

    def switch(self, signed: bool) -> None:
        self.signed = signed
        self._broker._signer, self._broker._packer = self._kinds[signed]
        if isinstance(self._store, _SwitchedStore):
            self._store.signed = signed


# ---- the systems ----


class System(msgspec.Struct):
    """A server, by the id of its process, and one more worker on it."""

    server: int
    worker: Callable[[], _Worker]
    signs: bool = False
    """The server signs, too."""

    def costs(self) -> tuple[float, float]:
        """Microseconds of processor time so far: of the workers and clients, and of the server."""
        return time.process_time() * 1e6, sum(map(_spent, [self.server, *_children(self.server)]))


def _spent(process: int) -> float:
    # Unlike the figures in `stat`, these are not in hundredths of a second.
    spent = 0
    for thread in Path(f"/proc/{process}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):  # it has ended
            spent += int(thread.read_text().split()[0])
    return spent / 1000


def _children(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def _with_broker(server: Any, make: Callable[[], Broker]) -> System:
    store, board = MemoryStore(), MemoryBoard()
    return System(server.pid, lambda: _Worker(store, make(), board))


@contextlib.contextmanager
def _redis() -> Iterator[System]:
    with running_valkey() as server:
        yield _with_broker(server.process, lambda: RedisBroker(server.url))


@contextlib.contextmanager
def _valkey_by_script() -> Iterator[System]:
    with running_valkey() as server:
        board = MemoryBoard()

        def worker() -> _Worker:
            store, broker = _SwitchedStore(server.url), RedisBroker(server.url)
            store.publishes_as = broker.publisher
            return _Worker(store, broker, board)

        assert server.process is not None
        yield System(server.process.pid, worker, signs=True)


@contextlib.contextmanager
def _nats() -> Iterator[System]:
    with running_nats() as server:
        yield _with_broker(server.process, lambda: NATSBroker(server.url))


@contextlib.contextmanager
def _postgres() -> Iterator[System]:
    server = PostgresServer()
    try:
        server.start()
        yield _with_broker(server._process, lambda: PostgresBroker(server.url()))
    finally:
        server.close()


SYSTEMS: dict[str, Callable[[], contextlib.AbstractContextManager[System]]] = {
    "redis": _redis,
    "valkey-script": _valkey_by_script,
    "nats": _nats,
    "postgresql": _postgres,
}


# ---- measuring ----


class _Client:
    """A WebSocket that reads no more than it must."""

    def __init__(self, raw: Raw) -> None:
        self._raw = raw
        self._number = 0

    @classmethod
    async def joined(cls, server: LiveServer, user: str) -> "_Client":
        """One that has joined the room."""
        raw = await Raw.open(server, token=token(user))
        await raw.expect("welcome")
        await raw.say("join", room=ROOM, msgId=f"{user}-joins-the-room")
        await raw.expect("ack")
        return cls(raw)

    async def close(self) -> None:
        await self._raw.close()

    async def say(self) -> None:
        self._number += 1
        await self._raw.say("message", room=ROOM, msgId=f"m{self._number:016}", payload=BODY)

    async def until(self, mark: bytes) -> None:
        """Read until something with this in it has come."""
        while mark not in (found := await self._raw.reader.read(65_536)):
            assert found, "the server has closed the connection"


async def _say(ada: _Client, bob: _Client, messages: int) -> None:
    for _ in range(messages):
        await ada.say()
        await bob.until(b'"type":"message"')
        await ada.until(b'"type":"ack"')


@contextlib.asynccontextmanager
async def _serving(worker: _Worker) -> AsyncIterator[LiveServer]:
    app = new_app()
    calm = {
        "heartbeat_interval": 600.0,
        "heartbeat_timeout": 1800.0,
    }  # one of the clients never says anything
    mount(app, guests=False, jwt_secret=SECRET, auto_create=True, **calm, **worker.backends)
    async with serve(app) as server:
        worker.started()
        yield server


async def _measured(system: System, turns: int) -> Costs:
    # The same workers in all turns: where their memory lies makes more of a difference than signatures do.
    workers = [system.worker(), system.worker()]
    async with contextlib.AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(_serving(worker)) for worker in workers]
        clients = []
        for server, user in zip(servers, ("ada", "bob"), strict=True):
            clients.append(await _Client.joined(server, user))
            stack.push_async_callback(clients[-1].close)
        ada, bob = clients
        script, message = _Step(), []
        for turn in range(2 * turns):
            signed = turn % 4 in (0, 3)
            for worker in workers:
                worker.switch(signed)
            await _say(ada, bob, 2)  # what was under way is gone by now
            began = system.costs()
            await _say(ada, bob, MESSAGES)
            ours, its = [(now - then) / MESSAGES for then, now in zip(began, system.costs(), strict=True)]
            message.append(ours + its)
            if system.signs:
                script.took[signed].append(its)
    steps = [script, *(step for worker in workers for step in worker.steps)]
    return Costs(message, [pair for step in steps for pair in step.typical])


def measure(name: str, turns: int) -> Costs:
    """So many turns of each kind on one system."""
    with SYSTEMS[name]() as system:
        return uvloop.run(_measured(system, turns))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.signing", description=__doc__)
    parser.add_argument("systems", nargs="*", metavar="system", help=" ".join(SYSTEMS))
    parser.add_argument("--turns", type=int, default=300, help=f"turns of {MESSAGES} messages, of each kind")
    given = parser.parse_args()
    if unknown := set(given.systems) - set(SYSTEMS):
        parser.error(f"no such system: {' '.join(sorted(unknown))}")
    found = {}
    for name in given.systems or SYSTEMS:
        found[name] = measure(name, given.turns)
        print(f"{name:14} {found[name].line()}", flush=True)
    sys.exit(any(costs.ratio > MOST for costs in found.values()))


if __name__ == "__main__":
    main()
