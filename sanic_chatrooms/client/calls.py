"""Commands that wait for their answers. Answers go to functions, so an ack is applied before the event in the next frame."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Protocol

from ..errors import ChatError, TooLarge
from .errors import NoAnswer, OutboxFull, error_of

__all__ = ["Call", "Calls", "Done", "seen"]

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


class Call:
    """A command that waits for its answer."""

    __slots__ = ("done", "msg_id", "sent", "text", "timer")

    timer: asyncio.TimerHandle

    def __init__(self, msg_id: str, text: str, done: Done) -> None:
        self.msg_id = msg_id
        self.text = text
        self.done = done
        self.sent = False


class Calls:
    """While offline, commands wait, for as long as their time lasts. Several may have one `msgId`: the first gets the first answer."""

    def __init__(self, link: Sender) -> None:
        self.max_frame: int | None = None
        """Bytes of a frame that the server accepts."""
        self._link = link
        self._pending: dict[Call, None] = {}
        self._by_id: dict[str, list[Call]] = {}

    def start(
        self, type: str, msg_id: str, room: str | None, payload: object, timeout: float, done: Done
    ) -> Call:
        """Send a command; `done` is called once. Raises `OutboxFull`, and `TypeError` or `ValueError` for what is no JSON."""
        frame = {"type": type, "msgId": msg_id, "room": room, "payload": payload}
        frame = {key: value for key, value in frame.items() if value is not None}
        text = json.dumps(frame, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        text.encode()  # a lone surrogate is an error of the caller, and not one of the connection
        if len(self._pending) >= LIMIT:
            raise OutboxFull
        call = Call(msg_id, text, done)
        call.timer = asyncio.get_running_loop().call_later(timeout, self._settle, call, NoAnswer(), {})
        self._pending[call] = None
        self._by_id.setdefault(msg_id, []).append(call)
        if self._link.online:
            self._send(call)
        return call

    def _send(self, call: Call) -> None:
        limit = self.max_frame
        size = len(call.text.encode()) if limit is not None else 0
        if limit is not None and size > limit:
            self._settle(call, TooLarge("the command in bytes", limit=limit, size=size), {})
            return
        call.sent = True
        self._link.send(call.text)

    def _settle(self, call: Call, error: ChatError | None, payload: dict[str, Any]) -> None:
        if call in self._pending:
            self.forget(call)
            call.done(error, payload)

    def forget(self, call: Call) -> None:
        """Nobody waits for this answer any more."""
        if call not in self._pending:
            return
        call.timer.cancel()
        del self._pending[call]
        others = self._by_id[call.msg_id]
        others.remove(call)
        if not others:
            del self._by_id[call.msg_id]

    def answer(self, type: str, reply_to: str, payload: dict[str, Any]) -> None:
        """A frame that answers a command."""
        calls = self._by_id.get(reply_to)
        if calls:
            self._settle(calls[0], error_of(payload) if type == "error" else None, payload)

    def flush(self) -> None:
        """Send what has waited for the connection."""
        for call in list(self._pending):
            if not call.sent and call in self._pending:
                self._send(call)

    def abort(self, error: Callable[[], ChatError], *, all: bool = False) -> None:
        """End the commands that were sent, since no answer will come; with `all`, also those that wait."""
        for call in list(self._pending):
            if call.sent or all:
                self._settle(call, error(), {})
