"""The receiving side of RFC 6455 for a server: bytes in, messages out. It needs no socket and no framework.

It is fast: frames are cut out of the chunk from the socket, without a copy if the chunk ends with a frame, and only
complete messages cause a call. It is safe: every limit is checked on the header, before anything is buffered, and a
frame that arrives byte by byte is appended to one buffer and parsed once, when it is complete.
"""

import codecs
import time
from collections.abc import Callable
from typing import Protocol

__all__ = ["CONTROL_BURST", "CONTROL_RATE", "FRAGMENT_LIMIT", "Reader", "Taker", "Unmask", "apply_mask"]

FRAGMENT_LIMIT = 256
"""Frames of one message, at most: even empty frames cost memory …"""
FRAGMENT_BYTES = 64
"""… and one more for every so many bytes received."""
CONTROL_RATE = 10.0
"""Pings and pongs per second that a peer may send …"""
CONTROL_BURST = 100.0
"""… and in a burst."""


def apply_mask(data: bytes | bytearray, mask: bytes | bytearray) -> bytes:
    """XOR the data with the four bytes of the mask, repeated (RFC 6455 §5.3)."""
    key = (mask * (len(data) // 4 + 1))[: len(data)]
    return (int.from_bytes(data, "little") ^ int.from_bytes(key, "little")).to_bytes(len(data), "little")


Unmask = Callable[[bytes | bytearray, bytes | bytearray], bytes]
"""Takes data and mask, and returns the unmasked data."""
_CONT, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0, 1, 2, 8, 9, 10
# Codes that may stand in a close frame (RFC 6455 §7.4, and the registry's later ones).
_CLOSE_CODES = frozenset((1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014))


class Taker(Protocol):
    """Takes what a reader has read besides text. One object for each connection, in the place of five functions."""

    def take_binary(self, data: bytes) -> None:
        """A binary message."""

    def take_ping(self, payload: bytes) -> None:
        """A ping."""

    def take_pong(self) -> None:
        """A pong."""

    def take_close(self, code: int, reason: str) -> None:
        """A close frame, once."""

    def take_failure(self, code: int, reason: str) -> None:
        """The peer has broken a rule, once: 1002 protocol, 1007 UTF-8, 1008 flood, 1009 size."""


class Reader:
    """Feed it chunks. It calls `message` for each text message (bytes, checked to be UTF-8), and `taker` for all else.

    After a close frame or a failure, nothing more is read. The number of pings and pongs is limited. `mask` unmasks frames: pass one that is
    written in C.
    """

    __slots__ = (
        "_buffer", "_clock", "_control_at", "_controls", "_decoder", "_fragments", "_is_text", "_mask", "_need", "_size", "_start",
        "_taker", "done", "max_size", "message", "paused",
    )  # fmt: skip

    def __init__(
        self,
        max_size: int,
        message: Callable[[bytes], None],
        taker: Taker,
        *,
        mask: Unmask = apply_mask,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.max_size = max_size
        """Bytes that one message may have, over all its fragments."""
        self.paused = False
        """Set it, also from within `message`, to leave what follows in the buffer. To go on, unset it and feed b""."""
        self.done = False
        """A close frame or a violation was read, so nothing more is read."""
        self.message = message
        self._taker = taker
        self._mask = mask
        self._clock = clock
        self._buffer = bytearray()
        self._start = 0
        self._need = 2
        self._fragments: list[bytes] | None = None
        self._size = 0
        self._is_text = False
        self._decoder: codecs.IncrementalDecoder | None = None
        self._controls = CONTROL_BURST
        self._control_at = clock()

    @property
    def missing(self) -> int:
        """Bytes that the present frame still needs, as far as that is known."""
        return max(0, self._need - (len(self._buffer) - self._start))

    def feed(self, chunk: bytes) -> None:
        """Take a chunk from the socket."""
        if self.done:
            return
        data: bytes | bytearray = chunk
        start = 0
        if self._buffer:
            self._buffer += chunk
            data, start = self._buffer, self._start
            if len(data) - start < self._need:
                return
        if self.paused:
            self._keep(data, start)
            return
        start = self._read(data, start)
        if data is self._buffer or start < len(data):
            self._keep(data, start)

    def _keep(self, data: bytes | bytearray, start: int) -> None:
        """Buffer what has not been read, from `start` on."""
        if data is self._buffer:
            if start >= len(data):
                self._buffer = bytearray()
                self._start = 0
            elif start > 65_536:
                # The rest is moved to the front once per 64 KiB, so each byte is moved about once.
                del self._buffer[:start]
                self._start = 0
            else:
                self._start = start
        elif start < len(data):
            self._buffer = bytearray(memoryview(data)[start:])
            self._start = 0

    # Longer than other functions: a call per step would cost as much as the step, for every frame of every client.
    def _read(self, data: bytes | bytearray, pos: int) -> int:
        """Read complete frames from `pos` on; -> where the first incomplete one begins. `_need`: bytes it takes to go on."""
        end, unmask = len(data), self._mask
        while not self.paused:
            left = end - pos
            if left < 2:
                self._need = 2
                return pos
            first, second = data[pos], data[pos + 1]
            size = second & 0x7F
            header = 6
            if size == 126:
                header = 8
                if left < 4:
                    self._need = 4
                    return pos
                size = data[pos + 2] << 8 | data[pos + 3]
            elif size == 127:
                header = 14
                if left < 10:
                    self._need = 10
                    return pos
                size = int.from_bytes(data[pos + 2 : pos + 10], "big")
            # A whole, masked text frame of allowed size needs no closer look.
            plain = first == 0x81 and self._fragments is None and second & 0x80 and size <= self.max_size
            if not plain and not self._allowed(first, second, size):
                return end
            if left < header + size:
                self._need = header + size
                return pos
            body = pos + header
            # Four zero bytes mask nothing; clients that trust their transport send them.
            payload = unmask(data[body : body + size], data[body - 4 : body])
            pos = body + size
            if first == 0x81:
                if payload.isascii() or self._is_utf8(payload):
                    self.message(payload)
            else:
                self._take(first, payload)
            if self.done:
                return end
        self._need = 2  # what was paused may be whole frames
        return pos

    def _allowed(self, first: int, second: int, size: int) -> bool:
        """Judge a header (RFC 6455 §5.2, §5.4, §5.5); False: the connection has failed."""
        opcode = first & 0x0F
        if first & 0x70:
            return self._fail(1002, "reserved bits are set, but no extension was agreed on")
        if not second & 0x80:
            return self._fail(1002, "frames from a client must be masked")
        if opcode >= 8:
            return self._control_allowed(first, opcode, size)
        if opcode > 2:
            return self._fail(1002, "unknown opcode")
        if opcode == _CONT and self._fragments is None:
            return self._fail(1002, "continuation of nothing")
        if opcode != _CONT and self._fragments is not None:
            return self._fail(1002, "a new message inside another one")
        if size >= 1 << 63:
            return self._fail(1002, "length is negative")
        if size + self._size > self.max_size:
            return self._fail(1009, f"message is larger than {self.max_size} bytes")
        if self._fragments and len(self._fragments) >= FRAGMENT_LIMIT + self._size // FRAGMENT_BYTES:
            return self._fail(1008, "too many fragments")
        return True

    def _control_allowed(self, first: int, opcode: int, size: int) -> bool:
        if opcode > _PONG:
            return self._fail(1002, "unknown opcode")
        if not first & 0x80:
            return self._fail(1002, "control frames cannot be fragmented")
        if size > 125:
            return self._fail(1002, "control frames have at most 125 bytes")
        return True

    def _take(self, first: int, payload: bytes) -> None:
        opcode = first & 0x0F
        if opcode == _CLOSE:
            self._take_close(payload)
        elif opcode >= 8:
            self._take_control(opcode, payload)
        elif opcode == _BINARY and first & 0x80:
            self._taker.take_binary(payload)
        else:
            self._take_fragment(first, opcode, payload)

    def _take_fragment(self, first: int, opcode: int, payload: bytes) -> None:
        if self._fragments is None:
            self._fragments = []
            self._is_text = opcode == _TEXT
            self._decoder = codecs.getincrementaldecoder("utf-8")() if self._is_text else None
        final = bool(first & 0x80)
        if self._decoder is not None:
            try:
                self._decoder.decode(payload, final)
            except UnicodeDecodeError:
                self._fail(1007, "text is not valid UTF-8")
                return
        self._fragments.append(payload)
        self._size += len(payload)
        if final:
            whole = b"".join(self._fragments)
            self._fragments, self._size = None, 0
            (self.message if self._is_text else self._taker.take_binary)(whole)

    def _take_control(self, opcode: int, payload: bytes) -> None:
        now = self._clock()
        self._controls = min(CONTROL_BURST, self._controls + (now - self._control_at) * CONTROL_RATE) - 1
        self._control_at = now
        if self._controls < 0:
            self._fail(1008, "too many pings")
        elif opcode == _PING:
            self._taker.take_ping(payload)
        else:
            self._taker.take_pong()

    def _take_close(self, payload: bytes) -> None:
        if not payload:
            self._close(1005, "")
            return
        code = int.from_bytes(payload[:2], "big") if len(payload) > 1 else 0
        if code not in _CLOSE_CODES and not 3000 <= code <= 4999:
            self._fail(1002, "invalid close code")
            return
        try:
            reason = payload[2:].decode()
        except UnicodeDecodeError:
            self._fail(1007, "the reason is not valid UTF-8")
            return
        self._close(code, reason)

    def _close(self, code: int, reason: str) -> None:
        self._end()
        self._taker.take_close(code, reason)

    def _is_utf8(self, payload: bytes) -> bool:
        try:
            payload.decode()
        except UnicodeDecodeError:
            return self._fail(1007, "text is not valid UTF-8")
        return True

    def _fail(self, code: int, reason: str) -> bool:
        self._end()
        self._taker.take_failure(code, reason)
        return False

    def _end(self) -> None:
        self.done = True
        self._buffer = bytearray()
        self._fragments = None
