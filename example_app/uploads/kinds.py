"""What a file is, by its content. Its name and what the browser says of it count for nothing."""

import re
import unicodedata
from typing import NamedTuple

from sanic_chatrooms import ChatError

__all__ = ["Kind", "WrongFile", "kind_of", "plain_name"]

MOST_PIXELS = 50_000_000  # a small file may be a picture that fills the memory of a browser
LONGEST_NAME = 120
START_OF_FRAME = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")


class WrongFile(ChatError):
    """A file that is not taken. The message is shown to the user."""

    code = "wrong_file"
    http_status = 415


class Kind(NamedTuple):
    """A media type; of pictures also the size in pixels."""

    type: str
    width: int | None = None
    height: int | None = None

    @property
    def is_picture(self) -> bool:
        return self.width is not None


def kind_of(content: bytes) -> Kind:
    """Raises `WrongFile` for everything but pictures, PDF, ZIP (and so documents of office programs) and plain text."""
    if not content:
        raise WrongFile("This file is empty.")
    picture = picture_in(content)
    if picture is not None:
        if not (picture.width and picture.height) or picture.width * picture.height > MOST_PIXELS:
            raise WrongFile("This picture has too many pixels, or none.")
        return picture
    if content.startswith(b"%PDF-"):
        return Kind("application/pdf")
    if content.startswith(b"PK\x03\x04"):
        return Kind("application/zip")
    if is_text(content):
        return Kind("text/plain")
    raise WrongFile("Files of this kind cannot be sent here: only pictures, PDF, ZIP and plain text.")


def picture_in(content: bytes) -> Kind | None:
    if content.startswith(b"\x89PNG\r\n\x1a\n") and content[12:16] == b"IHDR":
        return Kind("image/png", big(content, 16, 4), big(content, 20, 4))
    if content.startswith((b"GIF87a", b"GIF89a")):
        return Kind("image/gif", little(content, 6, 2), little(content, 8, 2))
    if content.startswith(b"\xff\xd8\xff"):
        return jpeg(content)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return webp(content)
    return None


def jpeg(content: bytes) -> Kind:
    at = 2
    while at + 9 < len(content) and content[at] == 0xFF:
        marker, length = content[at + 1], big(content, at + 2, 2)
        if marker in START_OF_FRAME:
            return Kind("image/jpeg", big(content, at + 7, 2), big(content, at + 5, 2))
        at += 2 + length if marker != 0xFF else 1
    return Kind("image/jpeg", 0, 0)


def webp(content: bytes) -> Kind:
    match content[12:16]:
        case b"VP8X":
            return Kind("image/webp", little(content, 24, 3) + 1, little(content, 27, 3) + 1)
        case b"VP8L":
            bits = little(content, 21, 4)
            return Kind("image/webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
        case b"VP8 ":
            return Kind("image/webp", little(content, 26, 2) & 0x3FFF, little(content, 28, 2) & 0x3FFF)
    return Kind("image/webp", 0, 0)


def big(content: bytes, at: int, size: int) -> int:
    return int.from_bytes(content[at : at + size], "big")


def little(content: bytes, at: int, size: int) -> int:
    return int.from_bytes(content[at : at + size], "little")


def is_text(content: bytes) -> bool:
    try:
        return NO_TEXT.search(content.decode()) is None
    except UnicodeDecodeError:
        return False


def plain_name(name: str) -> str:
    """A name that is only a name: no folders, nothing invisible, and nothing that turns letters around."""
    name = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    name = "".join(letter for letter in name if unicodedata.category(letter)[0] not in "CZ" or letter == " ")
    name = " ".join(name.split()).lstrip(".")
    stem, dot, end = name.rpartition(".")
    if len(name) > LONGEST_NAME:
        name = f"{stem[: LONGEST_NAME - 10]}{dot}{end[:9]}" if dot else name[:LONGEST_NAME]
    return name or "file"
