"""What a server sends, taken apart again."""

import json
from typing import Any

__all__ = ["Frame", "decode_frames"]

Frame = dict[str, Any]
"""A JSON object, as a client gets it."""


def decode_frames(data: bytes) -> list[Frame]:
    """What unmasked, unfragmented text frames hold (RFC 6455 §5.2), one JSON object each. Raises `ValueError`."""
    found: list[Frame] = []
    at = 0
    while at < len(data):
        text, at = _next_text(data, at)
        found.append(json.loads(text))
    return found


def _next_text(data: bytes, at: int) -> tuple[bytes, int]:
    if data[at] != 0x81:
        raise ValueError(f"byte {at} begins no whole text frame: {data[at]:#x}")
    size, start = data[at + 1], at + 2
    if size in (126, 127):
        width = 2 if size == 126 else 8
        size, start = int.from_bytes(data[start : start + width], "big"), start + width
    if size & 0x80 and start == at + 2:
        raise ValueError("a server masks nothing")
    if len(data) < start + size:
        raise ValueError(f"the frame at byte {at} is cut off")
    return data[start : start + size], start + size
