"""A room's events in order, without a loop: what goes out, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sanic_chatrooms.hub.sequence import EARLY_LIMIT, Missing, Sequencer, Step
from sanic_chatrooms.models import Envelope, Event, Head, Page, Sender

EPOCH, OTHER = "epoch", "other"
NOTHING: tuple[list[int], Missing] = ([], Missing.NOTHING)
WAIT: tuple[list[int], Missing] = ([], Missing.WAIT)
READ: tuple[list[int], Missing] = ([], Missing.READ)


def envelope(seq: int, epoch: str = EPOCH, data: bytes = b"{}") -> Envelope:
    return Envelope("r", epoch, seq, "message", data)


def event(seq: int) -> Event:
    return Event(str(seq), 1.0, "message", msgspec.Raw(b"{}"), "r", seq, Sender("u1", "Ada"), None)


def page(*seqs: int, last: int | None = None, floor: int = 0, epoch: str = EPOCH) -> Page:
    newest = last if last is not None else (seqs[-1] if seqs else 0)
    return Page([event(seq) for seq in seqs], more=False, epoch=epoch, seq=newest, floor=floor)


def at(seq: int, epoch: str = EPOCH) -> Sequencer:
    sequence = Sequencer()
    sequence.stand_at(Head(epoch, seq))
    return sequence


def told(step: Step) -> tuple[list[int], Missing]:
    out, missing = step
    return [one.seq for one in out], missing


def offer(sequence: Sequencer, *seqs: int) -> list[tuple[list[int], Missing]]:
    return [told(sequence.offer(envelope(seq))) for seq in seqs]


def test_the_next_number_goes_out_at_once() -> None:
    sequence = at(3)

    assert offer(sequence, 4) == [([4], Missing.NOTHING)]
    assert sequence.head == Head(EPOCH, 4)


def test_a_number_that_was_here_already_is_dropped() -> None:
    assert offer(at(3), 3, 1) == [NOTHING, NOTHING]


def test_a_number_beyond_a_gap_is_kept_until_the_gap_is_filled() -> None:
    sequence = at(3)

    assert offer(sequence, 6, 5) == [WAIT, WAIT]
    assert sequence.known == 6
    assert offer(sequence, 4) == [([4, 5, 6], Missing.NOTHING)]
    assert not sequence.behind
    assert sequence.early == {}


def test_what_is_kept_beyond_a_second_gap_goes_on_waiting() -> None:
    assert offer(at(0), 2, 4, 1) == [WAIT, WAIT, ([1, 2], Missing.WAIT)]


def test_an_envelope_of_another_epoch_is_for_the_store_to_judge() -> None:
    sequence = at(3)

    assert told(sequence.offer(envelope(4, OTHER))) == READ
    assert sequence.head == Head(EPOCH, 3)


def test_one_of_another_epoch_among_those_that_were_kept_is_for_the_store_to_judge() -> None:
    sequence = at(0)
    offer(sequence, 2)
    sequence.early[2] = envelope(2, OTHER)

    assert offer(sequence, 1) == [([1], Missing.READ)]


def test_an_event_that_was_too_large_for_the_broker_is_read() -> None:
    sequence = at(3)

    assert told(sequence.offer(envelope(4, data=b""))) == READ
    assert sequence.behind
    assert told(sequence.offer(envelope(3, data=b""))) == NOTHING


def test_until_the_position_is_known_envelopes_are_kept() -> None:
    sequence = Sequencer()

    assert offer(sequence, 5, 3) == [NOTHING, NOTHING]
    assert told(sequence.offer(envelope(6, data=b""))) == NOTHING
    assert told(sequence.stand_at(Head(EPOCH, 4))) == ([5], Missing.WAIT)
    assert sequence.behind


def test_what_was_kept_of_another_epoch_is_dropped_when_the_position_is_known() -> None:
    sequence = Sequencer()
    sequence.offer(envelope(5, OTHER))

    assert told(sequence.stand_at(Head(EPOCH, 4))) == NOTHING
    assert sequence.early == {}


def test_no_more_than_so_many_are_kept() -> None:
    sequence = at(0)
    for seq in range(2, EARLY_LIMIT + 100):
        sequence.offer(envelope(seq))

    assert len(sequence.early) == EARLY_LIMIT
    assert sequence.known == EARLY_LIMIT + 99


def test_a_page_of_the_store_fills_the_gap() -> None:
    sequence = at(1)
    offer(sequence, 5)
    known = sequence.known

    assert sequence.contradiction(page(2, 3, 4)) is None
    assert [one.seq for one in sequence.take(page(2, 3, 4))] == [2, 3, 4]
    assert told(sequence.settle(5, known)) == ([5], Missing.NOTHING)


def test_a_page_with_a_gap_is_taken_up_to_the_gap() -> None:
    sequence = at(1)

    assert [one.seq for one in sequence.take(page(2, 4))] == [2]
    assert sequence.seq == 2


def test_what_was_announced_and_is_not_stored_is_given_up() -> None:
    sequence = at(1)
    offer(sequence, 7)

    assert told(sequence.settle(1, sequence.known)) == NOTHING
    assert not sequence.behind
    assert sequence.early == {}


def test_what_was_announced_while_the_store_was_read_is_not_given_up() -> None:
    sequence = at(1)
    known = sequence.known
    offer(sequence, 3)

    assert told(sequence.settle(1, known)) == WAIT
    assert sequence.behind


@pytest.mark.parametrize(
    ("read", "reason"),
    [
        (page(5, epoch=OTHER), "another past"),
        (page(6, floor=5), "history is gone"),
        (page(5, floor=4), None),
        (page(5, floor=0), None),
    ],
)
def test_a_page_that_cannot_follow_is_refused_with_its_reason(read: Page, reason: str | None) -> None:
    assert at(4).contradiction(read) == reason


def test_after_a_reset_nothing_is_missing() -> None:
    sequence = at(1)
    offer(sequence, 5)

    sequence.reset(Head(OTHER, 9))

    assert (sequence.head, sequence.behind, sequence.early) == (Head(OTHER, 9), False, {})


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 30))
def test_in_whatever_order_they_come_they_go_out_once_and_in_order(seed: int, count: int) -> None:
    dice = Random(seed)
    coming = [seq for seq in range(1, count + 1) for _ in range(dice.choice((1, 2)))]
    dice.shuffle(coming)
    sequence = at(0)

    steps: Sequence[Step] = [sequence.offer(envelope(seq)) for seq in coming]

    assert [one.seq for out, _ in steps for one in out] == list(range(1, count + 1))
    assert not sequence.behind
