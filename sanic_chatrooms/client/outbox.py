"""Durable commands until the server has stored them: one at a time for each room or person, which keeps their order."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from ..errors import ChatError, Conflict, TooLarge
from ..support.backoff import Backoff
from .calls import Call, seen
from .errors import UNKNOWN_OUTCOME, ClientClosed, NoAnswer, OutboxFull, retry_after
from .events import Frame

__all__ = ["Outbox"]

LIMIT = 1_000
"""Commands that wait in the outbox."""
REPEAT = 30.0
"""Seconds for which edits and the like are repeated; messages are until they are stored."""
AGAIN = 0.5
"""Seconds before a command is repeated, and full jitter on top."""

Lane = tuple[str, str]


class Chat(Protocol):
    """What the outbox needs of the client."""

    @property
    def online(self) -> bool:
        """The server has welcomed us."""

    @property
    def backoff(self) -> tuple[float, float]:
        """The first wait and the longest, in seconds."""

    def is_out(self, room: str | None) -> bool:
        """A room that we want to be in, and are not in now."""

    def submit(
        self, type: str, msg_id: str, room: str | None, payload: object, done: Callable[..., None]
    ) -> Call:
        """Send a command under this id."""

    def withdraw(self, call: Call) -> None:
        """Nobody waits for the answer any more."""


class _Entry:
    __slots__ = (
        "answer", "backoff", "call", "callers", "end", "lane", "msg_id", "payload", "room", "sending", "timer", "type",
    )  # fmt: skip

    def __init__(
        self, type: str, msg_id: str, lane: Lane, room: str | None, payload: Any, backoff: Backoff
    ) -> None:
        self.type = type
        self.msg_id = msg_id
        self.lane = lane
        self.room = room
        self.payload = payload
        self.backoff = backoff
        self.answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.callers = 0
        """Who waits for the answer. It is given up when there is nobody."""
        self.sending = False
        self.call: Call | None = None
        """What was sent last."""
        self.timer: asyncio.TimerHandle | None = None
        """Until it is sent again."""
        self.end: asyncio.TimerHandle | None = None
        """When it is given up."""


class Outbox:
    """What is lost on the way is sent again under its `msgId`, so the server stores it once."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._entries: dict[str, _Entry] = {}
        self._lanes: dict[Lane, dict[str, _Entry]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    async def put(
        self, type: str, msg_id: str, *, room: str | None, to: str | None = None, payload: Any, keep: bool
    ) -> dict[str, Any]:
        """Send a command in its turn; -> the payload of its ack. `keep`: for as long as it takes.

        Raises the server's error, `OutboxFull`, `ClientClosed`, and `Conflict` if another command waits under this id; the same
        command is sent once for all of its callers. If all of these calls are cancelled, it is not sent any more.
        """
        lane = ("user", to) if to is not None else ("room", room or "")
        entry = self._entries.get(msg_id)
        if entry is None:
            entry = self._add(type, msg_id, lane, room, payload, keep)
        elif (entry.type, entry.lane, entry.payload) != (type, lane, payload):
            raise Conflict
        entry.callers += 1
        try:
            await asyncio.wait(
                [entry.answer]
            )  # unlike `await`, this leaves it alone if the caller is cancelled
            return entry.answer.result()
        finally:
            entry.callers -= 1
            seen(entry.answer)
            if entry.answer.done() or not entry.callers:
                self._done(entry)

    def _add(self, type: str, msg_id: str, lane: Lane, room: str | None, payload: Any, keep: bool) -> _Entry:
        if len(self._entries) >= LIMIT:
            raise OutboxFull
        entry = _Entry(type, msg_id, lane, room, payload, Backoff(*self._chat.backoff, least=0.0))
        self._entries[msg_id] = entry
        self._lanes.setdefault(lane, {})[msg_id] = entry
        if not keep:
            loop = asyncio.get_running_loop()
            entry.end = loop.call_later(REPEAT, self._fail, entry, NoAnswer())
        self._pump(lane)
        return entry

    # ---- for the client ----

    def pump(self) -> None:
        """Send what may be sent now."""
        for lane in list(self._lanes):
            self._pump(lane)

    def confirm(self, frame: Frame) -> None:
        """Our own event proves the same as its ack. After a reconnect it may come first, or instead."""
        entry = self._entries.get(str(frame.get("clientMsgId")))
        if entry is not None and not entry.answer.done():
            known = ("room", "msgId", "seq", "timestamp")
            ack = {key: frame.get(key) for key in known} | {"duplicate": False}
            payload = frame.get("payload")
            if entry.type.startswith("reaction.") and isinstance(payload, dict):
                ack["count"] = payload.get("count")
            entry.answer.set_result(ack)

    def lost(self, code: int) -> None:
        """After 1009 a frame was too big for the server or a proxy: the biggest one is not sent again."""
        sending = [entry for entry in self._entries.values() if entry.sending]
        if code == 1009 and sending:
            self._fail(
                max(sending, key=lambda entry: len(str(entry.payload))), TooLarge("this is too long to send")
            )

    def close(self, error: ChatError | None) -> None:
        """End everything."""
        for entry in list(self._entries.values()):
            self._fail(entry, error or ClientClosed())

    # ---- inside ----

    def _pump(self, lane: Lane) -> None:
        entry = next(iter(self._lanes.get(lane, {}).values()), None)
        if entry is None or entry.sending or entry.timer is not None or entry.answer.done():
            return
        if not self._chat.online or self._chat.is_out(entry.room):
            return
        entry.sending = True
        try:
            entry.call = self._chat.submit(
                entry.type,
                entry.msg_id,
                entry.room,
                entry.payload,
                lambda error, ack: self._answered(entry, error, ack),
            )
        except (OutboxFull, TypeError, ValueError) as problem:
            self._fail(entry, problem)

    def _answered(self, entry: _Entry, error: ChatError | None, ack: dict[str, Any]) -> None:
        if not entry.sending or entry.answer.done():
            return
        entry.sending = False
        if error is None:
            entry.answer.set_result(ack)
        elif error.code in UNKNOWN_OUTCOME or self._comes_later(entry, error):
            self._repeat(entry, error)
        else:
            self._fail(entry, error)

    def _comes_later(self, entry: _Entry, error: ChatError) -> bool:
        if error.code == "not_a_member":  # sent while a reset was on its way
            return self._chat.is_out(entry.room)
        return error.code == "rate_limited" and (entry.end is None or (retry_after(error) or 0.0) <= REPEAT)

    def _repeat(self, entry: _Entry, error: ChatError) -> None:
        if not self._chat.online:
            return  # the next welcome sends it
        named = retry_after(error)
        wait = AGAIN + entry.backoff.failed() if named is None else named
        entry.timer = asyncio.get_running_loop().call_later(wait, self._again, entry)

    def _again(self, entry: _Entry) -> None:
        entry.timer = None
        self._pump(entry.lane)

    def _fail(self, entry: _Entry, error: BaseException) -> None:
        if not entry.answer.done():
            entry.answer.set_exception(error)

    def _done(self, entry: _Entry) -> None:
        if self._entries.get(entry.msg_id) is not entry:
            return  # the caller before has done it
        for timer in (entry.timer, entry.end):
            if timer is not None:
                timer.cancel()
        if entry.call is not None:
            self._chat.withdraw(entry.call)
        self._entries.pop(entry.msg_id, None)
        lane = self._lanes.get(entry.lane, {})
        lane.pop(entry.msg_id, None)
        if not lane:
            self._lanes.pop(entry.lane, None)
        self._pump(entry.lane)
