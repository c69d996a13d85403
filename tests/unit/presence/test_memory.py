"""What `MemoryPresence` does beyond the contract of presences, which tests/conformance holds it to."""

from __future__ import annotations

import random

import pytest

from sanic_chatrooms.errors import ConfigError, Unavailable
from sanic_chatrooms.models import Scope, Sender
from sanic_chatrooms.presence.base import Entry
from sanic_chatrooms.presence.memory import SEEN_FOR, MemoryBoard, MemoryPresence
from sanic_chatrooms.testing import Clock

TTL = 60.0


async def _node(board: MemoryBoard, clock: Clock, name: str = "one") -> MemoryPresence:
    presence = MemoryPresence(board, clock=clock)
    await presence.start("test", name, TTL)
    return presence


def _entry(room: str = "r", user: str = "u") -> Entry:
    return Entry(room, Sender(user, user))


def test_reaches_no_further_than_its_process() -> None:
    assert MemoryPresence.scope is Scope.PROCESS


async def test_without_a_board_is_alone() -> None:
    one, other = MemoryPresence(), MemoryPresence()
    await one.start("test", "one", TTL)
    await other.start("test", "other", TTL)

    await one.touch([_entry()])

    assert await other.count(["r"]) == {"r": 0}


async def test_entry_lives_until_the_very_end_of_its_ttl() -> None:
    clock = Clock()
    presence = await _node(MemoryBoard(), clock)
    await presence.touch([_entry()])

    clock.advance(TTL - 0.001)
    before = await presence.count(["r"])
    clock.advance(0.001)

    assert (before, await presence.count(["r"])) == ({"r": 1}, {"r": 0})


async def test_seen_is_remembered_for_a_day_and_then_forgotten() -> None:
    clock = Clock()
    presence = await _node(MemoryBoard(), clock)
    await presence.touch([_entry(user="early")])
    clock.advance(10)
    await presence.touch([_entry(user="late")])
    await presence.drop([_entry(user="late")])

    clock.advance(SEEN_FOR - 5)

    assert await presence.seen(["early", "late"]) == {"late": clock() - SEEN_FOR + 5}


async def test_who_comes_back_keeps_nobody_else_from_being_forgotten() -> None:
    clock = Clock()
    presence = await _node(MemoryBoard(), clock)
    await presence.touch([_entry(user="back"), _entry(user="gone")])
    clock.advance(SEEN_FOR / 2)
    await presence.touch([_entry(user="back")])

    clock.advance(SEEN_FOR / 2 + 1)

    assert set(await presence.seen(["back", "gone"])) == {"back"}


async def test_started_twice_is_refused_and_says_what_to_do() -> None:
    presence = await _node(MemoryBoard(), Clock())

    with pytest.raises(ConfigError, match="one MemoryPresence per app"):
        await presence.start("test", "other", TTL)


async def test_not_running_is_unavailable() -> None:
    presence = MemoryPresence()
    for call in (
        presence.touch([_entry()]),
        presence.drop([]),
        presence.list("r"),
        presence.count(["r"]),
        presence.online([]),
    ):
        with pytest.raises(Unavailable):
            await call


async def test_board_keeps_nothing_of_those_who_are_gone() -> None:
    clock, board = Clock(), MemoryBoard()
    one, other = await _node(board, clock), await _node(board, clock, "other")
    await one.touch([_entry(f"room.{n}", f"u{n}") for n in range(50)])
    await other.touch([_entry(f"room.{n}", f"u{n}") for n in range(50)])

    await one.stop()
    clock.advance(SEEN_FOR + 1)
    await other.count([])

    sheet = board.sheet("test")
    assert (sheet.present, sheet.rooms_of, sheet.seen, sheet._until) == ({}, {}, {}, {})


@pytest.mark.parametrize("seed", range(5))
async def test_is_that_of_a_plain_table(seed: int) -> None:
    """Random touches, drops and waits on three nodes, compared with a table that is searched through each time."""
    rng, clock, board = random.Random(seed), Clock(), MemoryBoard()
    nodes = {name: await _node(board, clock, name) for name in "abc"}
    table: dict[tuple[str, str, str], float] = {}

    def present(room: str) -> set[str]:
        return {user for (where, user, _), until in table.items() if where == room and until > clock()}

    for _ in range(1_500):
        name, room, user = rng.choice("abc"), rng.choice("rst"), rng.choice("uvwx")
        before = user in present(room)
        if rng.random() < 0.6:
            (came,) = await nodes[name].touch([_entry(room, user)])
            table[room, user, name] = clock() + TTL
            assert came is not before
        else:
            (went,) = await nodes[name].drop([_entry(room, user)])
            table.pop((room, user, name), None)
            assert went is (before and user not in present(room))
        if rng.random() < 0.2:
            clock.advance(rng.random() * TTL / 2)
        asked = nodes[rng.choice("abc")]
        assert [who.id for who in (await asked.list(room)).users] == sorted(present(room))
        assert await asked.count("rst") == {each: len(present(each)) for each in "rst"}
        assert await asked.online("uvwx") == set().union(*map(present, "rst"))
