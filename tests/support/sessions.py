"""A session on its own, and a dispatcher that notes what it carries out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from sanic_chatrooms.access.policy import RoomPolicy
from sanic_chatrooms.config.load import load
from sanic_chatrooms.models import Handshake
from sanic_chatrooms.observe.meter import Meter, Tally
from sanic_chatrooms.sessions.queue import QUEUE_LIMIT
from sanic_chatrooms.sessions.route import Route
from sanic_chatrooms.sessions.session import Session, State
from sanic_chatrooms.testing import MemoryConnection, RecordingMeter
from sanic_chatrooms.wire.decode import Command

__all__ = ["Bench", "Carrier"]


class Carrier:
    """A dispatcher that notes what is carried out: `fast` at once, `slow` until its future is done."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.gates: dict[str, asyncio.Future[None]] = {}
        self.gone = 0
        self.ended: list[str] = []
        self.then: Callable[[Session], Awaitable[None] | None] | None = None
        self.meter: Meter = RecordingMeter()
        self.received = Tally()
        self.counted: list[tuple[str, str]] = []

    def count(self, type: str, result: str) -> None:
        self.counted.append((type, result))

    def at_once(self, session: Session, command: Command) -> bool:
        if command.type != "message" and command.type != "fast":
            return False
        self.log.append(f"{command.type} {command.room or ''}".strip())
        if command.type == "message":
            session.queue.begun()
        return True

    def concurrent(self, command: Command) -> bool:
        return command.type in ("message", "direct")

    async def admit(self, session: Session) -> None: ...

    def behind(self, session: Session) -> None: ...

    async def carry_out(self, session: Session, command: Command) -> None:
        name = command.room or ""
        self.log.append(f"{command.type} {name}".strip())
        try:
            if self.then is not None and (waits := self.then(session)) is not None:
                await waits
            await self.gates.setdefault(name, asyncio.get_running_loop().create_future())
            self.log.append(f"{command.type} {name} done")
        finally:
            self.ended.append(name)

    def means_the_path(self, type: str) -> bool:
        return type != "anywhere"

    def evicted(self, session: Session, room: str) -> None:
        session.seats.pop(room, None)

    def withdraw(self, session: Session) -> None: ...

    def closed(self, session: Session) -> None:
        self.gone += 1

    def let(self, *names: str) -> None:
        """Let these commands end."""
        for name in names:
            self.gates.setdefault(name, asyncio.get_running_loop().create_future()).set_result(None)


class Bench:
    """A session on its own."""

    def __init__(self, **settings: Any) -> None:
        self.carrier = Carrier()
        self.connection = MemoryConnection()
        loaded = load("test", {}, {}, {"guests": True, **settings}, debug=False, instances=("test",))
        route = Route(settings=loaded, policy=RoomPolicy(), authenticator=None, guests=None)
        handshake = Handshake("/ws", {}, {}, {}, "127.0.0.1", False)
        self.session = Session(
            self.connection,
            self.carrier,
            lambda session, frame: self.connection.reply(frame),
            route=route,
            handshake=handshake,
        )
        self.session.authenticated = True
        self.session.state = State.ACTIVE

    def is_read(self) -> bool:
        return self.connection.reading

    def send(self, type: str, room: str | None = None) -> None:
        self.session.receive(json.dumps({"type": type, "room": room}).encode())

    async def idle(self) -> None:
        """Until the session has nothing to do, or nothing it can do now."""
        for _ in range(3 * QUEUE_LIMIT):
            await asyncio.sleep(0)
