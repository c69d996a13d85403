"""The texts of messages that are being written, as this worker knows them, and the pieces of them for its connections.

A piece is the live event `message.delta`: a range of the text. Where one is lost, the next begins further on, and the client
asks for the text. So pieces may be left out: a connection that reads too slowly gets none, and one range of all that it missed
when it has caught up.
"""

import asyncio
import time
from collections.abc import Callable

import msgspec

from ..hub.hub import Hub
from ..hub.room import Receiver
from ..models import Envelope
from ..observe.instruments import SHED
from ..observe.meter import SILENT, Meter
from ..wire.encode import live_event
from ..wire.events import Delta

__all__ = ["TURN", "Pieces"]

TURN, GATHERED = 0.04, 0.01
"""Workers write pieces at multiples of so many seconds. What all of them write then gathers here for so many seconds more, so that
each connection gets it with one write. The first piece of a message does not wait."""
AGAIN = 0.04
"""Seconds until it is looked again whether a slow connection has caught up."""
REST = 60.0
"""Seconds after which a text is forgotten of which nothing more came."""
REMEMBERED = 10_000
MOST = 64 * 1024 * 1024
"""Characters that are kept of all texts. Above it, those are forgotten of which nothing came for longest."""


class _Piece(msgspec.Struct, rename="camel"):
    msg_id: str
    at: int
    text: str


class _Event(msgspec.Struct):
    room: str
    payload: _Piece


_decode = msgspec.json.Decoder(_Event).decode


class _Text:
    """A text from `start` on."""

    __slots__ = ("fence", "heard_at", "room", "start", "text")

    def __init__(self, room: str, start: int, text: str, heard_at: float) -> None:
        self.room = room
        self.start = start
        self.text = text
        self.heard_at = heard_at
        self.fence = 0
        """That of the worker that told the whole text, if one did."""

    @property
    def end(self) -> int:
        return self.start + len(self.text)


class Pieces:
    """Passes pieces on to the connections of this worker. `behind`: whether a connection reads too slowly for them."""

    def __init__(
        self,
        hub: Hub,
        publish: Callable[[Envelope], None],
        behind: Callable[[Receiver], bool],
        clock: Callable[[], float] = time.monotonic,
        meter: Meter = SILENT,
    ) -> None:
        self._hub = hub
        self._publish = publish
        self._slow = behind
        self._clock = clock
        self._meter = meter
        self._texts: dict[str, _Text] = {}
        self._size = 0
        self._told: dict[str, None] = {}
        """Messages of which a piece has gone out: the newest."""
        self._behind: dict[Receiver, dict[str, tuple[str, int]]] = {}
        """Slow connections: for each message its room, and from where on the piece is missing."""
        self._timer: asyncio.TimerHandle | None = None
        self._gathered: list[tuple[Envelope, str, int]] = []
        self._gathering: asyncio.TimerHandle | None = None
        hub.handle(Delta.type, self.receive)

    # ---- texts ----

    def text(self, room: str, msg_id: str) -> str | None:
        """The whole text, as far as it has come; None if its beginning is not known here."""
        known = self._texts.get(msg_id)
        return known.text if known is not None and known.room == room and not known.start else None

    def put(self, room: str, msg_id: str, at: int, text: str) -> None:
        """A range of a text came. What is there already stays."""
        known = self._texts.pop(msg_id, None)
        if known is None or known.room != room or at > known.end:
            self._size += len(text) - (0 if known is None else len(known.text))
            known = _Text(room, at, text, 0.0)
        elif at < known.start <= at + len(text):
            self._size += known.start - at
            known.text = text[: known.start - at] + known.text
            known.start = at
        if (more := text[known.end - at :]) and at <= known.end:
            known.text += more
            self._size += len(more)
        known.heard_at = self._clock()
        self._texts[msg_id] = known
        while self._size > MOST:
            self.forget(next(iter(self._texts)))

    def replace(self, room: str, msg_id: str, text: str, fence: int) -> None:
        """A worker told the whole text. If it has taken the message over, what was there may be ahead of it, and goes."""
        known = self._texts.get(msg_id)
        if known is not None and known.fence < fence:
            self.forget(msg_id)
        self.put(room, msg_id, 0, text)
        if (known := self._texts.get(msg_id)) is not None:
            known.fence = max(known.fence, fence)

    def forget(self, msg_id: str) -> None:
        """The message is closed."""
        known = self._texts.pop(msg_id, None)
        if known is not None:
            self._size -= len(known.text)

    def sweep(self) -> None:
        """Forget texts of which nothing more came."""
        now = self._clock()
        for msg_id, known in list(self._texts.items()):
            if now - known.heard_at < REST:
                break  # they stand in the order in which something came
            self.forget(msg_id)

    # ---- pieces ----

    def tell(self, room: str, msg_id: str, at: int, text: str) -> None:
        """Tell every worker of a piece that is written here."""
        data = live_event(Delta(msg_id, at, text), room=room)
        envelope = Envelope(room, "", 0, Delta.type, data)
        self._pass_on(envelope, msg_id, at, text)
        self._publish(envelope)

    def receive(self, envelope: Envelope) -> None:
        """For the hub: a piece that is written on another worker."""
        event = _decode(envelope.data)
        if event.room != envelope.room:
            raise msgspec.ValidationError("it is another room's piece")
        piece = event.payload
        self._pass_on(envelope, piece.msg_id, piece.at, piece.text)

    def _pass_on(self, envelope: Envelope, msg_id: str, at: int, text: str) -> None:
        first = msg_id not in self._told
        self.put(envelope.room, msg_id, at, text)
        if first:
            self._told[msg_id] = None
            if len(self._told) > REMEMBERED:
                del self._told[next(iter(self._told))]
            self._emit([(envelope, msg_id, at)])
            return
        self._gathered.append((envelope, msg_id, at))
        if self._gathering is None:
            loop = asyncio.get_running_loop()
            due = (loop.time() - GATHERED) // TURN * TURN + TURN + GATHERED
            self._gathering = loop.call_at(due, self._emit_gathered)

    def _emit_gathered(self) -> None:
        self._gathering = None
        gathered, self._gathered = self._gathered, []
        rooms: dict[str, list[tuple[Envelope, str, int]]] = {}
        for piece in gathered:
            rooms.setdefault(piece[0].room, []).append(piece)
        for pieces in rooms.values():
            self._emit(pieces)

    def _emit(self, pieces: list[tuple[Envelope, str, int]]) -> None:
        room = self._hub.room(pieces[0][0].room)
        if room is None:
            return
        left_out = self._hub.fanout.emit_to_quick(
            room, [envelope for envelope, _, _ in pieces], self._is_behind
        )
        for receiver in left_out:
            missed = self._behind.setdefault(receiver, {})
            for _, msg_id, at in pieces:
                missed.setdefault(msg_id, (room.id, at))
        if left_out:
            self._meter.add(SHED, len(left_out) * len(pieces), Delta.type)
            self._look_again_soon()

    def _is_behind(self, receiver: Receiver) -> bool:
        return receiver in self._behind or self._slow(receiver)

    def _look_again_soon(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(AGAIN, self._look_again)

    def _look_again(self) -> None:
        self._timer = None
        for receiver, missed in list(self._behind.items()):
            if not self._slow(receiver):
                del self._behind[receiver]
                for msg_id, (room, at) in missed.items():
                    self._catch_up(receiver, room, msg_id, at)
        if self._behind:
            self._look_again_soon()

    def _catch_up(self, receiver: Receiver, room_id: str, msg_id: str, at: int) -> None:
        room, known = self._hub.room(room_id), self._texts.get(msg_id)
        if room is None or receiver not in room or known is None or known.room != room_id:
            return  # it has left, or the message is closed, which it was told with the whole text
        if known.start <= at < known.end:
            event = live_event(Delta(msg_id, at, known.text[at - known.start :]), room=room_id)
            self._hub.reply(receiver, receiver.codec.reply(event))

    def stop(self) -> None:
        """Look at no more connections."""
        for timer in (self._timer, self._gathering):
            if timer is not None:
                timer.cancel()
