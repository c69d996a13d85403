"""Puts the events of one room in order. Pure: it asks no store, waits for nothing and needs no event loop.

Envelopes come in any order, twice, or never. `offer` takes one and returns what goes out now, number by number, and
whether something is missing. The hub sends the one and repairs the other.
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
"""By a name of its own: a member is looked up at a price, and every message is."""

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
        """Take a durable envelope, from whichever source. One that was here already is dropped."""
        seq = envelope.seq
        # Nearly all are the next one: asked first, since every message comes by here.
        if seq == self.seq + 1 and envelope.epoch == self.epoch and self.up and envelope.data:
            self.seq = seq
            return self._with_early([envelope]) if self.early else ((envelope,), NOTHING)
        if not envelope.data:
            return self._announced(envelope)
        if not self.up:
            self._keep(envelope)
            return _NOTHING
        if envelope.epoch != self.epoch:
            return _READ  # which epoch holds? the store knows
        if seq <= self.seq:
            return _NOTHING
        self._keep(envelope)
        return self.expect(seq)

    def expect(self, seq: int) -> Step:
        """Number `seq` exists."""
        self.known = max(self.known, seq)
        return _WAIT

    def _announced(self, envelope: Envelope) -> Step:
        # It was too large for the broker: only the store has it.
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

    # ---- the store's word ----

    def stand_at(self, head: Head) -> Step:
        """The store's head is the position. What was kept and is beyond it follows."""
        self.epoch, self.seq, self.up = head.epoch, head.seq, True
        told, self.known = self.known, head.seq
        self.early = {s: e for s, e in self.early.items() if s > head.seq and e.epoch == head.epoch}
        out, missing = self._with_early([]) if self.early else _NOTHING
        if told > self.seq and missing is Missing.NOTHING:  # told while the head was read; or of another past
            missing = Missing.WAIT
        self.known = max(self.known, told)
        return out, missing

    def reset(self, head: Head) -> None:
        """Stand at this head; nothing is missing."""
        self.early.clear()
        self.epoch, self.seq, self.known = head.epoch, head.seq, head.seq

    def contradiction(self, page: Page) -> str | None:
        """Why a page of the store cannot follow the position; None if it can."""
        if page.epoch != self.epoch:
            return "another past"
        return "history is gone" if page.floor > self.seq else None

    def take(self, page: Page) -> Iterable[Event]:
        """The events of a page that follow without a gap, each when it is its turn."""
        for event in page.events:
            if event.seq == self.seq + 1:
                self.seq += 1
                yield event

    def settle(self, last: int, known: int) -> Step:
        """The store was read up to `last`, its newest number, and `known` was known before that.

        What was announced before, and is not there, is not stored: the announcement was wrong, or the store was
        restored, which the position check finds out. What was announced meanwhile may be newer than what was read.
        """
        self.early = {s: e for s, e in self.early.items() if s <= last or s > known}
        if self.known == known:
            self.known = self.seq
        return self._with_early([]) if self.early else _NOTHING
