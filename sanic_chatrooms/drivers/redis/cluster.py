"""One Redis or Valkey, or a cluster: sends each call to the server of its key.

In a cluster it follows what the nodes say about slots. An error that says that the server cannot answer now becomes
`Unavailable`; any other error is the call's own.
"""

import asyncio
from binascii import crc_hqx
from collections.abc import Coroutine, Sequence
from typing import Any

from redis.exceptions import (
    AskError,
    ClusterDownError,
    MasterDownError,
    MovedError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    TryAgainError,
)

from ...errors import ConfigError, Unavailable
from .address import parse_address
from .pipeline import Heard
from .server import Call, Place, RedisOpener, RedisServer, Script

__all__ = ["Call", "RedisLink", "RedisServer", "Script", "slot_of"]

ANSWER_WITHIN = 4.0
"""Seconds after which a server that owes an answer is given up, whatever the app's own time limit is."""
REDIRECTIONS = 5
PIPELINE = 500
"""Calls sent together: bounds what waits in memory, and how long others wait behind it."""

_TRANSIENT = (
    AskError,
    ClusterDownError,
    MasterDownError,
    MovedError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    TryAgainError,
)
_TRANSIENT_CODES = ("BUSY", "MISCONF", "NOREPLICAS")


def slot_of(key: str) -> int:
    """The slot of a key in a cluster: of what stands in its first braces, if there is something."""
    start = key.find("{")
    end = key.find("}", start + 1)
    tag = key[start + 1 : end] if 0 <= start < end - 1 else key
    return crc_hqx(tag.encode(), 0) % 16384


class RedisLink:
    """Runs calls on one server or on a cluster. Each backend has its own.

    `run_id` names the time in which the server loses nothing that it acknowledged. Without one it ends when the server
    restarts, or never where the server writes to disk first (`appendfsync always`) and no other can take its place.
    """

    def __init__(self, url: str, *, scripts: Sequence[Script] = (), run_id: str | None = None) -> None:
        self.address = parse_address(url)
        self.prefix = self.address.prefix
        self.is_cluster = self.address.kind == "cluster"
        """Do keys live on several servers?"""
        self._opener = RedisOpener(self.address, scripts, run_id)
        self._within = ANSWER_WITHIN
        self._running = False
        self._slots: list[Place] = []
        self._reset()

    def _reset(self) -> None:
        self._main = RedisServer(self._opener.locate, self._opener)
        self._nodes: dict[Place, RedisServer] = {}
        self._stale = True
        self._refreshing = asyncio.Lock()

    async def start(self, within: float) -> None:
        """Connect once. `within`: the seconds that the app gives a backend to answer. Raises `ConfigError`, `Unavailable`."""
        self._within = min(ANSWER_WITHIN, 0.8 * within)
        self._running = True
        self._reset()  # locks belong to a loop, and an app may run again in another
        try:
            if self.is_cluster:
                await self._refresh()
            else:
                await self._main.ask([Call("", ("PING",))], self._within)
        except Unavailable:
            servers = [self._main, *self._nodes.values()]
            await self.stop()
            for server in servers:
                if server.refusal is not None:
                    raise ConfigError(f"Redis refuses what its URL says: {server.refusal}") from None
            raise

    async def stop(self) -> None:
        """Close all connections. Calling it again does nothing."""
        self._running = False
        for server in (self._main, *self._nodes.values()):
            server.close()

    def run_soon(self, calls: Sequence[Call], heard: Heard) -> bool:
        """Run calls without a task, if the one server is connected; else False. A reply that is an exception is not to be relied on: `run` the call."""
        pipe = self._main.pipe if self._running and not self.is_cluster else None
        if pipe is None:
            return False
        pipe.tell([call.command(pipe.run_id) for call in calls], self._within, heard)
        return True

    async def call(self, call: Call) -> Any:
        """One reply. Raises as `run`."""
        return (await self._run((call,)))[0]

    def run(self, calls: Sequence[Call]) -> Coroutine[Any, Any, list[Any]]:
        """A reply per call, in order. Raises `Unavailable`, or the `ResponseError` of a call that is wrong."""
        # No coroutine of its own: joining asks for little many times.
        return self._run(calls) if 0 < len(calls) <= PIPELINE else self._run_in_parts(calls)

    async def each(self, calls: Sequence[Call]) -> list[Any]:
        """As `run`, but with `Unavailable` in the place of a reply that is not to be had now, if there are others."""
        replies: list[Any] = []
        for low in range(0, len(calls), PIPELINE):
            replies += await self._run(calls[low : low + PIPELINE], partly=True)
        replies = [_ours(reply) if isinstance(reply, Exception) else reply for reply in replies]
        missing = [reply for reply in replies if isinstance(reply, Exception)]
        wrong = [problem for problem in missing if not isinstance(problem, Unavailable)]
        if wrong or 0 < len(missing) == len(replies):
            raise (wrong or missing)[0]
        return replies

    async def _run_in_parts(self, calls: Sequence[Call]) -> list[Any]:
        replies: list[Any] = []
        for low in range(0, len(calls), PIPELINE):
            replies += await self._run(calls[low : low + PIPELINE])
        return replies

    async def _run(self, calls: Sequence[Call], *, partly: bool = False) -> list[Any]:
        if not self._running:
            raise Unavailable
        if self.is_cluster:
            replies = await self._run_in_cluster(calls)
        else:
            replies = await self._main.ask(calls, self._within)
        for reply in replies:
            if isinstance(reply, Exception) and not partly:
                raise _ours(reply)
        return replies

    # ---- cluster ----

    async def server(self, key: str) -> RedisServer:
        """The server that serves a key. Raises `Unavailable`."""
        if not self.is_cluster:
            return self._main
        if self._stale:
            await self._refresh()
        return self._node(self._slots[slot_of(key)])

    async def masters(self) -> list[RedisServer]:
        """All that are written to. Raises `Unavailable`."""
        if not self.is_cluster:
            return [self._main]
        if self._stale:
            await self._refresh()
        return [self._node(place) for place in dict.fromkeys(self._slots)]

    def suspect(self) -> None:
        """Ask the cluster who serves what before the next call."""
        self._stale = True

    def _node(self, place: Place) -> RedisServer:
        node = self._nodes.get(place)
        if node is None:

            async def locate() -> Place:
                return place

            node = self._nodes[place] = RedisServer(locate, self._opener)
        return node

    async def _refresh(self) -> None:
        async with self._refreshing:
            if not self._stale:
                return
            for place in dict.fromkeys((*self._nodes, *self.address.hosts)):
                try:
                    (reply,) = await self._node(place).ask([Call("", ("CLUSTER", "SLOTS"))], self._within)
                except Unavailable:
                    continue
                if isinstance(reply, list) and self._learn(reply, place):
                    self._stale = False
                    return
            raise Unavailable

    def _learn(self, ranges: list[Any], asked: Place) -> bool:
        slots: list[Place | None] = [None] * 16384
        for first, last, (host, port, *_), *_ in ranges:
            slots[first : last + 1] = [(host.decode() or asked[0], port)] * (last - first + 1)
        if None in slots:
            return False  # nobody serves some of them right now
        self._slots = [place for place in slots if place is not None]
        return True

    async def _run_in_cluster(self, calls: Sequence[Call]) -> list[Any]:
        replies: list[Any] = [None] * len(calls)
        left = list(range(len(calls)))
        for _ in range(REDIRECTIONS):
            groups: dict[RedisServer, list[int]] = {}
            for n in left:
                groups.setdefault(await self.server(calls[n].key), []).append(n)
            await asyncio.gather(
                *(self._ask_node(node, group, calls, replies) for node, group in groups.items())
            )
            left = [n for n in left if isinstance(replies[n], MovedError)]
            if not left:
                break
        return replies

    async def _ask_node(
        self, node: RedisServer, group: list[int], calls: Sequence[Call], replies: list[Any]
    ) -> None:
        try:
            answers = await node.ask([calls[n] for n in group], self._within)
        except Unavailable as exc:
            self.suspect()
            answers = [exc] * len(group)
        for n, reply in zip(group, answers, strict=True):
            if isinstance(reply, MovedError):
                self._slots[reply.slot_id] = (reply.host or "localhost", reply.port)
                self.suspect()
            elif isinstance(reply, AskError):
                reply = await self._ask_importer(reply, calls[n])
            elif isinstance(reply, ReadOnlyError):
                self.suspect()
            replies[n] = reply

    async def _ask_importer(self, error: AskError, call: Call) -> Any:
        """The slot is moving, and this key is on the other side already."""
        node = self._node((error.host or "localhost", error.port))
        return (await node.ask([Call("", ("ASKING",)), call], self._within))[1]


def _ours(error: Exception) -> Exception:
    if isinstance(error, _TRANSIENT) or str(error).startswith(_TRANSIENT_CODES):
        return Unavailable()
    return error
