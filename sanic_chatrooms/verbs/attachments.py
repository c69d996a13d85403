"""Attachments: files that a message names. The chat keeps their addresses, and the app keeps the files.

What a message has attached is a fact about it, stored with the message. It stays until the app has heard that the message has it no longer
(`unattached`).
"""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec

from ..auth.names import is_visible
from ..errors import InvalidField
from ..models import Fact
from ..wire.encode import encode

__all__ = [
    "FILED",
    "FILES",
    "Attachment",
    "Filed",
    "attached",
    "check_attachments",
    "filed",
    "files_in",
    "with_others",
]

FILES = "files"
"""The kind of the fact about a message that it has, or had, attachments. In the room that all workers hold: about a deleted room."""
FILED = "filed"
"""The kind of the fact about a room that such messages are, or were, in it."""
MOST = 10
"""Attachments of one message."""
LONGEST_URL, LONGEST_NAME, LONGEST_TYPE = 2_048, 255, 127
"""Characters."""
LARGEST, WIDEST = 2**50, 1_000_000
"""Bytes of a file; pixels."""
_TYPE = re.compile(r"[\w.+!#$&^-]+/[\w.+!#$&^-]+", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_UNSEEN = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u202a-\\u202e\\u2066-\\u2069]")
"""Control characters, and those that turn the direction of a text: with them, `exe` looks like `jpg`."""
_PLAIN = re.compile(r"[!-\[\]-~]+")  # printable ASCII without a backslash, which browsers read as a slash


class Attachment(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file of a message. `url`: https, or a path of the app. `size` in bytes; `sha256` in hexadecimal; `width` and `height` in pixels."""

    url: str
    name: str
    type: str
    size: int
    sha256: str
    width: int | None = None
    height: int | None = None


class Filed(msgspec.Struct, frozen=True):
    """The value of the fact `FILES` about a message."""

    files: list[Attachment]


def check_attachments(files: Sequence[Attachment], within: str = "") -> None:
    """Check the `attachments` of a body. `within`: the field that has the body. Raises `InvalidField` that names the field."""
    start = f"{within}." if within else ""
    if len(files) > MOST:
        raise InvalidField(f"must be at most {MOST}", field=f"{start}attachments", limit=MOST)
    for at, file in enumerate(files):
        for name, fits, rule in _rules(file):
            if not fits:
                raise InvalidField(rule, field=f"{start}attachments[{at}].{name}")


def _rules(file: Attachment) -> list[tuple[str, bool, str]]:
    sizes = [(name, getattr(file, name)) for name in ("width", "height")]
    return [
        (
            "url",
            _is_address(file.url),
            f"must be https:// or a path of this server, of at most {LONGEST_URL} characters",
        ),
        (
            "name",
            len(file.name) <= LONGEST_NAME and is_visible(file.name) and not _UNSEEN.search(file.name),
            f"must have 1 to {LONGEST_NAME} characters that can be seen, and none that turns a text around",
        ),
        (
            "type",
            len(file.type) <= LONGEST_TYPE and _TYPE.fullmatch(file.type) is not None,
            "must be a media type, such as image/png",
        ),
        ("size", 0 <= file.size <= LARGEST, "must be a number of bytes"),
        ("sha256", _SHA256.fullmatch(file.sha256) is not None, "must be 64 characters of 0-9 and a-f"),
        *((name, size is None or 0 < size <= WIDEST, "must be a number of pixels") for name, size in sizes),
    ]


def _is_address(url: str) -> bool:
    if len(url) > LONGEST_URL or not _PLAIN.fullmatch(url):
        return False
    if url.startswith("/"):
        return not url.startswith("//")
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" and bool(parts.hostname) and parts.username is None
    except ValueError:
        return False


class _Named(msgspec.Struct):
    attachments: list[Attachment] | None = None


_named = msgspec.json.Decoder(_Named)


def files_in(payload: bytes) -> list[Attachment]:
    """The attachments in a body that is stored. Those that do not fit are none."""
    if b'"attachments"' not in payload and b"\\" not in payload:
        return []  # most are not even decoded
    try:
        return _named.decode(payload).attachments or []
    except msgspec.DecodeError:
        return []  # the app has published something else under this name


def attached(msg_id: str, files: Sequence[Attachment]) -> tuple[Fact, ...]:
    """What is stored with a new message that has these attachments."""
    return (Fact(FILED, "", b"true"), _fact(msg_id, files, b"")) if files else ()


def with_others(msg_id: str, files: Sequence[Attachment], known: bytes | None) -> tuple[Fact, ...]:
    """What is stored with an edit to these attachments. `known`: the fact about the message; None: there is none."""
    if not files:
        return ()
    before = [] if known is None else filed.decode(known).files
    urls = {file.url for file in files}
    both = [*files, *(file for file in before if file.url not in urls)]
    return Fact(FILED, "", b"true"), _fact(msg_id, both, known or b"")


def _fact(msg_id: str, files: Sequence[Attachment], was: bytes) -> Fact:
    return Fact(FILES, msg_id, encode(Filed(list(files))), was=was)


filed = msgspec.json.Decoder(Filed)
