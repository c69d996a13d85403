"""Makes drafts for the journal: their hashes, and the check of a message's body."""

from collections.abc import Collection, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any, TypedDict

import msgspec

from ..errors import InvalidField, TooLarge
from ..models import Draft, Fact, Relation, Sender
from ..support.clock import now
from ..support.ids import new_id
from ..wire.decode import Command, decode_payload
from .attachments import Attachment, attached, check_attachments

__all__ = ["Body", "Effects", "check_body", "check_mentions", "command_hash", "draft", "parent_in"]


class Effects(TypedDict, total=False):
    """The effects of an event: fields of `Draft`. `msg_id`: the message's own id; None: a new one."""

    about: Relation | None
    facts: tuple[Fact, ...]
    restricts: bool
    only_if_changed: bool
    spaced: float
    files: Sequence[Attachment]
    """What a new message has attached."""
    mentions: tuple[str, ...]
    msg_id: str | None


def draft(
    room: str,
    type: str,
    payload: bytes,
    sender: Sender | None,
    *,
    key: tuple[str, str] | None = None,
    hash: bytes = b"",
    timestamp: float | None = None,
    about: Relation | None = None,
    facts: tuple[Fact, ...] = (),
    judged: int | None = None,
    restricts: bool = False,
    only_if_changed: bool = False,
    judged_in: str | None = None,
    spaced: float = 0,
    files: Sequence[Attachment] = (),
    mentions: tuple[str, ...] = (),
    msg_id: str | None = None,
) -> Draft:
    """A draft with an id, a time and a key. The key makes it safe to append the draft again after an unknown outcome."""
    if msg_id is None:
        msg_id = new_id()
    if files:
        facts = (*facts, *attached(msg_id, files))
    # Positional: keywords cost three times as much as the struct.
    return Draft(
        room, type, payload, msg_id, timestamp or now(), sender, key or ("", msg_id), hash,
        about, facts, judged, restricts, only_if_changed, judged_in, spaced, mentions,
    )  # fmt: skip


# `float`: the decoder itself takes up to 50 µs for numbers that are hard to read.
_decode = msgspec.json.Decoder(float_hook=float).decode
_encode_sorted = msgspec.json.Encoder(order="sorted").encode
_LONGEST_TYPE = blake2b.PERSON_SIZE
WRITTEN_ANEW = 4096
"""Payloads up to so many bytes are compared by content, larger ones by their text."""


def command_hash(command: Command) -> bytes:
    """The hash by which a repetition of the same msgId is compared: of the type and the payload, however its JSON is written."""
    payload = command.payload
    # Most messages are plain, and need no decoding. Large payloads are not decoded either, because that can take long.
    if payload is not command.plain and len(payload) <= WRITTEN_ANEW:
        payload = _encode_sorted(_decode(payload))
    hash = _begun(command.type).copy()
    hash.update(payload)
    digest: bytes = hash.digest()
    return digest


@lru_cache(maxsize=64)
def _begun(type: str) -> Any:
    """What is the same for all commands of a type: to copy it takes less time than to begin anew."""
    encoded = type.encode()
    begun = blake2b(digest_size=16, person=encoded[:_LONGEST_TYPE])
    if len(encoded) > _LONGEST_TYPE:
        begun.update(encoded)
    return begun


class Body(msgspec.Struct, gc=False):
    """The fields of a message's body that are checked. The body is stored as it was written."""

    text: str
    parent: str | None = None
    mentions: list[str] | None = None
    attachments: list[Attachment] | None = None


_body = msgspec.json.Decoder(Body)
NO_MORE = Body("")
"""What a plain message has besides its text."""
MENTIONS = 50
"""Users and roles that a message may mention."""


def check_body(payload: bytes, max_text: int, *, within: str = "") -> Body:
    """Check a message's body: {"text": …, "parent"?: …, "mentions"?: […], …}. Raises `InvalidField`, `TooLarge` (in characters)."""
    body = decode_payload(payload, _body, within)
    size = len(body.text)
    if size > max_text:
        raise TooLarge(f"{within or 'payload'}.text has too many characters", limit=max_text, size=size)
    if body.attachments or body.mentions:
        check_named(body, within)
    return body


def check_named(body: Body, within: str = "") -> None:
    """Check the files, users and roles that a message names. Raises `InvalidField`."""
    if body.attachments:
        check_attachments(body.attachments, within)
    check_mentions(body.mentions, within)


def check_mentions(names: Collection[str] | None, within: str = "") -> None:
    """Check how many a message mentions. Raises `InvalidField`."""
    if names and len(names) > MENTIONS:
        field = f"{within}.mentions" if within else "mentions"
        raise InvalidField(f"names more than {MENTIONS} users and roles", field=field, limit=MENTIONS)


class _Reply(msgspec.Struct):
    parent: str | None = None


_reply = msgspec.json.Decoder(_Reply)


def parent_in(payload: bytes) -> str | None:
    """The server's id of the message that the one with this body replies to; None: it replies to none. Raises `InvalidField`."""
    return decode_payload(payload, _reply).parent
