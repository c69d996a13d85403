"""Frames as no decent client sends them, but most of them sound: else no connection would get beyond its first ones."""

from __future__ import annotations

import random

from tests.support.wire import masked

__all__ = ["Fuzzer"]

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class Fuzzer:
    """The frames of one connection: text in fragments with pings between, and about one in fifty breaks a rule. `binary`: the share of binary ones."""

    def __init__(
        self,
        dice: random.Random,
        texts: tuple[bytes, ...] = (b"", b"x", "Ä€😀".encode() * 9),
        *,
        binary: float = 0.05,
    ) -> None:
        self._dice = dice
        self._binary = binary
        self._texts = texts
        self._fragments: list[bytes] = []

    def frame(self) -> bytes:
        chance = self._dice.random()
        if chance < 0.02:
            return self._broken()
        if chance < 0.05:
            return self._masked(
                self._dice.choice((PING, PONG)), self._dice.randbytes(self._dice.randint(0, 125))
            )
        if self._fragments:
            piece = self._fragments.pop(0)
            return self._masked(CONT, piece, fin=not self._fragments)
        if chance < 0.05 + self._binary:
            return self._masked(BINARY, self._dice.randbytes(self._dice.randint(0, 300)))
        text = self._dice.choice(self._texts)
        if chance < 0.7:
            return self._masked(TEXT, text)
        cuts = sorted(self._dice.randint(0, len(text)) for _ in range(self._dice.randint(1, 5)))
        pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        self._fragments = pieces[1:]
        return self._masked(TEXT, pieces[0], fin=False)

    def _masked(self, opcode: int, data: bytes, **how: bool) -> bytes:
        return masked(opcode, data, key=self._dice.choice((bytes(4), self._dice.randbytes(4))), **how)

    def _broken(self) -> bytes:
        dice = self._dice
        kind = dice.randint(0, 7)
        if kind == 0:
            return dice.randbytes(dice.randint(1, 20))
        if kind == 1:  # any opcode, any payload, out of turn
            return self._masked(
                dice.randint(0, 15), dice.randbytes(dice.randint(0, 140)), fin=dice.random() < 0.5
            )
        if kind == 2:  # not UTF-8, as a rule
            return self._masked(TEXT, dice.randbytes(dice.randint(1, 40)))
        if kind == 3:
            return self._masked(CLOSE, dice.randbytes(dice.choice((0, 1, 2, 2, 30, 125))))
        if kind == 4:
            return self._masked(
                CLOSE, dice.choice((1000, 1005, 1016, 3000, 4999, 5000)).to_bytes(2, "big") + b"bye"
            )
        if kind == 5:  # a length that is not there
            return bytes((0x81, dice.choice((0xFE, 0xFF)))) + dice.randbytes(12)
        if kind == 6:  # one bit is another
            sound = bytearray(self._masked(TEXT, dice.choice(self._texts)))
            sound[dice.randrange(len(sound))] ^= 1 << dice.randrange(8)
            return bytes(sound)
        return b"\x81\x02{}"  # not masked
