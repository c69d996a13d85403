"""A message that a client writes, piece by piece, while everybody in the room watches."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any

from ..errors import ChatError, Conflict, InvalidField, InvalidText, TooLarge
from ..support.ids import new_id
from ..support.tasks import end
from ..support.user_ids import is_unicode
from .engine import Engine
from .errors import ConnectionLost, retry_after, seconds

__all__ = ["MessageStream"]

logger = logging.getLogger("sanic_chatrooms.client")

PIECE = 4_000
"""Characters of a piece at most."""
LARGEST = 16 * 1024 * 1024
"""Characters of a message, whatever the server takes."""
ALIVE = 10.0
"""Most seconds between two pieces. A writer who is silent for longer than the lease has its message closed."""
AGAIN = 1.0
"""Seconds until a piece is sent again whose outcome is not known."""


class MessageStream:
    """A message that is being written, from `async with client.stream(…)`. Leaving the block closes it."""

    def __init__(self, engine: Engine, room: str, body: Mapping[str, Any]) -> None:
        if not isinstance(body.get("text"), str):
            raise InvalidField("must be text", field="body.text")
        self._engine = engine
        self._room = room
        self._body = dict(body)
        self._text: str = body["text"]
        self._new: list[str] = []
        self._length = self._told = len(self._text)
        self._opened: dict[str, Any] = {}
        self._alive = ALIVE
        self._news, self._all = asyncio.Event(), asyncio.Event()
        self._problem: ChatError | None = None
        self._telling: asyncio.Task[None] | None = None
        self._task: asyncio.Task[Any] | None = None
        self._stopped = self._ended = False
        self.cancelled_by: dict[str, Any] | None = None
        """Who wants it to stop: {"id", "name"}. None: nobody, or the app."""

    @property
    def msg_id(self) -> str:
        """The server's id of the message."""
        return str(self._known["msgId"])

    @property
    def seq(self) -> int:
        """The number of its `message` in the room."""
        return int(self._known["seq"])

    @property
    def text(self) -> str:
        """What was written so far."""
        self._text += "".join(self._new)
        self._new.clear()
        return self._text

    @property
    def _known(self) -> dict[str, Any]:
        if not self._opened:
            raise RuntimeError("write inside of the block: async with client.stream(…) as out")
        return self._opened

    # ---- writing ----

    def write(self, text: str) -> None:
        """Add a piece. It goes out soon, and is never waited for. Raises `Conflict` if the message is closed, and what made it
        impossible to write it, such as `TooLarge`."""
        if self._problem is not None:
            raise self._problem
        if self._ended or not self._known:
            raise Conflict("this message is closed; open another one")
        if not isinstance(text, str):
            raise InvalidField(f"must be text, and not {type(text).__name__}", field="text")
        if "\0" in text or not is_unicode(text):
            raise InvalidText
        if self._length + len(text) > LARGEST:
            raise TooLarge("characters of a message", limit=LARGEST, size=self._length + len(text))
        if text:
            self._new.append(text)
            self._length += len(text)
            self._all.clear()
            self._news.set()

    async def flush(self) -> None:
        """Wait until the server has everything that was written, for as long as that takes. Raises what made it impossible."""
        await self._all.wait()
        if self._problem is not None:
            raise self._problem

    async def close(
        self, *, reason: str = "complete", body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Close the message before the end of the block; -> {"seq", "duplicate"}. A `body` without `text` keeps what was written.

        `reason`: "complete", "cancelled" or "error". Raises `Conflict` if it is closed.
        """
        if self._ended or not self._known:
            raise Conflict("this message is closed; open another one")
        self._ended = True
        try:
            if body is None or "text" not in body:
                await self._all.wait()
                if self._problem is not None:
                    await self._give_up("error")
                    raise self._problem
            return await self._close(reason, body)
        finally:
            await self._leave()

    async def _close(self, reason: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        payload = {"msgId": self.msg_id, "reason": reason, **({} if body is None else {"body": dict(body)})}
        while True:
            try:
                return await self._put("message.close", payload)
            except Conflict as problem:  # another worker goes on from there, unless the message is closed
                if "at" not in problem.fields or self._problem is not None:
                    raise
                self._go_on(problem.fields)
            self._all.clear()
            self._news.set()
            await self.flush()

    async def _give_up(self, reason: str) -> None:
        """What has happened matters more than a close that fails. Then the server closes the message after a while."""
        try:
            async with asyncio.timeout(self._engine.timeout):
                await self._all.wait()
                await self._close(reason)
        except (ChatError, TimeoutError) as problem:
            logger.info("message %s in %s could not be closed: %r", self.msg_id, self._room, problem)

    async def _leave(self) -> None:
        self._engine.writers.pop(self.msg_id, None)
        if self._telling is not None:
            await end(self._telling)

    # ---- the block ----

    async def __aenter__(self) -> "MessageStream":
        self._opened = opened = await self._put("message.open", self._body)
        lease = seconds(opened.get("lease"))
        self._alive = ALIVE if lease is None else min(ALIVE, lease / 3)
        self._task = asyncio.current_task()
        self._all.set()
        self._engine.writers[self.msg_id] = self._stop
        self._telling = asyncio.ensure_future(self._tell())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if self._stopped and kind is None:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)  # the block may have ended before the cancellation came
        cancelled = kind is not None and issubclass(kind, asyncio.CancelledError)
        left = self._task.uncancel() if self._stopped and self._task is not None else 1
        if not self._ended:
            if kind is None and not self._stopped:
                await self.close()
            else:
                self._ended = True
                try:
                    await self._give_up("cancelled" if self._stopped or cancelled else "error")
                finally:
                    await self._leave()
        return cancelled and self._stopped and not left

    def _stop(self, by: object) -> None:
        """Somebody wants it to stop."""
        if not self._stopped and not self._ended and self._task is not None:
            self._stopped = True
            self.cancelled_by = by if isinstance(by, dict) else None
            self._task.cancel()

    async def _put(self, type: str, payload: dict[str, Any]) -> dict[str, Any]:
        return await self._engine.put(type, self._room, payload, msg_id=new_id())

    # ---- telling ----

    async def _tell(self) -> None:
        """Send one piece after the other. What is written meanwhile goes with the next, and an empty one shows that we are there."""
        try:
            while True:
                if self._told == self._length:
                    self._all.set()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(self._alive):
                            await self._news.wait()
                self._news.clear()
                await self._send()
        except ChatError as problem:
            self._problem = problem
            self._all.set()

    async def _send(self) -> None:
        at = self._told
        piece = {"msgId": self.msg_id, "at": at, "text": self.text[at : at + PIECE]}
        try:
            self._go_on(await self._engine.request("message.append", self._room, piece))
        except Conflict as problem:  # another worker goes on from there, unless the message is closed
            if "at" not in problem.fields:
                raise
            self._go_on(problem.fields)
        except ChatError as problem:
            if not problem.temporary:
                raise
            if not isinstance(problem, ConnectionLost):  # else the next one waits for the connection
                wait = retry_after(problem)
                await asyncio.sleep(AGAIN if wait is None else wait)

    def _go_on(self, told: Mapping[str, Any]) -> None:
        at = told.get("at")
        if not isinstance(at, int) or not 0 <= at <= self._length:
            raise ChatError("the server's answer to a piece makes no sense")
        self._told = at
