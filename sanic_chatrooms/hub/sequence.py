"""Puts the events of one room in order. Pure: it needs no store and no event loop.

Envelopes come in any order, twice, or never. `offer` takes one and returns the envelopes that go out now, and whether
numbers are missing. The hub sends the envelopes and repairs the gap.
"""

import enum
from collections.abc import Iterable, Sequence

from ..models import Envelope, Event, Head, Page

__all__ = ["EARLY_LIMIT", "NOTHING", "Missing", "Sequencer", "Step"]

EARLY_LIMIT = 10_000
"""Envelopes kept beyond a gap, per room. The store has them all, so the rest may be dropped."""


class Missing(enum.Enum):
    """What the caller has to do to get the numbers that are missing."""

    NOTHING = "nothing"
    WAIT = "wait"
    """A lower number has not come yet. Most come by themselves in a moment."""
    READ = "read"
    """Only the store can tell: read it now."""


NOTHING = Missing.NOTHING
"""A constant, because looking up an enum member costs more, and `Hub.deliver` compares for every message."""

Step = tuple[Sequence[Envelope], Missing]
"""The envelopes that go out now, in order, and what is missing after them."""

_NOTHING: Step = ((), NOTHING)
_WAIT: Step = ((), Missing.WAIT)
_READ: Step = ((), Missing.READ)


class Sequencer:
    """The position of one room, and the envelopes that came too early.

    `up`: the position is known. Until then envelopes are kept, and none goes out.
    """

    __slots__ = ("early", "epoch", "known", "seq", "up")

    def __init__(self) -> None:
        self.up = False
        self.epoch = ""
        self.seq = 0
        """The number that went out last."""
        self.known = 0
        """The highest number that is known to exist."""
        self.early: dict[int, Envelope] = {}

    @property
    def behind(self) -> bool:
        """A number exists that has not gone out."""
        return self.up and self.seq < self.known

    @property
    def head(self) -> Head:
        """The position: everything up to this number has gone out."""
        return Head(self.epoch, self.seq)

    # ---- envelopes ----

    def offer(self, envelope: Envelope) -> Step:
        """Take a durable envelope. One that has gone out already is dropped."""
        seq = envelope.seq
        # First the common case: every message comes by here.
        if seq == self.seq + 1 and envelope.epoch == self.epoch and self.up and envelope.data:
            self.seq = seq
            return self._with_early([envelope]) if self.early else ((envelope,), NOTHING)
        if not envelope.data:
            return self._announced(envelope)
        if not self.up:
            self._keep(envelope)
            return _NOTHING
        if envelope.epoch != self.epoch:
            return _READ  # only the store knows which epoch is the present one
        if seq <= self.seq:
            return _NOTHING
        self._keep(envelope)
        return self.expect(seq)

    def expect(self, seq: int) -> Step:
        """Number `seq` exists."""
        self.known = max(self.known, seq)
        return _WAIT

    def _announced(self, envelope: Envelope) -> Step:
        # Its data was too large for the broker: it has to be read from the store.
        if self.up and envelope.epoch == self.epoch and envelope.seq <= self.seq:
            return _NOTHING
        self.known = max(self.known, envelope.seq)
        return _READ if self.up else _NOTHING

    def _keep(self, envelope: Envelope) -> None:
        if len(self.early) < EARLY_LIMIT:
            self.early[envelope.seq] = envelope

    def _with_early(self, out: list[Envelope]) -> Step:
        """`out`, and what was kept and follows it without a gap."""
        early = self.early
        while (envelope := early.pop(self.seq + 1, None)) is not None:
            if envelope.epoch != self.epoch:
                return out, Missing.READ
            self.seq += 1
            out.append(envelope)
        for seq in [s for s in early if s <= self.seq]:
            del early[seq]
        if not early:
            return out, Missing.NOTHING
        self.expect(max(early))
        return out, Missing.WAIT

    # ---- what the store says ----

    def stand_at(self, head: Head) -> Step:
        """Start at the store's head. Returns the kept envelopes that follow it."""
        self.epoch, self.seq, self.up = head.epoch, head.seq, True
        told, self.known = self.known, head.seq
        self.early = {s: e for s, e in self.early.items() if s > head.seq and e.epoch == head.epoch}
        out, missing = self._with_early([]) if self.early else _NOTHING
        if (
            told > self.seq and missing is Missing.NOTHING
        ):  # announced while the head was read, or in another epoch
            missing = Missing.WAIT
        self.known = max(self.known, told)
        return out, missing

    def reset(self, head: Head) -> None:
        """Continue at this head. Nothing is missing."""
        self.early.clear()
        self.epoch, self.seq, self.known = head.epoch, head.seq, head.seq

    def contradiction(self, page: Page) -> str | None:
        """Why a page of the store cannot follow the position; None if it can."""
        if page.epoch != self.epoch:
            return "another past"
        return "history is gone" if page.floor > self.seq else None

    def take(self, page: Page) -> Iterable[Event]:
        """The events of a page that follow without a gap."""
        for event in page.events:
            if event.seq == self.seq + 1:
                self.seq += 1
                yield event

    def settle(self, last: int, known: int) -> Step:
        """The store was read up to its newest number, `last`. Before that, `known` was known.

        A number that was announced before, and is not in the store, was announced wrongly, or the store was restored;
        the comparison of positions finds out. A number that was announced meanwhile may be newer than what was read.
        """
        self.early = {s: e for s, e in self.early.items() if s <= last or s > known}
        if self.known == known:
            self.known = self.seq
        return self._with_early([]) if self.early else _NOTHING
