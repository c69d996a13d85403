"""Which events of a room somebody may read."""

from __future__ import annotations

from random import Random

import pytest

from sanic_chatrooms.access.standing import Standing
from sanic_chatrooms.access.visibility import EVERYTHING, LAST, Seen, seen_by
from sanic_chatrooms.models import DIRECT, PRIVATE, PUBLIC, Room

GUEST = Standing("guest", 1)
OUTSIDER = Standing()
VALUES = ("world", "members", "invited", "joined")


def member(joined: int, *, invited: int | None = None, by_event: bool = True) -> Standing:
    return Standing("member", 10, joined, role_seq=joined if by_event else 0, invited_seq=invited)


def room(visibility: str = PRIVATE, shown: str | None = None, seq: int = 50, **more: object) -> Room:
    return Room("r", "e", seq, visibility=visibility, history_visibility=shown, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("visibility", [PUBLIC, PRIVATE, DIRECT])
def test_members_read_everything_where_nothing_else_was_ever_said(visibility: str) -> None:
    assert seen_by(room(visibility), member(7)) is EVERYTHING


def test_others_read_a_public_room_up_to_what_is_known_of_it() -> None:
    assert list(seen_by(room(PUBLIC), GUEST)) == [(1, 50)]
    assert list(seen_by(room(PRIVATE), OUTSIDER)) == []


def test_a_stay_begins_with_the_event_that_made_the_member_or_behind_what_was_there() -> None:
    joined = room(shown="joined")

    assert list(seen_by(joined, member(7))) == [(7, LAST)]
    assert list(seen_by(joined, member(7, by_event=False))) == [(8, LAST)]


def test_who_was_invited_reads_from_the_invitation_on() -> None:
    invited = room(shown="invited")

    assert list(seen_by(invited, member(7, invited=3))) == [(3, LAST)]
    assert list(seen_by(invited, member(7))) == [(7, LAST)]


def test_each_event_is_judged_by_what_held_when_it_was_stored() -> None:
    changed = room(PUBLIC, history=((1, "joined"), (10, "members"), (20, "invited"), (30, "world")))

    assert list(seen_by(changed, GUEST)) == [(30, 50)]
    assert list(seen_by(changed, member(25, invited=22))) == [(10, 19), (22, LAST)]
    assert list(seen_by(changed, member(5))) == [(5, LAST)]


def test_ranges_are_cut_at_a_number() -> None:
    seen = Seen([(3, 5), (9, 12)])

    assert seen.above(0) == [(3, 5), (9, 12)]
    assert seen.above(4) == [(5, 5), (9, 12)]
    assert seen.above(5) == [(9, 12)]
    assert seen.above(12) == []
    assert seen.below(LAST) == [(9, 12), (3, 5)]
    assert seen.below(10) == [(9, 9), (3, 5)]
    assert seen.below(9) == seen.below(6) == [(3, 5)]
    assert seen.below(3) == []
    assert (seen.covers(3, 5), seen.covers(3, 6), seen.covers(5, 9)) == (True, False, False)
    assert (None in seen, 2 in seen, EVERYTHING.everything, seen.everything) == (False, False, True, False)


@pytest.mark.parametrize("seed", range(50))
def test_it_is_what_asking_for_each_event_would_say(seed: int) -> None:
    random = Random(seed)
    seq = random.randrange(1, 40)
    starts = sorted({1, *(random.randrange(1, seq + 2) for _ in range(random.randrange(6)))})
    history = tuple((start, random.choice(VALUES)) for start in starts)
    joined = random.choice((None, random.randrange(seq + 1)))
    invited = random.choice((None, random.randrange(seq + 1)))
    standing = GUEST if joined is None else member(joined, invited=invited, by_event=random.random() < 0.7)
    found = seen_by(Room("r", "e", seq, history=history), standing)

    assert [n in found for n in range(seq + 1)] == [_may(n, history, standing) for n in range(seq + 1)]
    assert list(found) == sorted(found)
    assert (seq + 1 in found) is (joined is not None), "what comes while one is there is for everybody"


def _may(seq: int, history: tuple[tuple[int, str], ...], standing: Standing) -> bool:
    if seq < 1:
        return False
    value = [shown for start, shown in history if start <= seq][-1]
    joined = standing.joined_seq
    if value == "world":
        return True
    if joined is None:
        return False
    since = joined if standing.role_seq == joined else joined + 1
    if value == "members" or seq >= since:
        return True
    return value == "invited" and standing.invited_seq is not None and seq >= standing.invited_seq
