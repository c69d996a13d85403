"""Who is here: told once per user, after a grace when they vanish, over several workers, and when presence is away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any

import pytest

from sanic_chatrooms.brokers.memory import MemoryBroker, MemoryBus
from sanic_chatrooms.errors import Unavailable
from sanic_chatrooms.hub.hub import Hub
from sanic_chatrooms.live.diff import NAMES_LIMIT
from sanic_chatrooms.live.here import Here
from sanic_chatrooms.live.presence import ANYWHERE, LOOK_EVERY, STEP, Occupancy
from sanic_chatrooms.models import Envelope, Room, Sender, user_room
from sanic_chatrooms.presence.base import Entry
from sanic_chatrooms.presence.memory import MemoryBoard, MemoryPresence
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.memory.store import MemoryStore
from sanic_chatrooms.testing import Clock
from sanic_chatrooms.testing.frames import decode_frames
from sanic_chatrooms.websocket.codec import FRAMES
from tests.support.scans import no_scan

ADA, BOB = Sender("u1", "Ada"), Sender("u2", "Bob")
GRACE, TTL = 10.0, 60.0


class Flaky(MemoryPresence):
    """A presence that can be away, and can be interrupted: `meanwhile` runs before the next `drop` or `touch` answers."""

    waits = True
    away = False
    uncountable = False
    """It takes changes, and answers no question."""
    unanswered = 0
    """So many of the next changes are carried out, and nobody hears of it."""
    lost: Collection[str] = ()
    """Rooms that cannot be counted, while others can."""
    unheard: Collection[str] = ()
    """Rooms of which it takes no changes, while it takes others."""
    meanwhile: Callable[[], Awaitable[None]] | None = None

    async def touch(self, entries: Sequence[Entry]) -> list[bool | None]:  # type: ignore[override]
        self._be_there()
        return await self._answered(entries, await super().touch(self._heard(entries)))

    async def drop(self, entries: Sequence[Entry]) -> list[bool | None]:  # type: ignore[override]
        self._be_there()
        return await self._answered(entries, await super().drop(self._heard(entries)))

    def _heard(self, entries: Sequence[Entry]) -> list[Entry]:
        return [entry for entry in entries if entry.room not in self.unheard]

    async def count(self, rooms: Collection[str]) -> dict[str, int]:
        self._be_there(asked=True)
        there = set(rooms).difference(self.lost, self.unheard)
        if rooms and not there:
            raise Unavailable
        return await super().count(there)

    async def online(self, users: Collection[str], *, room: str | None = None) -> set[str]:
        self._be_there(asked=True)
        return await super().online(users, room=room)

    def _be_there(self, *, asked: bool = False) -> None:
        if self.away or (asked and self.uncountable):
            raise Unavailable

    async def _answered(self, entries: Sequence[Entry], heard: list[bool]) -> list[bool | None]:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        if self.unanswered:
            self.unanswered -= 1
            raise Unavailable
        answers = iter(heard)
        return [None if entry.room in self.unheard else next(answers) for entry in entries]


class Ear:
    """A session in the room, as the hub sees it."""

    codec = FRAMES
    check_every = 65_536

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def push(self, frames: bytes, replies: bytes = b"") -> None:
        self.write(frames)

    def write(self, frames: bytes) -> None:
        self.heard += [event["payload"] for event in decode_frames(frames)]

    def reply(self, frames: bytes) -> None: ...

    def evicted(self, room: str) -> None: ...


class Worker:
    """One process: a hub that holds the room "a", and its occupancy. Its envelopes go to `others`."""

    def __init__(self, clock: Clock, board: MemoryBoard | None = None) -> None:
        self.clock = clock
        self.presence = Flaky(board, clock=clock)
        self.ear = Ear()
        self.others: list[Worker] = []
        self.emptied: list[str] = []

    async def start(self, node: str = "one") -> None:
        store, broker = MemoryStore(), MemoryBroker(MemoryBus())
        self.hub = Hub(store, broker)
        await store.start("test", Bounds())
        await broker.start("test", self.hub.deliver, lambda: None)
        await self.presence.start("test", node, TTL)
        self.hub.start()
        self.occupancy = Occupancy(
            self.presence,
            self.hub,
            self._ring,
            grace=GRACE,
            ttl=TTL,
            clock=self.clock,
            emptied=self.emptied.append,
        )
        await store.create_room(Room("a", "", 0))
        held = await self.hub.enter(self.ear, "a")
        self.hub.admit(self.ear, held)

    def _ring(self, envelope: Envelope) -> None:
        for other in self.others:
            other.hub.deliver(envelope)

    async def pass_time(self, seconds: float) -> None:
        for _ in range(int(seconds)):
            self.clock.advance(1)
            await self.occupancy.refresh()
            self.occupancy.sweep()

    def told(self) -> list[tuple[list[str], list[str], int]]:
        """Each `presence` event of the room: who came, who went, how many are here."""
        self.hub.flush()
        return [
            ([u["name"] for u in e["joined"]], [u["name"] for u in e["left"]], e["online"])
            for e in self.ear.heard
        ]

    def renamed(self) -> list[list[str]]:
        """The same events: who goes by another name."""
        self.hub.flush()
        return [[user["name"] for user in e.get("renamed", [])] for e in self.ear.heard]

    async def present(self) -> list[str]:
        return [user.name for user in (await self.presence.list("a")).users]


@pytest.fixture(params=[True, False], ids=["waits", "waits for nothing"])
async def worker(request: pytest.FixtureRequest) -> Worker:
    worker = Worker(Clock())
    worker.presence.waits = request.param  # type: ignore[misc]
    await worker.start()
    return worker


waits = pytest.mark.parametrize("worker", [True], indirect=True)
"""For a backend in whose calls other things happen."""


# ---- one worker ----


async def test_who_comes_and_takes_another_name_is_told_of_by_that(worker: Worker) -> None:
    await worker.occupancy.entered("a", ADA)
    worker.occupancy.sweep()
    await worker.occupancy.entered("a", Sender("eve", "Guest 7"))
    await worker.occupancy.renamed(["a"], Sender("eve", "Eve"))
    await worker.pass_time(1)

    assert worker.told() == [(["Ada"], [], 1), (["Eve"], [], 2)]


async def test_the_room_hears_once_that_somebody_goes_by_another_name(worker: Worker) -> None:
    await worker.occupancy.entered("a", ADA)
    await worker.pass_time(1)
    await worker.occupancy.renamed(["a", ANYWHERE], Sender("u1", "Countess"))
    await worker.occupancy.renamed(["a", ANYWHERE], Sender("u1", "Lovelace"))
    await worker.occupancy.renamed(["a"], Sender("u1", "Ada King"))
    await worker.pass_time(3)

    assert worker.renamed() == [[], ["Countess"], ["Ada King"]]
    assert worker.told() == [(["Ada"], [], 1), ([], [], 1), ([], [], 1)]
    assert await worker.present() == ["Ada King"]


async def test_a_new_name_is_told_once_the_backend_is_back(worker: Worker) -> None:
    await worker.occupancy.entered("a", ADA)
    worker.presence.away = True
    await worker.occupancy.renamed(["a"], Sender("u1", "Countess"))
    worker.presence.away = False
    await worker.pass_time(2)

    assert worker.renamed() == [[], ["Countess"]]


async def test_of_who_left_under_a_new_name_the_room_hears_only_that_they_left(worker: Worker) -> None:
    await worker.occupancy.entered("a", ADA)
    await worker.occupancy.renamed(["a"], Sender("u1", "Countess"))
    worker.occupancy.exited("a", "u1", at_once=True)
    await worker.pass_time(2)

    assert worker.renamed() == [[], []]
    assert worker.told()[1:] == [([], ["Countess"], 0)]


async def test_who_comes_and_says_goodbye(worker: Worker) -> None:
    await worker.occupancy.entered("a", ADA)
    assert worker.told() == [(["Ada"], [], 1)]

    worker.occupancy.exited("a", "u1", at_once=True)
    await worker.pass_time(1)

    assert worker.told() == [(["Ada"], [], 1), ([], ["Ada"], 0)]
    assert await worker.present() == []


async def test_a_user_is_here_once_however_many_connections(worker: Worker) -> None:
    for _ in range(3):
        await worker.occupancy.entered("a", ADA)
    for _ in range(2):
        worker.occupancy.exited("a", "u1", at_once=True)
    await worker.pass_time(20)
    assert worker.told() == [(["Ada"], [], 1)]

    worker.occupancy.exited("a", "u1", at_once=True)
    await worker.pass_time(1)

    assert worker.told()[1:] == [([], ["Ada"], 0)]


async def test_who_vanishes_is_missed_after_the_grace(worker: Worker) -> None:
    await worker.occupancy.entered("a", ADA)
    worker.occupancy.exited("a", "u1")

    await worker.pass_time(GRACE - 1)
    assert len(worker.told()) == 1
    assert await worker.present() == ["Ada"]
    await worker.pass_time(1)

    assert worker.told()[1:] == [([], ["Ada"], 0)]


async def test_who_comes_back_within_the_grace_was_never_gone(worker: Worker) -> None:
    await worker.occupancy.entered("a", ADA)
    worker.occupancy.exited("a", "u1")
    await worker.pass_time(GRACE - 1)

    await worker.occupancy.entered("a", ADA)
    await worker.pass_time(3 * GRACE)

    assert worker.told() == [(["Ada"], [], 1)]


async def test_changes_within_a_second_are_told_together_and_cancel_out(worker: Worker) -> None:
    await worker.occupancy.entered("a", ADA)
    await worker.occupancy.entered("a", BOB)
    for _ in range(3):
        worker.occupancy.exited("a", "u2", at_once=True)
        await worker.occupancy.refresh()
        await worker.occupancy.entered("a", BOB)
    await worker.pass_time(1)

    assert worker.told() == [(["Ada"], [], 1), (["Bob"], [], 2)]


async def test_somebody_who_was_never_here_cannot_go(worker: Worker) -> None:
    worker.occupancy.exited("a", "u1")

    await worker.pass_time(GRACE + 1)

    assert worker.told() == []


async def test_being_anywhere_is_known_and_told_to_no_room(worker: Worker) -> None:
    await worker.occupancy.entered(ANYWHERE, ADA)

    assert await worker.presence.online(["u1", "u2"]) == {"u1"}
    assert worker.told() == []


async def test_a_room_with_many_hears_the_number_only(worker: Worker) -> None:
    for number in range(NAMES_LIMIT):
        await worker.occupancy.entered("a", Sender(f"n{number}", "N"))
    await worker.pass_time(1)
    worker.hub.flush()
    assert worker.ear.heard[-1]["online"] == NAMES_LIMIT
    assert len(worker.ear.heard[-1]["joined"]) == NAMES_LIMIT - 1

    await worker.occupancy.entered("a", ADA)
    await worker.pass_time(1)
    worker.hub.flush()

    assert worker.ear.heard[-1] == {"online": NAMES_LIMIT + 1}


async def test_a_room_with_very_many_hears_it_less_often(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "sanic_chatrooms.live.presence.DELIVERIES", 0.5
    )  # one is in the room: every two seconds
    await worker.occupancy.entered("a", ADA)
    await worker.occupancy.entered("a", BOB)

    await worker.pass_time(1)
    assert len(worker.told()) == 1
    await worker.pass_time(1)

    assert [online for _, _, online in worker.told()] == [1, 2]


async def test_names_are_not_gathered_for_a_room_that_hears_the_number_only(worker: Worker) -> None:
    for number in range(NAMES_LIMIT + 2):
        await worker.occupancy.entered("a", Sender(f"n{number}", "N"))

    worker.occupancy.exited("a", "n0", at_once=True)
    worker.occupancy.exited("a", "n1", at_once=True)
    worker.occupancy.exited("a", "n2", at_once=True)
    await worker.pass_time(1)
    worker.hub.flush()

    assert worker.ear.heard[-1] == {"online": NAMES_LIMIT - 1}


async def test_refreshing_looks_only_at_who_changed(worker: Worker) -> None:
    """All are kept alive three times in the presence's time to live; in between nobody is looked at."""
    await worker.occupancy.entered("a", ADA)
    await worker.occupancy.entered("a", BOB)

    with no_scan(worker.occupancy, "_here"):
        worker.occupancy.exited("a", BOB.id, at_once=True)
        await worker.pass_time(TTL / 3 - 1)

    assert await worker.present() == ["Ada"]


async def test_who_is_here_is_kept_alive(worker: Worker) -> None:
    await worker.occupancy.entered("a", ADA)

    await worker.pass_time(5 * TTL)

    assert await worker.present() == ["Ada"]
    assert len(worker.told()) == 1


async def test_a_room_that_became_empty_is_said_to_be(worker: Worker) -> None:
    for user in (ADA, BOB):
        await worker.occupancy.entered("a", user)
    worker.occupancy.exited("a", "u1")
    worker.occupancy.exited("a", "u2", at_once=True)

    await worker.pass_time(GRACE - 1)
    assert worker.emptied == []
    await worker.pass_time(1)

    assert worker.emptied == ["a"]


# ---- what is known when ----


async def test_who_said_goodbye_is_gone_when_that_has_settled(worker: Worker) -> None:
    await worker.occupancy.entered("a", ADA)
    await worker.occupancy.entered("a", BOB)

    worker.occupancy.exited("a", "u1", at_once=True)
    await worker.occupancy.settle()

    assert await worker.present() == ["Bob"]
    assert worker.told()[0] == (["Ada"], [], 1)


async def test_whoever_comes_back_while_they_are_taken_off_is_here_when_that_is_said(worker: Worker) -> None:
    await worker.occupancy.entered("a", ADA)

    worker.occupancy.exited("a", "u1", at_once=True)
    await worker.occupancy.entered("a", ADA)

    assert await worker.present() == ["Ada"]


@waits
async def test_many_who_come_at_once_share_two_calls(worker: Worker) -> None:
    calls: list[int] = []
    touch, count = worker.presence.touch, worker.presence.count

    async def counted(entries: Sequence[Entry]) -> list[bool | None]:
        calls.append(len(entries))
        await asyncio.sleep(0)
        return await touch(entries)

    worker.presence.touch = counted  # type: ignore[method-assign]
    await asyncio.gather(*(worker.occupancy.entered("a", Sender(f"n{n}", "N")) for n in range(100)))

    assert calls == [100]
    assert await count(["a"]) == {"a": 100}


@waits
async def test_many_who_come_at_once_ask_once_how_many_there_are(worker: Worker) -> None:
    count, asked = worker.presence.count, list[Collection[str]]()

    async def noted(rooms: Collection[str]) -> dict[str, int]:
        asked.append(rooms)
        return await count(rooms)

    worker.presence.count = noted  # type: ignore[method-assign]
    await worker.occupancy.entered("b", ADA)
    rooms = [room for room in "ab" for _ in range(50)]
    people = [Sender(f"n{n}", "N") for n in range(100)]

    found = await asyncio.gather(*map(worker.occupancy.entered, rooms, people))

    assert found == [50] * 50 + [51] * 50
    assert list(map(sorted, asked)) == [["b"], ["a", "b"]]


async def test_who_comes_is_told_how_many_there_are_if_presence_knows(worker: Worker) -> None:
    assert await worker.occupancy.entered("a", ADA) == 1
    assert await worker.occupancy.entered("a", ADA) is None  # it was not asked
    assert await worker.occupancy.entered("a", BOB) == 2
    worker.presence.away = True
    assert await worker.occupancy.entered("b", ADA) is None


async def test_who_comes_while_somebody_goes_is_not_told_that_nobody_is_there(worker: Worker) -> None:
    await worker.occupancy.entered("a", ADA)
    count, answers = worker.presence.count, iter([True, False])

    async def fails_once(rooms: Collection[str]) -> dict[str, int]:
        if not next(answers, True):
            raise Unavailable
        return await count(rooms)

    worker.presence.count = fails_once  # type: ignore[method-assign]
    worker.occupancy.exited("a", "u1", at_once=True)

    assert await worker.occupancy.entered("a", BOB) == 2  # Ada's going is told after it


async def test_who_comes_to_a_room_as_known_by_another_worker_is_told_how_many_there_are() -> None:
    one, two = await two_workers()
    await one.occupancy.entered("a", ADA)
    await one.occupancy.entered("a", BOB)

    assert await two.occupancy.entered("a", ADA) == 2


@waits
async def test_who_is_kept_alive_does_not_keep_a_newcomer_waiting(worker: Worker) -> None:
    for n in range(3 * STEP):
        worker.occupancy._here["a", f"n{n}"] = Here(Sender(f"n{n}", "N"), 1)
    sizes: list[int] = []
    touch = worker.presence.touch

    async def noted(entries: Sequence[Entry]) -> list[bool | None]:
        sizes.append(len(entries))
        await asyncio.sleep(0)
        return await touch(entries)

    worker.presence.touch = noted  # type: ignore[method-assign]
    worker.clock.advance(TTL / 3)
    refreshing = asyncio.ensure_future(worker.occupancy.refresh())
    await asyncio.sleep(0)
    await worker.occupancy.entered("a", ADA)
    rounds = len(sizes)
    await refreshing
    if (telling := worker.occupancy._telling) is not None:
        await telling

    assert rounds <= 2
    assert sum(sizes) == 3 * STEP + 1
    assert max(sizes) <= STEP + 1


async def test_one_failure_of_the_presence_is_logged_and_told_again(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(entries: Sequence[Entry]) -> list[bool]:
        raise ValueError("a driver's defect")

    with monkeypatch.context() as patched:
        patched.setattr(worker.presence, "touch", broken)
        await worker.occupancy.entered("a", ADA)
    assert "a driver's defect" in caplog.text
    assert await worker.present() == []

    await worker.pass_time(1)

    assert await worker.present() == ["Ada"]


# ---- leaving: no connection any more, and the grace ----


async def connected(worker: Worker, grace: bool) -> set[str]:
    return await worker.presence.online(["u1"], room=None if grace else ANYWHERE)


async def test_who_lost_the_last_connection_is_online_for_the_grace_only(worker: Worker) -> None:
    for _ in range(2):
        await worker.occupancy.entered(ANYWHERE, ADA)

    worker.occupancy.exited(ANYWHERE, "u1")
    await worker.occupancy.settle()
    assert await connected(worker, grace=False) == {"u1"}
    worker.occupancy.exited(ANYWHERE, "u1")
    await worker.occupancy.settle()

    assert (await connected(worker, grace=False), await connected(worker, grace=True)) == (set(), {"u1"})
    await worker.pass_time(GRACE)
    assert await connected(worker, grace=True) == set()
    assert worker.emptied == [user_room("u1")]
    assert worker.occupancy._here == {}


async def test_who_comes_back_within_the_grace_is_connected_again_and_not_leaving(worker: Worker) -> None:
    for _ in range(3):
        await worker.occupancy.entered(ANYWHERE, ADA)
        worker.occupancy.exited(ANYWHERE, "u1")
        await worker.pass_time(GRACE - 1)
    await worker.occupancy.entered(ANYWHERE, ADA)

    await worker.pass_time(3 * GRACE)

    assert await connected(worker, grace=False) == {"u1"}
    assert worker.emptied == []
    assert worker.occupancy._here.keys() == {(ANYWHERE, "u1")}


async def test_who_is_connected_to_another_worker_is_not_gone_with_the_grace() -> None:
    one, two = await two_workers()
    await one.occupancy.entered(ANYWHERE, ADA)
    await two.occupancy.entered(ANYWHERE, ADA)

    one.occupancy.exited(ANYWHERE, "u1")
    await one.pass_time(GRACE + 1)

    assert await connected(one, grace=False) == {"u1"}
    assert one.emptied == two.emptied == []


# ---- several workers ----


async def two_workers() -> tuple[Worker, Worker]:
    clock, board = Clock(), MemoryBoard()
    one, two = Worker(clock, board), Worker(clock, board)
    await one.start("one")
    await two.start("two")
    one.others, two.others = [two], [one]
    return one, two


async def test_both_workers_tell_their_rooms_the_same() -> None:
    one, two = await two_workers()

    await one.occupancy.entered("a", ADA)
    one.clock.advance(1)
    await two.occupancy.entered("a", BOB)

    assert one.told() == two.told() == [(["Ada"], [], 1), (["Bob"], [], 2)]


async def test_a_user_on_two_workers_comes_with_the_first_and_goes_with_the_last() -> None:
    one, two = await two_workers()
    await one.occupancy.entered("a", ADA)
    await two.occupancy.entered("a", ADA)

    one.occupancy.exited("a", "u1", at_once=True)
    await one.pass_time(2)
    assert one.told() == two.told() == [(["Ada"], [], 1)]

    two.occupancy.exited("a", "u1", at_once=True)
    await two.pass_time(1)

    assert one.told()[1:] == two.told()[1:] == [([], ["Ada"], 0)]
    assert (one.emptied, two.emptied) == ([], ["a"])


async def test_users_of_a_worker_that_died_expire() -> None:
    one, two = await two_workers()
    await one.occupancy.entered("a", ADA)
    await two.occupancy.entered("a", BOB)

    await two.pass_time(TTL + 1)

    assert await two.present() == ["Bob"]


async def test_rooms_hear_of_the_users_of_a_worker_that_died_once() -> None:
    """Whichever of those that live is the first to find out tells all of them."""
    clock, board = Clock(), MemoryBoard()
    dead, *alive = workers = [Worker(clock, board) for _ in range(3)]
    for n, worker in enumerate(workers):
        await worker.start(f"node {n}")
        worker.others = [other for other in alive if other is not worker]
    await dead.occupancy.entered("a", ADA)
    await dead.occupancy.entered(ANYWHERE, ADA)
    clock.advance(1)
    await alive[0].occupancy.entered("a", BOB)

    for _ in range(int(TTL + LOOK_EVERY + 2)):
        clock.advance(1)
        for worker in alive:
            await worker.occupancy.refresh()
            worker.occupancy.sweep()

    assert [told for told in alive[0].told() if told[1]] == [([], ["Ada"], 1)]
    assert [told for told in alive[1].told() if told[1]] == [([], ["Ada"], 1)]
    assert [room for worker in alive for room in worker.emptied] == [user_room("u1")]


async def test_who_came_back_to_another_worker_is_not_said_to_have_left() -> None:
    dead, alive = await two_workers()
    await dead.occupancy.entered("a", ADA)
    await alive.pass_time(2)
    await alive.occupancy.entered("a", ADA)

    await alive.pass_time(TTL + 5)

    assert [left for _, left, _ in alive.told() if left] == []
    assert await alive.present() == ["Ada"]


async def test_a_worker_that_was_frozen_for_too_long_takes_its_own_for_here() -> None:
    frozen, other = await two_workers()
    await frozen.occupancy.entered("a", ADA)

    await frozen.pass_time(1)
    frozen.clock.advance(TTL)
    await frozen.pass_time(3)

    assert await other.present() == ["Ada"]
    assert [left for _, left, _ in frozen.told() if left] == []


async def test_a_worker_that_stops_takes_leave_of_those_who_are_on_no_other() -> None:
    one, two = await two_workers()
    for worker, user in ((one, ADA), (one, BOB), (two, BOB)):
        await worker.occupancy.entered("a", user)
    await two.pass_time(2)

    await one.occupancy.stop()
    await two.pass_time(1)

    assert two.told()[-1] == ([], ["Ada"], 1)
    assert await two.present() == ["Bob"]


# ---- a presence whose answer is lost ----


async def test_who_came_is_told_although_the_answer_was_lost(worker: Worker) -> None:
    worker.presence.unanswered = 2
    await worker.occupancy.entered("a", ADA)
    await worker.pass_time(3)

    assert worker.told() == [(["Ada"], [], 1)]


async def test_who_goes_is_told_although_the_answer_was_lost(worker: Worker) -> None:
    for room in ("a", ANYWHERE):
        await worker.occupancy.entered(room, ADA)
    worker.presence.unanswered = 1
    for room in ("a", ANYWHERE):
        worker.occupancy.exited(room, "u1", at_once=True)
    await worker.pass_time(3)

    assert worker.told() == [(["Ada"], [], 1), ([], ["Ada"], 0)]
    assert worker.emptied == ["a", user_room("u1")]
    assert worker.occupancy._here == {}


async def test_who_goes_is_told_although_presence_answers_again_in_the_midst_of_a_removal(
    worker: Worker,
) -> None:
    for room, user in (("a", ADA), ("b", BOB)):
        await worker.occupancy.entered(room, user)

    async def answer_no_more() -> None:
        worker.presence.unheard = ["a"]

    worker.presence.meanwhile = answer_no_more  # the removal is carried out
    worker.occupancy.exited("a", ADA.id, at_once=True)
    await worker.occupancy.settle()
    drop = worker.presence.drop

    async def answer_again(entries: Sequence[Entry]) -> list[bool | None]:
        worker.presence.unheard = ()
        return await drop(entries)

    worker.presence.drop = answer_again  # type: ignore[method-assign]
    worker.occupancy.exited("b", BOB.id, at_once=True)
    await worker.pass_time(2)

    assert worker.told()[1:] == [([], ["Ada"], 0)]


async def test_who_is_on_another_worker_does_not_go_by_an_answer_that_was_lost() -> None:
    one, two = await two_workers()
    await one.occupancy.entered("a", ADA)
    await two.occupancy.entered("a", ADA)
    one.presence.unanswered = 1
    one.occupancy.exited("a", "u1", at_once=True)
    await one.pass_time(3)

    assert one.told() == two.told() == [(["Ada"], [], 1)]

    two.occupancy.exited("a", "u1", at_once=True)
    await two.pass_time(1)
    assert one.told()[1:] == two.told()[1:] == [([], ["Ada"], 0)]


@pytest.mark.parametrize("during", [True, False], ids=["before the answer is lost", "after it"])
@waits
async def test_who_comes_back_while_it_is_unknown_whether_they_went_is_here(
    worker: Worker, during: bool
) -> None:
    await worker.occupancy.entered("a", ADA)
    back: list[asyncio.Future[int | None]] = []

    async def come_back() -> None:
        back.append(asyncio.ensure_future(worker.occupancy.entered("a", ADA)))
        await asyncio.sleep(0)

    worker.presence.unanswered = 1
    worker.presence.meanwhile = come_back if during else None
    worker.occupancy.exited("a", "u1", at_once=True)
    await worker.occupancy.settle()
    if not during:
        await come_back()
    await back[0]
    await worker.pass_time(1)
    assert await worker.present() == ["Ada"]

    worker.occupancy.exited("a", "u1", at_once=True)
    await worker.pass_time(2)
    assert worker.told()[-1] == ([], ["Ada"], 0)


async def test_a_new_name_is_told_although_the_answer_was_lost(worker: Worker) -> None:
    await worker.occupancy.entered("a", ADA)
    worker.presence.unanswered = 1
    await worker.occupancy.renamed(["a"], Sender("u1", "Countess"))
    await worker.pass_time(2)

    assert worker.renamed() == [[], ["Countess"]]


# ---- a presence that is away ----


async def test_entering_does_not_wait_for_a_presence_that_is_away(worker: Worker) -> None:
    worker.presence.away = True

    await worker.occupancy.entered("a", ADA)
    await worker.pass_time(5)
    assert worker.told() == []
    assert await worker.occupancy.online("a") == 0

    worker.presence.away = False
    await worker.pass_time(1)

    assert worker.told() == [(["Ada"], [], 1)]
    assert await worker.occupancy.online("a") == 1


async def test_who_left_meanwhile_leaves_when_it_is_back(worker: Worker) -> None:
    await worker.occupancy.entered("a", ADA)
    worker.presence.away = True
    worker.occupancy.exited("a", "u1", at_once=True)
    await worker.pass_time(5)
    assert len(worker.told()) == 1

    worker.presence.away = False
    await worker.pass_time(1)

    assert worker.told()[1:] == [([], ["Ada"], 0)]


async def test_who_came_and_went_meanwhile_was_never_here(worker: Worker) -> None:
    worker.presence.away = True
    await worker.occupancy.entered("a", ADA)
    worker.occupancy.exited("a", "u1", at_once=True)
    worker.presence.away = False

    await worker.pass_time(3)

    assert worker.told() == []
    assert worker.occupancy._here == {}


async def test_a_change_is_told_when_it_can_be_counted(worker: Worker) -> None:
    """A room with somebody in it never hears that nobody is there."""
    await worker.occupancy.entered("a", ADA)
    worker.presence.uncountable = True
    await worker.occupancy.entered("a", BOB)
    await worker.pass_time(5)
    worker.occupancy.exited("a", "u1", at_once=True)
    await worker.occupancy.renamed(["a"], Sender("u2", "Robert"))
    await worker.pass_time(5)
    assert worker.told() == [(["Ada"], [], 1)]
    assert await worker.present() == ["Robert"]

    worker.presence.uncountable = False
    await worker.pass_time(LOOK_EVERY)

    assert worker.told()[1:] == [(["Robert"], ["Ada"], 1)]
    assert worker.emptied == []


async def test_who_came_back_to_another_worker_before_it_could_be_counted_is_here() -> None:
    one, two = await two_workers()
    for user in (BOB, ADA):
        await one.occupancy.entered("a", user)
    await one.pass_time(2)
    one.presence.uncountable = True
    one.occupancy.exited("a", ADA.id, at_once=True)
    await one.occupancy.settle()
    await two.occupancy.entered("a", ADA)
    await two.pass_time(1)

    one.presence.uncountable = False
    await one.pass_time(LOOK_EVERY)
    await two.pass_time(2)

    left = [
        user["id"] for worker in (one, two) for event in worker.ear.heard for user in event.get("left", [])
    ]
    assert left == []


async def test_a_change_of_which_nothing_is_left_when_it_is_counted_takes_no_names_from_others() -> None:
    one, two = await two_workers()
    await two.occupancy.entered("a", ADA)
    one.presence.uncountable = True
    for worker in (one, two):
        await worker.occupancy.entered("a", BOB)
    for worker in (one, two):  # the first waits with "Bob came", the last tells that he left
        worker.occupancy.exited("a", BOB.id, at_once=True)
        await worker.occupancy.settle()
    await two.occupancy.entered("a", Sender("eve", "Eve"))
    one.presence.uncountable = False

    one.clock.advance(LOOK_EVERY)
    await one.occupancy.refresh()
    await one.pass_time(1)

    assert one.told() == [(["Ada"], [], 1), (["Eve"], ["Bob"], 2)]


async def test_a_room_and_a_user_are_said_to_be_gone_when_that_is_known(worker: Worker) -> None:
    for room in ("a", ANYWHERE):
        await worker.occupancy.entered(room, ADA)
    worker.presence.uncountable = True
    for room in ("a", ANYWHERE):
        worker.occupancy.exited(room, "u1", at_once=True)
    await worker.pass_time(5)
    assert worker.emptied == []

    worker.presence.uncountable = False
    await worker.pass_time(LOOK_EVERY)

    assert worker.emptied == ["a", user_room("u1")]
    assert worker.told()[1:] == [([], ["Ada"], 0)]


@waits
async def test_a_backend_that_cannot_count_is_not_asked_without_end(worker: Worker) -> None:
    worker.presence.uncountable = True
    asked: list[Collection[str]] = []
    count = worker.presence.count

    async def noted(rooms: Collection[str]) -> dict[str, int]:
        asked.append(rooms)
        return await count(rooms)

    worker.presence.count = noted  # type: ignore[method-assign]
    await worker.occupancy.entered("a", ADA)
    if (telling := worker.occupancy._telling) is not None:
        await telling

    assert len(asked) == 1


async def test_a_room_that_cannot_be_counted_keeps_no_other_waiting(worker: Worker) -> None:
    worker.presence.lost = ["b"]
    await worker.occupancy.entered("b", ADA)

    assert await worker.occupancy.entered("a", ADA) == 1
    assert worker.told() == [(["Ada"], [], 1)]


async def test_who_comes_and_goes_is_told_while_presence_takes_no_changes_of_another_room(
    worker: Worker,
) -> None:
    worker.presence.unheard = ["b"]
    await worker.occupancy.entered("b", ADA)

    assert await worker.occupancy.entered("a", ADA) == 1
    await worker.pass_time(1)
    worker.occupancy.exited("b", "u1", at_once=True)
    worker.occupancy.exited("a", "u1", at_once=True)
    await worker.pass_time(1)

    assert worker.told() == [(["Ada"], [], 1), ([], ["Ada"], 0)]


async def test_a_room_of_which_presence_takes_no_changes_for_a_while_hears_of_them_later(
    worker: Worker,
) -> None:
    await worker.occupancy.entered("a", ADA)
    await worker.pass_time(1)
    worker.presence.unheard = ["a"]
    assert await worker.occupancy.entered("a", BOB) is None
    worker.occupancy.exited("a", "u1", at_once=True)
    await worker.pass_time(5)
    assert await worker.present() == ["Ada"]

    worker.presence.unheard = ()
    await worker.pass_time(2)

    assert worker.told() == [(["Ada"], [], 1), (["Bob"], [], 2), ([], ["Ada"], 1)]
    assert await worker.present() == ["Bob"]


async def test_who_is_in_a_room_of_which_presence_takes_changes_is_kept_alive(worker: Worker) -> None:
    worker.presence.unheard = ["b"]
    for room in "ab":
        for n in range(STEP):
            worker.occupancy._here[room, f"n{n}"] = Here(Sender(f"n{n}", "N"), 1)
    await worker.occupancy.entered("a", ADA)

    await worker.pass_time(int(2.5 * TTL))

    assert len((await worker.presence.list("a", limit=1000)).users) == STEP + 1


@waits
async def test_who_comes_while_presence_does_not_answer_waits_for_no_question_twice(worker: Worker) -> None:
    await worker.occupancy.entered("a", BOB)
    worker.presence.uncountable = True
    worker.occupancy.exited("a", BOB.id, at_once=True)
    await worker.occupancy.settle()
    asked, begun, count = [0], asyncio.Event(), worker.presence.count

    async def unanswered(rooms: Collection[str]) -> dict[str, int]:
        asked[0] += 1
        begun.set()
        await asyncio.sleep(0)
        return await count(rooms)

    worker.presence.away = True
    worker.presence.count = unanswered  # type: ignore[method-assign]
    worker.clock.advance(LOOK_EVERY)
    refreshing = asyncio.ensure_future(worker.occupancy.refresh())
    await begun.wait()
    await worker.occupancy.entered("a", ADA)
    await refreshing

    assert asked == [1]


@waits
async def test_presence_that_takes_no_changes_of_a_room_is_not_told_of_them_without_end(
    worker: Worker,
) -> None:
    worker.presence.unheard = ["b"]
    touch, told = worker.presence.touch, list[int]()

    async def noted(entries: Sequence[Entry]) -> list[bool | None]:
        told.append(len(entries))
        return await touch(entries)

    worker.presence.touch = noted  # type: ignore[method-assign]
    await worker.occupancy.entered("b", ADA)
    if (telling := worker.occupancy._telling) is not None:
        await telling

    assert told == [1]


async def test_a_room_that_fails_to_be_counted_keeps_no_user_from_being_kept_alive(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    count = worker.presence.count

    async def broken(rooms: Collection[str]) -> dict[str, int]:
        if "b" in rooms:
            raise RuntimeError("a defect")
        return await count(rooms)

    monkeypatch.setattr(worker.presence, "count", broken)
    for room in "ab":
        await worker.occupancy.entered(room, ADA)

    await worker.occupancy.entered("a", BOB)
    await worker.pass_time(int(TTL) + 5)

    assert await worker.present() == ["Ada", "Bob"]
    assert "a defect" in caplog.text


async def test_rooms_that_could_not_be_counted_with_a_lost_one_are_counted_without_it(worker: Worker) -> None:
    rooms = [*"abcd"]
    worker.presence.uncountable = True
    for room in rooms:
        await worker.occupancy.entered(room, ADA)
        worker.occupancy.exited(room, "u1", at_once=True)
    await worker.pass_time(1)
    worker.presence.uncountable, worker.presence.lost = False, ["b"]

    await worker.pass_time(4 * LOOK_EVERY)
    assert sorted(worker.emptied) == ["a", "c", "d"]
    assert worker.told() == [([], ["Ada"], 0)]

    worker.presence.lost = ()
    await worker.pass_time(LOOK_EVERY)
    assert sorted(worker.emptied) == rooms


async def test_rooms_of_a_server_that_stays_silent_keep_no_room_behind_them_waiting(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sanic_chatrooms.live.uncounted.TOGETHER", 2)
    worker.presence.lost = ["b", "c", "d", "e"]
    worker.presence.uncountable = True
    for room in [*worker.presence.lost, "a"]:
        await worker.occupancy.entered(room, ADA)
    worker.presence.uncountable = False

    await worker.pass_time(3 * LOOK_EVERY)

    assert worker.told() == [(["Ada"], [], 1)]
    assert await worker.occupancy.entered("a", BOB) == 2


async def test_more_than_the_names_that_are_shown_are_not_kept_until_a_room_is_counted(
    worker: Worker,
) -> None:
    await worker.occupancy.entered("a", ADA)
    await worker.pass_time(1)
    worker.presence.uncountable = True
    for number in range(NAMES_LIMIT + 2):  # and one comes while none is kept
        await worker.occupancy.entered("a", Sender(f"n{number}", "N"))
        worker.occupancy.exited("a", f"n{number}", at_once=True)
        await worker.occupancy.settle()
    worker.presence.uncountable = False

    await worker.pass_time(LOOK_EVERY)
    worker.hub.flush()

    assert worker.ear.heard[1:] == [{"online": 1}]


@pytest.mark.parametrize(("others", "named"), [([], True), (["b"], False)])
async def test_the_more_rooms_wait_to_be_counted_the_fewer_names_are_kept_of_each(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, others: list[str], named: bool
) -> None:
    monkeypatch.setattr("sanic_chatrooms.live.uncounted.NAMES_KEPT", 3)
    worker.presence.uncountable = True
    for room in [*others, "a"]:
        await worker.occupancy.entered(room, ADA)
    await worker.occupancy.entered("a", BOB)
    worker.presence.uncountable = False

    await worker.pass_time(LOOK_EVERY)
    worker.hub.flush()

    assert [("joined" in event, event["online"]) for event in worker.ear.heard] == [(named, 2)]


async def test_rooms_that_cannot_be_counted_for_long_are_forgotten_the_oldest_first(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("sanic_chatrooms.live.uncounted.KEPT", 2)
    worker.presence.uncountable = True
    for room in ["b", "c", "d", "a"]:
        for user in (ADA, BOB) if room == "c" else (ADA,):
            await worker.occupancy.entered(room, user)
            worker.occupancy.exited(room, user.id, at_once=True)
            await worker.occupancy.settle()
    worker.presence.uncountable = False

    await worker.pass_time(LOOK_EVERY)

    assert sorted(worker.emptied) == ["a", "d"]
    assert caplog.text.count("cannot count") == 1


async def test_users_who_may_be_nowhere_are_forgotten_the_oldest_first(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sanic_chatrooms.live.uncounted.KEPT", 2)
    worker.presence.uncountable = True
    for number in range(4):
        await worker.occupancy.entered(ANYWHERE, Sender(f"n{number}", "N"))
        worker.occupancy.exited(ANYWHERE, f"n{number}", at_once=True)
        await worker.occupancy.settle()
    worker.presence.uncountable = False

    await worker.pass_time(LOOK_EVERY)

    assert sorted(worker.emptied) == sorted([user_room("n2"), user_room("n3")])


async def test_who_comes_hears_how_many_there_are_while_others_cannot_be_looked_for(worker: Worker) -> None:
    async def unavailable(*_: Any, **__: Any) -> set[str]:
        raise Unavailable

    await worker.occupancy.entered(ANYWHERE, BOB)
    worker.presence.online = unavailable  # type: ignore[method-assign]
    worker.occupancy.exited(ANYWHERE, BOB.id, at_once=True)

    assert await worker.occupancy.entered("a", ADA) == 1


@waits
async def test_who_comes_hears_how_many_there_are_while_nobody_can_say_who_has_ended(
    worker: Worker,
) -> None:
    async def unavailable() -> list[Entry]:
        raise Unavailable

    worker.presence.ended = unavailable  # type: ignore[method-assign]
    worker.clock.advance(LOOK_EVERY)

    _, online = await asyncio.gather(worker.occupancy.refresh(), worker.occupancy.entered("a", ADA))

    assert online == 1


async def test_a_worker_that_stops_tells_what_it_could_not_count(worker: Worker) -> None:
    other = Worker(worker.clock, worker.presence._board)
    await other.start("two")
    worker.others = [other]
    await other.occupancy.entered("a", BOB)
    await worker.occupancy.entered("a", ADA)
    count, answers = worker.presence.count, iter([False])

    async def fails_once(rooms: Collection[str]) -> dict[str, int]:
        if not next(answers, True):
            raise Unavailable
        return await count(rooms)

    worker.presence.count = fails_once  # type: ignore[method-assign]
    await worker.occupancy.stop()
    await other.pass_time(1)

    assert other.told()[-1] == ([], ["Ada"], 1)


@waits
async def test_who_comes_back_while_they_are_dropped_is_here(worker: Worker) -> None:
    await worker.occupancy.entered("a", ADA)
    worker.occupancy.exited("a", "u1", at_once=True)

    back: list[asyncio.Future[int | None]] = []

    async def come_back() -> None:
        back.append(asyncio.ensure_future(worker.occupancy.entered("a", ADA)))
        await asyncio.sleep(0)

    worker.presence.meanwhile = come_back
    await worker.occupancy.settle()
    await back[0]
    await worker.pass_time(2)

    assert await worker.present() == ["Ada"]
    assert [left for _, left, _ in worker.told()] == [[], []]


@waits
async def test_who_goes_while_they_are_told_of_goes(worker: Worker) -> None:
    async def go() -> None:
        worker.occupancy.exited("a", "u1", at_once=True)

    worker.presence.meanwhile = go
    await worker.occupancy.entered("a", ADA)
    await worker.pass_time(3)

    assert await worker.present() == []
    assert worker.occupancy._here == {}
