"""Frames as a server sends them, to the byte."""

from __future__ import annotations

import pytest

from sanic_chatrooms.websocket.frames import close_frame, frame, pong_frame


@pytest.mark.parametrize(
    ("size", "head"),
    [
        (0, b"\x81\x00"),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (1023, b"\x81\x7e\x03\xff"),
        (1024, b"\x81\x7e\x04\x00"),
        (65_535, b"\x81\x7e\xff\xff"),
        (65_536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_text_frames_have_the_shortest_length(size: int, head: bytes) -> None:
    assert frame(b"x" * size) == head + b"x" * size


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("enough", "enough"),
        ("x" * 123, "x" * 123),
        ("x" * 124, "x" * 123),
        ("\u00e9" * 62, "\u00e9" * 61),
        ("x\u20ac" + "\u20ac" * 41, "x" + "\u20ac" * 40),
        ("\U0001f600" * 31, "\U0001f600" * 30),
    ],
)
def test_close_reasons_end_at_the_end_of_a_character(reason: str, text: str) -> None:
    data = close_frame(4503, reason)

    assert data[:2] == bytes((0x88, 2 + len(text.encode())))
    assert data[2:4] == (4503).to_bytes(2, "big")
    assert data[4:].decode() == text


def test_a_pong_has_the_payload_of_its_ping() -> None:
    assert pong_frame(b"1234") == b"\x8a\x041234"
