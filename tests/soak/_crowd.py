"""People who talk, come back by themselves when they are cut off, and note everything: as the browser's client does."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
import uuid
from collections import Counter
from types import TracebackType
from typing import Any

import jwt
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from sanic_chatrooms.testing import Checker

__all__ = ["Crowd", "token_of"]

ROOM_SIZE = 25
FIRST_WAIT, LONGEST_WAIT = 0.5, 5.0
"""Seconds: full jitter below a bound that doubles."""
SETTLE_WITHIN = 30.0

Frame = dict[str, Any]


def token_of(user: str, secret: str) -> str:
    return jwt.encode({"sub": user, "exp": int(time.time()) + 7200}, secret, "HS256")


class Crowd:
    """`async with Crowd(url, secret, size, pace=…) as crowd:` everybody is in, and talks every `pace` seconds or so."""

    def __init__(self, url: str, secret: str, size: int, *, pace: float) -> None:
        self.url = url
        self.pace = pace
        self.checker = Checker()
        self.closes: list[tuple[float, int]] = []
        """When (monotonic seconds) and with which code connections ended."""
        self.backs: list[float] = []
        """Seconds from the end of a connection until its person was back in the room."""
        self.refused: Counter[str] = Counter()
        """Handshakes that the server answered by a refusal, or began to answer and did not."""
        self.unreachable = 0
        self.talking = True
        self.people = [Person(self, f"u{n}", f"room-{n // ROOM_SIZE}", secret) for n in range(size)]
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Crowd:
        self._tasks = [asyncio.create_task(person.live()) for person in self.people]
        try:
            await self.all_in(within=120.0)
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, type: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def missing(self) -> int:
        """How many are not in their room right now."""
        return sum(not person.inside for person in self.people)

    async def all_in(self, *, within: float) -> None:
        """Return when everybody is in their room."""
        async with asyncio.timeout(within):
            while self.missing:
                self._raise_of_failed()
                await asyncio.sleep(0.02)

    def _raise_of_failed(self) -> None:
        for task in self._tasks:
            if task.done():
                task.result()

    async def flaws(self) -> list[str]:
        """Let everything that is under way arrive, in silence; what is wrong then."""
        self.talking = False
        deadline = time.monotonic() + SETTLE_WITHIN
        while self._unsettled() and time.monotonic() < deadline:
            self._raise_of_failed()
            await asyncio.sleep(0.1)
        return [*self.checker.flaws(), *self._unsettled()]

    def _unsettled(self) -> list[str]:
        waiting = sum(len(person.unacked) for person in self.people)
        return [
            *([f"{self.missing} are not back"] if self.missing else []),
            *([f"{waiting} messages have no ack"] if waiting else []),
            *(self.checker.flaws()[:1] if not (self.missing or waiting) else []),
        ]

    async def leave(self, count: int) -> None:
        """The last so many go home for good."""
        going, self._tasks = self._tasks[-count:], self._tasks[:-count]
        self.people = self.people[:-count]
        for task in going:
            task.cancel()
        await asyncio.gather(*going, return_exceptions=True)

    async def online(self) -> int:
        """How many users the server thinks are in the rooms of the crowd."""
        rooms = {person.room: person for person in self.people}
        pages = await asyncio.gather(*(person.ask("presence", room, {}) for room, person in rooms.items()))
        return sum(page["payload"]["total"] for page in pages)


class Cut(Exception):
    """The connection ended before the answer came."""


class Person:
    """One of them."""

    def __init__(self, crowd: Crowd, name: str, room: str, secret: str) -> None:
        self.crowd = crowd
        self.name = name
        self.room = room
        self.witness = crowd.checker.witness(name, user=name)
        self.unacked: dict[str, Frame] = {}
        self.inside = False
        self._token = token_of(name, secret)
        self._ws: ClientConnection | None = None
        self._answers: dict[str, asyncio.Future[Frame]] = {}
        self._again: list[Frame] = []
        self._come_back_in: float | None = None
        self._lost_at: float | None = None
        self._failures = 0

    async def live(self) -> None:
        while True:
            try:
                ws = await self._dial()
            except (OSError, TimeoutError, InvalidHandshake, ConnectionClosed) as failure:
                self._note(failure)
                await self._wait()
                continue
            async with ws:
                with contextlib.suppress(ConnectionClosed, Cut):
                    await self._talk(ws)
            self._lost(ws)
            await self._wait()

    async def _dial(self) -> ClientConnection:
        headers = {"Authorization": f"Bearer {self._token}"}
        return await connect(
            self.crowd.url, additional_headers=headers, compression=None, proxy=None, max_size=None,
            ping_interval=None, open_timeout=10.0, close_timeout=1.0, max_queue=None,
        )  # fmt: skip

    def _note(self, failure: Exception) -> None:
        if isinstance(failure, InvalidStatus):
            self.crowd.refused[f"HTTP {failure.response.status_code}"] += 1
        elif isinstance(failure, InvalidHandshake | ConnectionClosed):
            self.crowd.refused[type(failure).__name__] += 1
        else:  # nobody listens, or the queue of connections is full: the machine's answer, not the server's
            self.crowd.unreachable += 1

    async def _wait(self) -> None:
        wait, self._come_back_in = self._come_back_in, None
        if wait is None:
            wait = random.uniform(0.0, min(LONGEST_WAIT, FIRST_WAIT * 2.0**self._failures))
            self._failures += 1
        await asyncio.sleep(wait)

    def _lost(self, ws: ClientConnection) -> None:
        self._lost_at = time.monotonic()
        self.crowd.closes.append((self._lost_at, ws.close_code or 1006))
        self.inside = False
        self._ws = None
        self.witness.cut()
        self._answers.clear()

    # ---- in the room ----

    async def _talk(self, ws: ClientConnection) -> None:
        self._ws = ws
        reading = asyncio.create_task(self._read(ws))
        try:
            await self._enter()
            while not reading.done():
                await asyncio.wait((reading,), timeout=self.crowd.pace * random.uniform(0.5, 1.5))
                if not reading.done():
                    await self._say_again()
                if self.crowd.talking and not reading.done():
                    await self._say()
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _enter(self) -> None:
        since = self.witness.since(self.room)
        while (answer := await self.ask("join", self.room, {} if since is None else {"since": since}))[
            "type"
        ] != "ack":
            assert answer["payload"]["temporary"], answer
            await asyncio.sleep(random.uniform(0.0, FIRST_WAIT))
        if since is None:
            await self._say()  # a room that nobody said anything in would end with its last visitor
        self.inside = True
        self._failures = 0
        if self._lost_at is not None:
            self.crowd.backs.append(time.monotonic() - self._lost_at)
        self._again = list(self.unacked.values())
        await self._say_again()

    async def _say(self) -> None:
        frame = self._frame("message", self.room, {"text": f"{self.name} at {time.monotonic()}"})
        self.unacked[frame["msgId"]] = frame
        await self._send(frame)

    async def _say_again(self) -> None:
        """What the server could not store, and said so."""
        again, self._again = self._again, []
        for frame in again:
            await self._send(frame)

    async def ask(self, type: str, room: str, payload: Frame) -> Frame:
        frame = self._frame(type, room, payload)
        answer: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        if self._ws is None:
            raise Cut
        self._answers[frame["msgId"]] = answer
        await self._send(frame)
        return await answer

    def _frame(self, type: str, room: str, payload: Frame) -> Frame:
        return {"type": type, "msgId": str(uuid.uuid4()), "room": room, "payload": payload}

    async def _send(self, frame: Frame) -> None:
        if self._ws is not None:
            self.witness.sent(frame)
            await self._ws.send(json.dumps(frame))

    async def _read(self, ws: ClientConnection) -> None:
        try:
            async for text in ws:
                self._take(json.loads(text))
        except ConnectionClosed:
            pass
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(Cut())
                answer.exception()  # whoever asked may have failed to send the question

    def _take(self, frame: Frame) -> None:
        self.witness.received(frame)
        if frame["type"] == "closing":
            self._come_back_in = frame["payload"]["reconnectIn"]
        reply_to = frame.get("replyTo", "")
        if frame["type"] == "ack":
            self.unacked.pop(reply_to, None)
        elif frame["type"] == "error" and reply_to in self.unacked and frame["payload"].get("temporary"):
            self._again.append(self.unacked[reply_to])
        if (answer := self._answers.pop(reply_to, None)) is not None and not answer.done():
            answer.set_result(frame)
