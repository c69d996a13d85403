"""Messages that are being written, and leases: what the store keeps of them, as facts of their rooms.

A message that is being written is an event like any other, and the fact "stream" about its id: its body with the text as it was
kept last, by whom it is written, and when something was heard of it. The fact goes with the event that closes the message.
Everything that changes the fact names the value that it replaces, so of two processes only one succeeds.
"""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from ..errors import RoomNotFound
from ..models import EVERYONE, RESERVED, Fact, Known, Room, Sender, Streaming
from ..support.clock import now
from ..support.ids import is_stream_id

if TYPE_CHECKING:  # the contract itself has these as methods
    from .base import Store
    from .pages import FactPage

__all__ = [
    "PLACE",
    "STREAM",
    "STREAMS",
    "OpenStream",
    "checkpoint",
    "ending",
    "lease",
    "open_streams",
    "opening",
    "stream",
    "streaming_of",
    "streams_in",
    "take_over",
    "text_of",
    "with_text",
]

STREAM = "stream"
"""The fact about a message that is being written; its key is the message's id."""
STREAMS = "streams"
"""The fact about "" that a room has, or had lately, such messages."""
PLACE = "place"
"""The fact about a number that this message takes, or took, one of the places of its room (`verbs.stream_limits`)."""
LEASE = "lease"
PAGE, BODIES = 200, 20
"""Facts that are read at a time, and messages, whose texts may be long."""


class _Kept(msgspec.Struct, omit_defaults=True):
    """The value of the fact."""

    fence: int
    heard_at: float
    body: msgspec.Raw
    by: Sender | None = None
    app: bool = False


class OpenStream(msgspec.Struct, frozen=True):
    """A message that is being written."""

    room: str
    msg_id: str
    seq: int
    """The number of its `message`."""
    writer: Sender | None
    """None: the app."""
    app: bool
    """Code of the app writes it."""
    fence: int
    """Goes up when another process takes it over."""
    heard_at: float
    """When something was kept of it, in Unix seconds."""
    body: bytes
    """As it was sent at first, with the text as it was kept last."""
    value: bytes
    """The fact as it stands, which a change of it has to name."""

    @property
    def text(self) -> str:
        """The text as it was kept last."""
        return text_of(self.body)


class _Lease(msgspec.Struct):
    fence: int
    until: float


class _Text(msgspec.Struct):
    text: Any = ""


_kept = msgspec.json.Decoder(_Kept).decode
_lease = msgspec.json.Decoder(_Lease).decode
_text = msgspec.json.Decoder(_Text).decode
_any = msgspec.json.Decoder(float_hook=float).decode
_encode = msgspec.json.Encoder().encode


# ---- bodies ----


def text_of(body: bytes) -> str:
    """The text of a message's body; "" where the app gave it none."""
    text = _text(body).text
    return text if isinstance(text, str) else ""


def with_text(body: bytes, text: str) -> bytes:
    """The body with another text."""
    return _encode({**_any(body), "text": text})


def streaming_of(msg_id: str, payload: bytes) -> Streaming | None:
    """What the event of a new message shows if the message is going to be written."""
    return Streaming(len(text_of(payload))) if is_stream_id(msg_id) else None


# ---- the fact ----


def opening(msg_id: str, writer: Sender | None, body: bytes, *, app: bool = False) -> tuple[Fact, ...]:
    """The facts of an event that opens a message. `app`: code of the app does."""
    value = _encode(_Kept(1, now(), msgspec.Raw(body), writer, app))
    return Fact(STREAM, msg_id, value), Fact(STREAMS, "", _encode(msg_id))


def ending(msg_id: str, known: OpenStream | None = None) -> Fact:
    """The fact of an event that closes a message, as it is `known`; or erases it, however it is."""
    return Fact(STREAM, msg_id, None, was=None if known is None else known.value)


def _open(known: Known) -> OpenStream:
    kept = _kept(known.value)
    body = bytes(kept.body)
    return OpenStream(
        known.room, known.key, known.since, kept.by, kept.app, kept.fence, kept.heard_at, body, known.value
    )


async def stream(store: "Store", room: str, msg_id: str) -> OpenStream | None:
    """The message, if it is being written."""
    known = await store.fact(room, STREAM, msg_id)
    return None if known is None else _open(known)


async def streams_in(store: "Store", room: str) -> AsyncIterator[OpenStream]:
    """All messages that are being written in a room. Raises `RoomNotFound`."""
    cursor: str | None = None
    while True:
        page = await store.facts(room, STREAM, cursor=cursor, limit=BODIES)
        for known in page.facts:
            yield _open(known)
        if (cursor := page.cursor) is None:
            return


async def _exchange(store: "Store", was: OpenStream, kept: _Kept) -> bool:
    value = _encode(kept)
    return value == was.value or await store.set_fact(
        was.room, Fact(STREAM, was.msg_id, value, was=was.value)
    )


async def checkpoint(store: "Store", room: str, msg_id: str, text: str, fence: int) -> bool:
    """See `Store.checkpoint`."""
    known = await stream(store, room, msg_id)
    if known is None or known.fence != fence:
        return False
    body = msgspec.Raw(with_text(known.body, text))
    return await _exchange(store, known, _Kept(fence, now(), body, known.writer, known.app))


async def take_over(store: "Store", room: str, msg_id: str) -> OpenStream | None:
    """Write the message in this process from now on; -> the message as it was kept last, or None if it is not being written."""
    while (known := await stream(store, room, msg_id)) is not None:
        kept = _Kept(known.fence + 1, now(), msgspec.Raw(known.body), known.writer, known.app)
        if await _exchange(store, known, kept):
            return replace(known, fence=kept.fence, heard_at=kept.heard_at, value=_encode(kept))
    return None


async def open_streams(store: "Store", before: float, limit: int) -> list[OpenStream]:
    """See `Store.open_streams`."""
    found: list[OpenStream] = []
    cursor: str | None = None
    while True:
        page = await store.facts_of(STREAMS, "", cursor=cursor, limit=PAGE)
        for known in page.facts:
            found += await _silent_in(store, known.room, before, limit - len(found))
            if len(found) >= limit:
                return found
        if (cursor := page.cursor) is None:
            return found


async def _silent_in(store: "Store", room: str, before: float, limit: int) -> list[OpenStream]:
    found: list[OpenStream] = []
    there = False
    try:
        marks = await store.facts(room, STREAMS, limit=PAGE)
        async for known in streams_in(store, room):
            there = True
            if known.heard_at < before:
                found.append(known)
                if len(found) >= limit:
                    break
        if not there:
            await _forget(store, room, marks)
    except RoomNotFound:
        return []
    return found


async def _forget(store: "Store", room: str, marks: "FactPage") -> None:
    """Forget the marks of a room. One that another message has renewed meanwhile stays. The room is found by that about "": it
    goes when there are no others, which earlier versions made."""
    for mark in reversed(marks.facts):
        if mark.key or marks.cursor is None:
            await store.set_fact(room, Fact(STREAMS, mark.key, None, was=mark.value))


# ---- leases ----


async def lease(store: "Store", name: str, seconds: float, fence: int) -> int:
    """See `Store.lease`."""
    while True:
        known = await store.fact(EVERYONE, LEASE, name)
        held = None if known is None else _lease(known.value)
        if held is not None and held.until > now() and held.fence != fence:
            return 0
        mine = fence if held is not None and held.fence == fence else (held.fence if held else 0) + 1
        value = _encode(_Lease(mine, now() + seconds))
        wanted: dict[str, Any] = {"was": b"" if known is None else known.value}
        try:
            if await store.set_fact(EVERYONE, Fact(LEASE, name, value, **wanted)):
                return mine
        except RoomNotFound:
            made = Room(EVERYONE, "", 0, visibility=RESERVED, created_at=now(), auto=True)
            await store.create_room(made)
