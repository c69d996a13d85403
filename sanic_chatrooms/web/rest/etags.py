"""Entity tags of what is read, and the two headers that compare them.

A tag is `"digest"`, or `"version.digest"` of what can be edited. The digest is that of the body, so `If-None-Match` hears of every
change. `If-Match` compares the version alone: a reaction to a message does not keep its author from editing it.
"""

import re
from collections.abc import Iterator
from hashlib import blake2b

import msgspec

from ...models import Room
from ...verbs.properties import updated
from ...wire.encode import encode

__all__ = ["etag_of", "is_known", "matches", "room_tag", "version_of"]

PROPERTIES = (
    "title", "topic", "visibility", "attributes", "permissions", "historyVisibility", "slowMode", "announce", "archived",
)  # fmt: skip
"""What an update of a room changes: its version is theirs."""
_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e]*)"')


class _Changed(msgspec.Struct):
    seq: int = 0
    changed: int = 0


_changed = msgspec.json.Decoder(_Changed)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def etag_of(type: str, body: bytes) -> str:
    """The tag of an answer to a command of this type."""
    version = _version(type, body)
    return f'"{version}.{_digest(body)}"' if version else f'"{_digest(body)}"'


def _version(type: str, body: bytes) -> str:
    if type == "thread":
        message = _changed.decode(body)
        return f"{message.seq}-{message.changed}"
    if type == "room":
        fields = _fields.decode(body)
        return _digest(encode([fields.get(name) for name in PROPERTIES]))
    return ""


def room_tag(room: Room) -> str:
    """A tag with the version of a room, as that of its answer has it."""
    return f'"{_version("room", encode(updated(room, None, room)))}"'


def version_of(tag: str) -> str:
    """The part of a tag that `If-Match` compares: the version, or all of it."""
    return tag.strip('"').partition(".")[0]


def _digest(data: bytes) -> str:
    return blake2b(data, digest_size=12).hexdigest()


def is_known(header: str | None, tag: str) -> bool:
    """Whether `If-None-Match` names this tag, so that a 304 does."""
    return header is not None and (
        header.strip() == "*" or tag.strip('"') in {its for _, its in _tags(header)}
    )


def matches(header: str, tag: str) -> bool:
    """Whether `If-Match` names the version of this tag."""
    if header.strip() == "*":
        return True
    return version_of(tag) in {version_of(its) for weak, its in _tags(header) if not weak}


def _tags(header: str) -> Iterator[tuple[bool, str]]:
    return ((bool(weak), tag) for weak, tag in _TAG.findall(header))
