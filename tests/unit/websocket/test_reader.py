"""RFC 6455 as the reader keeps it: frames in any cut, every rule, every limit."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sanic_chatrooms.testing import Clock
from sanic_chatrooms.websocket import reader
from sanic_chatrooms.websocket.reader import CONTROL_BURST, FRAGMENT_BYTES, FRAGMENT_LIMIT, Reader, apply_mask
from tests.support.wire import masked

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MAX = 70_000


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, key: bytes = b"\x11\x22\x33\x44", rsv: int = 0
) -> bytes:
    return masked(opcode, payload, fin=fin, key=key, rsv=rsv)


class Heard:
    """A reader and what it said."""

    def __init__(self, max_size: int = MAX) -> None:
        self.clock = Clock()
        self.said: list[tuple[Any, ...]] = []
        self.reader = Reader(max_size, lambda m: self.said.append(("text", m)), self, clock=self.clock)

    def take_binary(self, data: bytes) -> None:
        self.said.append(("binary", data))

    def take_ping(self, payload: bytes) -> None:
        self.said.append(("ping", payload))

    def take_pong(self) -> None:
        self.said.append(("pong",))

    def take_close(self, code: int, reason: str) -> None:
        self.said.append(("closed", code, reason))

    def take_failure(self, code: int, reason: str) -> None:
        self.said.append(("failed", code))

    def feed(self, *chunks: bytes) -> list[tuple[Any, ...]]:
        for chunk in chunks:
            self.reader.feed(chunk)
        return self.said


@pytest.fixture
def heard() -> Heard:
    return Heard()


# ---- masks ----


@given(data=st.binary(max_size=300), mask=st.binary(min_size=4, max_size=4))
def test_a_mask_is_applied_byte_by_byte(data: bytes, mask: bytes) -> None:
    assert apply_mask(data, mask) == bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))


# ---- messages ----


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, MAX])
def test_text_of_every_length_form(heard: Heard, size: int) -> None:
    assert heard.feed(frame(TEXT, b"x" * size)) == [("text", b"x" * size)]


def test_several_frames_in_one_chunk(heard: Heard) -> None:
    assert heard.feed(frame(TEXT, b"a") + frame(TEXT, b"b") + frame(TEXT, b"c")[:3]) == [
        ("text", b"a"),
        ("text", b"b"),
    ]


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_any_cut_of_a_stream_says_the_same(data: st.DataObject) -> None:
    parts = [
        frame(TEXT, "Ä€😀".encode()),
        frame(TEXT, b"one", fin=False),
        frame(PING, b"between"),
        frame(CONT, b"", fin=False),
        frame(CONT, b" two"),
        frame(BINARY, b"\xff" * 300),
        frame(TEXT, b"z" * 66_000),
        frame(CLOSE, (1000).to_bytes(2, "big") + b"bye"),
    ]
    stream = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=30)))
    whole, cut = Heard(), Heard()

    whole.feed(stream)
    cut.feed(*(stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)))

    assert cut.said == whole.said
    assert whole.said[-1] == ("closed", 1000, "bye")
    assert ("text", b"one two") in whole.said


def test_byte_by_byte_costs_no_more_than_the_bytes(heard: Heard) -> None:
    """A frame that drips in is looked at once, when it is whole: the buffer grows and nothing is copied again."""
    stream = frame(TEXT, b"x" * 60_000)
    looks = 0
    read = heard.reader._read

    for byte in stream:
        before = heard.reader._need
        heard.reader.feed(bytes((byte,)))
        looks += before != heard.reader._need

    assert heard.said == [("text", b"x" * 60_000)]
    assert looks <= 4
    assert callable(read)


def test_a_ping_inside_a_message_comes_before_it(heard: Heard) -> None:
    stream = frame(TEXT, b"a", fin=False) + frame(PING, b"p") + frame(CONT, b"b")

    assert heard.feed(stream) == [("ping", b"p"), ("text", b"ab")]


def test_a_pause_leaves_the_rest_for_later(heard: Heard) -> None:
    _pause_after_each(heard)
    heard.feed(frame(TEXT, b"1") + frame(TEXT, b"2"), frame(TEXT, b"3"))
    assert heard.said == [("text", b"1")]

    for _ in range(2):
        heard.reader.paused = False
        heard.feed(b"")
    assert heard.said == [("text", b"1"), ("text", b"2"), ("text", b"3")]


def test_a_pause_after_a_frame_that_came_in_pieces_hides_nothing_of_what_follows(heard: Heard) -> None:
    _pause_after_each(heard)
    large = frame(TEXT, b"x" * 1_000)

    heard.feed(large[:500], large[500:] + frame(TEXT, b"2"))
    heard.reader.paused = False
    heard.feed(b"")

    assert heard.said == [("text", b"x" * 1_000), ("text", b"2")]


def _pause_after_each(heard: Heard) -> None:
    def take(message: bytes) -> None:
        heard.said.append(("text", message))
        heard.reader.paused = True

    heard.reader.message = take


class Counting(bytearray):
    """A buffer that counts the bytes which are copied into it and moved within it."""

    copied = 0

    def __init__(self, data: bytes | memoryview = b"") -> None:
        super().__init__(data)
        Counting.copied += len(data)

    def __iadd__(self, data: Any) -> Counting:  # type: ignore[misc]
        Counting.copied += len(data)
        return super().__iadd__(data)

    def __delitem__(self, what: Any) -> None:
        super().__delitem__(what)
        Counting.copied += len(self)


@pytest.mark.parametrize(
    ("stream", "cut"),
    [
        pytest.param(frame(TEXT, b"x" * 60_000), 1, id="a large frame, byte by byte"),
        pytest.param(frame(TEXT, b"x" * 300_000) * 4, 1_400, id="larger ones, segment by segment"),
        pytest.param(frame(TEXT, b"x" * 20) * 10_000, 7, id="small ones, in bits"),
        pytest.param(frame(TEXT, b"x" * 20) * 10_000, 200_000, id="small ones, paused after each"),
    ],
)
def test_no_byte_is_copied_more_than_twice_on_its_way(
    stream: bytes, cut: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "bytearray", Counting, raising=False)
    Counting.copied = 0
    heard = Heard(max_size=1 << 20)
    if cut > 100_000:
        _pause_after_each(heard)

    for at in range(0, len(stream), cut):
        heard.feed(stream[at : at + cut])
        while heard.reader.paused:
            heard.reader.paused = False
            heard.feed(b"")

    assert len(heard.said) in (1, 4, 10_000)
    assert Counting.copied <= 2 * len(stream)


# ---- rules ----


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (b"\x81\x01a", 1002),  # not masked
        (frame(TEXT, b"a", rsv=0x40), 1002),
        (frame(TEXT, b"a", rsv=0x20), 1002),
        (frame(TEXT, b"a", rsv=0x10), 1002),
        *((frame(opcode, b"a"), 1002) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
        (frame(CONT, b"a"), 1002),
        (frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"), 1002),
        (frame(PING, b"a", fin=False), 1002),
        (b"\x89\xfe\x00\x7e", 1002),  # a ping of 126 bytes: refused on its header
        (b"\x81\xff" + (1 << 63).to_bytes(8, "big"), 1002),
        (b"\x81\xff" + (MAX + 1).to_bytes(8, "big"), 1009),  # nothing of it was buffered
        (frame(TEXT, b"x" * MAX, fin=False) + b"\x80\x81", 1009),
        (frame(TEXT, b"\xff"), 1007),
        (frame(TEXT, b"\xed\xa0\x80"), 1007),  # a surrogate
        (frame(TEXT, b"\xc3", fin=False) + frame(CONT, b"("), 1007),
        (frame(TEXT, b"\xc3", fin=False) + frame(CONT, b""), 1007),  # cut in the middle of a character
        (frame(CLOSE, b"\x03"), 1002),
        (frame(CLOSE, b"\x03\xe8\xff"), 1007),
        *(
            (frame(CLOSE, code.to_bytes(2, "big")), 1002)
            for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65535)
        ),
    ],
)
def test_a_broken_rule_has_its_code(heard: Heard, stream: bytes, code: int) -> None:
    heard.feed(stream)

    assert heard.said == [("failed", code)]
    assert heard.reader.done
    assert heard.feed(frame(TEXT, b"more")) == [("failed", code)]


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1011, 1012, 1014, 3000, 3999, 4000, 4999])
def test_a_close_frame_is_told_with_its_code(heard: Heard, code: int) -> None:
    assert heard.feed(frame(CLOSE, code.to_bytes(2, "big") + "ä".encode())) == [("closed", code, "ä")]


def test_a_close_frame_without_a_code(heard: Heard) -> None:
    assert heard.feed(frame(CLOSE)) == [("closed", 1005, "")]


def test_a_character_may_be_cut_by_fragments(heard: Heard) -> None:
    euro = "€".encode()

    assert heard.feed(frame(TEXT, euro[:1], fin=False) + frame(CONT, euro[1:])) == [("text", euro)]


# ---- floods ----


def test_pings_are_answered_up_to_a_burst_and_then_at_a_rate(heard: Heard) -> None:
    heard.feed(frame(PING) * int(CONTROL_BURST))
    assert len(heard.said) == CONTROL_BURST

    heard.clock.advance(1.0)
    heard.feed(frame(PING) * 10)
    assert len(heard.said) == CONTROL_BURST + 10

    heard.feed(frame(PONG))
    assert heard.said[-1] == ("failed", 1008)


def test_empty_fragments_are_limited(heard: Heard) -> None:
    heard.feed(frame(TEXT, fin=False) + frame(CONT, fin=False) * (FRAGMENT_LIMIT - 1))
    assert heard.said == []

    heard.feed(frame(CONT, fin=False))
    assert heard.said == [("failed", 1008)]


def test_a_large_message_may_have_more_fragments() -> None:
    heard = Heard(max_size=1 << 20)
    piece = b"x" * FRAGMENT_BYTES

    heard.feed(frame(TEXT, piece, fin=False), *[frame(CONT, piece, fin=False)] * 5_000, frame(CONT))

    assert heard.said == [("text", piece * 5_001)]


def test_a_header_alone_buffers_nothing_of_what_it_promises() -> None:
    heard = Heard(max_size=1 << 40)

    heard.feed(b"\x81\xff" + (1 << 40).to_bytes(8, "big"))

    assert len(heard.reader._buffer) == 10


def test_a_pong_is_told_and_its_payload_dropped(heard: Heard) -> None:
    assert heard.feed(frame(0xA, b"1"), frame(0xA)) == [("pong",), ("pong",)]
