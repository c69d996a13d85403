"""Frames as a server sends them (RFC 6455 §5.2), unmasked and unfragmented."""

__all__ = ["PING", "close_frame", "frame", "pong_frame"]

PING = b"\x89\x00"


def _head(size: int) -> bytes:
    if size < 126:
        return bytes((0x81, size))
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big")
    return b"\x81\x7f" + size.to_bytes(8, "big")


_HEADS = [_head(size) for size in range(1024)]
"""Of nearly all frames. To make one takes longer than to write it before its text."""


def frame(text: bytes) -> bytes:
    """A text frame."""
    size = len(text)
    return (_HEADS[size] if size < len(_HEADS) else _head(size)) + text


def pong_frame(payload: bytes) -> bytes:
    """The answer to a ping (§5.5.3), with its payload of at most 125 bytes."""
    return bytes((0x8A, len(payload))) + payload


def close_frame(code: int, reason: str) -> bytes:
    """A close frame (§5.5.1); the reason is cut to 123 bytes at a character's end."""
    text = reason.encode()[:123].decode(errors="ignore").encode()
    body = int(code).to_bytes(2, "big") + text
    return bytes((0x88, len(body))) + body
