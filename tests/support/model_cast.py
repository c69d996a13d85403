"""Who takes part in the model of a chat (model.py): workers, clients with what they see, rooms as they should be."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar
from unittest.mock import patch

from sanic_chatrooms import ChatRooms, MemoryBroker, MemoryPresence, User, chat
from sanic_chatrooms.brokers.memory import MemoryBus
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.config.backends import Backends
from sanic_chatrooms.errors import Unavailable
from sanic_chatrooms.presence.memory import MemoryBoard
from sanic_chatrooms.stores.base import FOLDED, Store
from sanic_chatrooms.stores.search import searching
from sanic_chatrooms.support.ids import new_id
from sanic_chatrooms.testing import (
    FaultyBroker,
    FaultyStore,
    MemoryClient,
    Witness,
    chat_client,
)
from sanic_chatrooms.testing.connections import running_core

__all__ = ["Client", "Frame", "ModelRoom", "View", "Worker", "again"]

T = TypeVar("T")
Frame = dict[str, Any]
Line = tuple[str, str, str]
WITHIN = 40.0


@dataclass
class ModelRoom:
    """What there should be of a room."""

    members: set[str] = field(default_factory=set)
    log: list[Line] = field(default_factory=list)
    """(type, user, text); the n-th is number n + 1."""
    announced: bool = True
    said: list[tuple[str, str, str, int]] = field(default_factory=list)
    """(user, msgId, text, seq) of what was acknowledged, as it was sent."""
    ids: dict[int, str] = field(default_factory=dict)
    """The server's ids of the messages that can be changed, by their numbers."""

    def joined(self, user: str) -> None:
        if user not in self.members:
            self.members.add(user)
            if self.announced:
                self.log.append(("member.joined", user, ""))

    def left(self, user: str, *, removed: bool = False) -> None:
        """`removed`: by the app, which is an event in every room."""
        if user in self.members:
            self.members.remove(user)
            if self.announced or removed:
                self.log.append(("member.left", user, ""))

    @property
    def timeline(self) -> dict[int, Line]:
        numbered = enumerate(self.log, 1)
        return {seq: line for seq, line in numbered if not line[0].startswith(FOLDED)}


class Worker:
    """One chat over the common store, behind faults."""

    def __init__(
        self, instance: str, store: Store, bus: MemoryBus, board: MemoryBoard, **settings: Any
    ) -> None:
        self._inner = store
        self._settings = settings
        # Every call of the store lets others run, as one over a network does.
        self.store = FaultyStore(store, latency=lambda: asyncio.sleep(0))
        self.broker = FaultyBroker(MemoryBroker(bus))
        self.chat: Chat
        self._instance = instance
        self._presence = MemoryPresence(board)
        self._running = contextlib.AsyncExitStack()

    async def start(self) -> None:
        backends = Backends(self.store, self.broker, self._presence)
        settings: dict[str, Any] = {
            "guests": True,
            "auto_create": False,
            "position_check": 300,
            **self._settings,
        }
        running = running_core(ChatRooms(self._instance), backends=backends, **settings)
        with patch.object(
            chat, "index_of", lambda _settings, _store: searching(self._inner)
        ):  # behind the faults
            self.chat = await self._running.enter_async_context(running)

    async def stop(self) -> None:
        await self._running.aclose()

    async def level(self) -> None:
        """Return when all rooms here have caught up with the store, by the hub's own means."""
        held = self.chat.hub
        self.store.mend()
        async with asyncio.timeout(WITHIN):
            await held.check()
            heads = await self.store.heads([room.id for room in held.rooms()])
            rooms = [room for room in held.rooms() if room.id in heads]
            while any(r.up and r.head.seq < heads[r.id].seq for r in rooms):  # noqa: ASYNC110 - the hub tells nobody
                await asyncio.sleep(0.001)
        held.flush()


class View:
    """What a client shows of a room: a snapshot, and the events since folded into it."""

    def __init__(self, snapshot: Frame) -> None:
        messages = snapshot["messages"]
        self.first = messages[0]["seq"] if messages else snapshot["seq"] + 1
        self.lines: dict[int, Line] = {}
        self._changed: dict[int, int] = {}
        for event in messages:
            self.take(event)

    def take(self, event: Frame) -> None:
        if event["type"] in ("message.edited", "message.deleted"):
            self._change(event["payload"], event["seq"])
        elif not event["type"].startswith(FOLDED):
            text = event["payload"].get("text", "")
            self.lines[event["seq"]] = (event["type"], event["sender"]["id"], text)
            self._changed[event["seq"]] = event.get("changed", 0)

    def _change(self, change: Frame, seq: int) -> None:
        # An edit of what was deleted since is empty; one that is older than the state of its message is in it.
        target = change.get("seq", 0)
        if self._changed.get(target, seq) < seq:
            type, user, _ = self.lines[target]
            self.lines[target] = (type, user, change.get("body", {}).get("text", ""))
            self._changed[target] = seq


class Client:
    """A client of the model, over all its connections."""

    def __init__(self, user: User, witness: Witness) -> None:
        self.user = user
        self.witness = witness
        self.connection: MemoryClient | None = None
        self.views: dict[str, View] = {}
        self._looked = 0

    @property
    def connected(self) -> bool:
        return self.connection is not None and self.connection.connection.closed is None

    def is_in(self, room: str) -> bool:
        stream = self.witness.streams.get(room)
        return self.connected and stream is not None and stream.open

    async def connect(self, worker: Worker) -> None:
        connect = partial(chat_client, worker.chat, self.user, witness=self.witness)
        self.connection, self._looked = await again(connect), 0

    async def ask(self, type: str, **arguments: Any) -> Frame:
        """The answer to a command that is repeated while it is `unavailable`."""
        assert self.connection is not None
        msg_id = arguments.pop("msg_id", None) or new_id()
        for _ in range(20):
            answer = await self.connection.request(type, msg_id=msg_id, **arguments)
            if answer["type"] == "ack" or answer["payload"]["code"] != "unavailable":
                return answer
        raise AssertionError(f"{type} stays unavailable")

    def look(self) -> None:
        """Fold what has come since the last look into the views."""
        assert self.connection is not None
        new = self.connection.frames[self._looked :]
        self._looked += len(new)
        for frame in new:
            payload = frame["payload"]
            if "seq" in frame:
                self.views[frame["room"]].take(frame)
            elif payload.get("recovered"):
                for event in payload["messages"]:
                    self.views[payload["room"]].take(event)
            elif "recovered" in payload:
                self.views[payload["room"]] = View(payload)


async def again(call: Callable[[], Awaitable[T]]) -> T:
    """What may be done twice: repeat it while the store is away."""
    while True:
        try:
            return await call()
        except Unavailable:
            continue
