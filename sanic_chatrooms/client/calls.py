"""Commands that wait for their answers. Answers go to functions, so an ack is applied before the event in the next frame."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Protocol

from ..errors import ChatError, TooLarge
from .errors import NoAnswer, OutboxFull, error_of

__all__ = ["Calls", "Done", "seen"]

LIMIT = 1_000
"""Commands that wait for their answers at a time."""

Done = Callable[[ChatError | None, dict[str, Any]], None]
"""Takes an error, or the payload of the ack."""


def seen(answer: "asyncio.Future[Any]") -> None:
    """Take note of the error of an answer whose caller was cancelled in the same moment, or asyncio would log that nobody did."""
    if answer.done() and not answer.cancelled():
        answer.exception()


class Sender(Protocol):
    """What sends frames."""

    @property
    def online(self) -> bool:
        """The server has welcomed us."""

    def send(self, text: str) -> None:
        """Send a frame."""


class _Call:
    __slots__ = ("done", "sent", "text", "timer")

    def __init__(self, text: str, timer: asyncio.TimerHandle, done: Done) -> None:
        self.text = text
        self.timer = timer
        self.done = done
        self.sent = False


class Calls:
    """While offline, commands wait, for as long as their time lasts."""

    def __init__(self, link: Sender) -> None:
        self.max_frame: int | None = None
        """Bytes of a frame that the server accepts."""
        self._link = link
        self._pending: dict[str, _Call] = {}

    def start(
        self, type: str, msg_id: str, room: str | None, payload: object, timeout: float, done: Done
    ) -> None:
        """Send a command; `done` is called once. Raises `OutboxFull`, and `TypeError` or `ValueError` for what is no JSON."""
        frame = {"type": type, "msgId": msg_id, "room": room, "payload": payload}
        frame = {key: value for key, value in frame.items() if value is not None}
        text = json.dumps(frame, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        self.forget(msg_id)
        if len(self._pending) >= LIMIT:
            raise OutboxFull
        timer = asyncio.get_running_loop().call_later(timeout, self._settle, msg_id, NoAnswer(), {})
        self._pending[msg_id] = _Call(text, timer, done)
        if self._link.online:
            self._send(msg_id)

    def _send(self, msg_id: str) -> None:
        call = self._pending[msg_id]
        limit = self.max_frame
        size = len(call.text.encode(errors="surrogatepass")) if limit is not None else 0
        if limit is not None and size > limit:
            self._settle(msg_id, TooLarge("the command in bytes", limit=limit, size=size), {})
            return
        call.sent = True
        self._link.send(call.text)

    def _settle(self, msg_id: str, error: ChatError | None, payload: dict[str, Any]) -> None:
        call = self._pending.pop(msg_id, None)
        if call is not None:
            call.timer.cancel()
            call.done(error, payload)

    def forget(self, msg_id: str) -> None:
        """Nobody waits for this answer any more."""
        call = self._pending.pop(msg_id, None)
        if call is not None:
            call.timer.cancel()

    def answer(self, type: str, reply_to: str, payload: dict[str, Any]) -> None:
        """A frame that answers a command."""
        self._settle(reply_to, error_of(payload) if type == "error" else None, payload)

    def flush(self) -> None:
        """Send what has waited for the connection."""
        for msg_id, call in list(self._pending.items()):
            if not call.sent and msg_id in self._pending:
                self._send(msg_id)

    def abort(self, error: Callable[[], ChatError], *, all: bool = False) -> None:
        """End the commands that were sent, since no answer will come; with `all`, also those that wait."""
        for msg_id, call in list(self._pending.items()):
            if call.sent or all:
                self._settle(msg_id, error(), {})
