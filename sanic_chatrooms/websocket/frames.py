"""Frames as a server sends them (RFC 6455 §5.2), unmasked and unfragmented."""

from collections.abc import Iterator

__all__ = ["PING", "close_frame", "frame", "pong_frame", "texts"]

PING = b"\x89\x00"


def frame(text: bytes) -> bytes:
    """A text frame."""
    size = len(text)
    if size < 126:
        return bytes((0x81, size)) + text
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + text
    return b"\x81\x7f" + size.to_bytes(8, "big") + text


def texts(frames: bytes) -> Iterator[bytes]:
    """What `frame` made frames of, one after the other."""
    at = 0
    while at < len(frames):
        size, at = frames[at + 1], at + 2
        if size >= 126:
            width = 2 if size == 126 else 8
            size, at = int.from_bytes(frames[at : at + width], "big"), at + width
        yield frames[at : at + size]
        at += size


def pong_frame(payload: bytes) -> bytes:
    """The answer to a ping (§5.5.3), with its payload of at most 125 bytes."""
    return bytes((0x8A, len(payload))) + payload


def close_frame(code: int, reason: str) -> bytes:
    """A close frame (§5.5.1); the reason is cut to 123 bytes at a character's end."""
    text = reason.encode()[:123].decode(errors="ignore").encode()
    body = int(code).to_bytes(2, "big") + text
    return bytes((0x88, len(body))) + body
