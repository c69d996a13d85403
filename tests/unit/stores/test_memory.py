"""What `MemoryStore` does beyond the contract of stores, which tests/conformance holds it to."""

from __future__ import annotations

import gc
import random
import tracemalloc
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

import pytest

from sanic_chatrooms.errors import ChatError, ConfigError, RoomNotFound
from sanic_chatrooms.models import RESERVED, Appended, Draft, Event, Fact, Member, Room, Scope
from sanic_chatrooms.stores import members
from sanic_chatrooms.stores.base import FOLDED, Bounds
from sanic_chatrooms.stores.changes import SWEPT
from sanic_chatrooms.stores.memory.facts import ENDS_KEPT
from sanic_chatrooms.stores.memory.room import MemoryRoom
from sanic_chatrooms.stores.memory.store import MemoryStore
from sanic_chatrooms.stores.soon import AppendsSoon
from sanic_chatrooms.testing import Clock

T = TypeVar("T")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(clock: Clock) -> AsyncIterator[MemoryStore]:
    store = MemoryStore(clock=clock)
    await store.start("test", Bounds())
    await store.create_room(_room("r"))
    yield store
    await store.stop()


def _room(id: str, **fields: Any) -> Room:
    return Room(id, "", 0, **fields)


def _draft(
    room: str = "r", *, at: float = 0.0, key: str | None = None, type: str = "message", n: int = 0
) -> Draft:
    return Draft(room, type, b"{}", f"id-{n}", at, None, None if key is None else ("u", key), b"h")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that must end without ever suspending."""
    with pytest.raises(StopIteration) as stopped:
        coroutine.send(None)
    result: T = stopped.value.value
    return result


def _seqs(events: list[Event]) -> list[int]:
    return [event.seq or 0 for event in events]


async def test_append_soon_stores_as_append_does_and_answers_before_it_returns(store: MemoryStore) -> None:
    heard: list[Any] = []
    batch = [[_draft(key=key) for key in "121"], [_draft("nowhere")]]

    assert store.append_soon(batch, lambda place, results: heard.append((place, results)))
    again = await store.append([_draft(key=key) for key in "12"])

    (_, first), (_, nowhere) = heard
    assert [place for place, _ in heard] == [0, 1]
    assert [(one.seq, one.duplicate) for one in first] == [(1, False), (2, False), (1, True)]
    assert [type(one) for one in nowhere] == [RoomNotFound]
    assert [one.seq for one in again if isinstance(one, Appended)] == [1, 2]


async def test_append_now_stores_as_append_soon_does(store: MemoryStore) -> None:
    results = store.append_now([_draft(key="1"), _draft("nowhere")])
    again = AppendsSoon.append_now(store, [_draft(key="1"), _draft("nowhere")])

    assert [type(one) for one in results] == [type(one) for one in again] == [Appended, RoomNotFound]
    assert isinstance(again[0], Appended)
    assert again[0].duplicate


def test_a_derived_store_that_may_append_in_its_own_way_is_left_to_the_task() -> None:
    class Own(MemoryStore):
        pass

    class Sure(MemoryStore):
        appends_soon = True

    assert [store.appends_soon for store in (MemoryStore(), Own(), Sure())] == [True, False, True]


async def _appended(store: MemoryStore, draft: Draft) -> Appended:
    (answer,) = await store.append([draft])
    assert isinstance(answer, Appended)
    return answer


def test_reaches_no_further_than_its_process() -> None:
    assert MemoryStore.scope is Scope.PROCESS


def test_no_verb_ever_suspends() -> None:
    store = MemoryStore()
    run(store.start("test", Bounds()))

    run(store.create_room(_room("r"), facts=(members.member_fact(Member("u", "U")),)))
    answers: list[Appended | ChatError] = run(store.append([_draft(), _draft("nowhere")]))
    page = run(store.history("r", after=0, limit=9))
    run(store.delete_room("r"))

    assert [type(answer) for answer in answers] == [Appended, RoomNotFound]
    assert _seqs(page.events) == [1]


class TestStart:
    async def test_begins_with_nothing_and_new_secrets(self, store: MemoryStore) -> None:
        secret = await store.secret("guests")
        await _appended(store, _draft(key="k"))
        await members.put(store, "r", Member("u", "U"))
        await store.stop()

        await store.start("test", Bounds())

        assert await store.room("r") is None
        assert (await store.rooms()).rooms == (await store.rooms(fact=(members.MEMBER, "u"))).rooms == []
        assert await store.secret("guests") != secret
        await store.create_room(_room("r"))
        assert not (await _appended(store, _draft(key="k"))).duplicate

    async def test_gives_new_epochs(self, store: MemoryStore) -> None:
        before = (await store.heads(["r"]))["r"].epoch
        await store.stop()

        await store.start("test", Bounds())
        await store.create_room(_room("r"))

        assert (await store.heads(["r"]))["r"].epoch != before

    async def test_under_another_name_while_running_is_refused_and_says_what_to_do(
        self, store: MemoryStore
    ) -> None:
        with pytest.raises(ConfigError, match=r"'test'.*'other'.*one MemoryStore per instance"):
            await store.start("other", Bounds())

        assert await store.room("r") is not None

    async def test_under_another_name_after_the_end_is_fine(self, store: MemoryStore) -> None:
        await store.stop()

        await store.start("other", Bounds())

        assert await store.room("r") is None

    async def test_under_the_same_name_while_running_joins_what_is_there(self, store: MemoryStore) -> None:
        await store.start("test", Bounds())
        await store.stop()

        with pytest.raises(ConfigError):
            await store.start("other", Bounds())
        assert await store.room("r") is not None

    async def test_what_is_stored_can_be_read_after_the_end(self, store: MemoryStore) -> None:
        await _appended(store, _draft())

        await store.stop()

        assert (await store.heads(["r"]))["r"].seq == 1


class TestKeys:
    async def test_are_remembered_for_the_whole_window(self, store: MemoryStore, clock: Clock) -> None:
        await _appended(store, _draft(key="k"))
        clock.advance(300)

        assert (await _appended(store, _draft(key="k"))).duplicate

    async def test_are_forgotten_after_it(self, store: MemoryStore, clock: Clock) -> None:
        await _appended(store, _draft(key="k"))
        clock.advance(300.001)

        again = await _appended(store, _draft(key="k"))

        assert (again.seq, again.duplicate) == (2, False)

    async def test_used_again_after_the_window_are_remembered_from_then_on(
        self, store: MemoryStore, clock: Clock
    ) -> None:
        for _ in range(
            3
        ):  # more than one draft pays for, so that the second round finds the first still there
            await store.append([_draft(key=str(n)) for n in range(50)])
            clock.advance(301)
        first = await _appended(store, _draft(key="49"))
        clock.advance(299)
        await store.append([_draft() for _ in range(500)])

        again = await _appended(store, _draft(key="49"))

        assert (again.seq, again.duplicate) == (first.seq, True)

    async def test_that_expired_are_given_back_a_few_at_a_time_by_any_room(
        self, store: MemoryStore, clock: Clock
    ) -> None:
        await store.create_room(_room("other"))
        await store.append([_draft(key=str(n)) for n in range(10)])
        clock.advance(301)

        left = []
        for _ in range(6):
            await _appended(store, _draft("other"))
            left.append(len(store._firsts))

        assert left == [8, 6, 4, 2, 0, 0]
        assert not store._rooms["r"].firsts

    async def test_of_a_room_made_again_do_not_meet_those_of_the_old(
        self, store: MemoryStore, clock: Clock
    ) -> None:
        await _appended(store, _draft(key="k"))
        await store.delete_room("r")
        await store.create_room(_room("r"))
        clock.advance(200)
        first = await _appended(store, _draft(key="k"))
        clock.advance(150)
        await store.append([_draft() for _ in range(5)])  # the old one's time is over, the new one's is not

        assert (await _appended(store, _draft(key="k"))).seq == first.seq


class TestHistory:
    async def test_needs_exactly_one_of_after_and_before(self, store: MemoryStore) -> None:
        with pytest.raises(ValueError, match="exactly one"):
            await store.history("r", limit=1)
        with pytest.raises(ValueError, match="exactly one"):
            await store.history("r", after=1, before=3, limit=1)

    async def test_keeps_a_thousand_events_unless_told_otherwise(self, store: MemoryStore) -> None:
        await store.append([_draft() for _ in range(1_100)])

        page = await store.history("r", after=0, limit=2_000)

        assert (_seqs(page.events), page.floor) == (list(range(101, 1_101)), 100)

    async def test_of_reserved_rooms_keeps_a_hundred_whatever_the_app_set(self) -> None:
        store = MemoryStore()
        await store.start("test", Bounds(history_max=5))
        await store.create_room(_room("~all", visibility=RESERVED))

        await store.append([_draft("~all") for _ in range(300)])

        assert len((await store.history("~all", after=0, limit=500)).events) == 100

    async def test_may_be_none_at_all(self) -> None:
        store = MemoryStore()
        await store.start("test", Bounds(history_max=0))
        await store.create_room(_room("r"))

        await store.append([_draft() for _ in range(100)])

        page = await store.history("r", after=0, limit=5)
        assert (page.events, page.floor, page.seq) == ([], 100, 100)

    async def test_drops_from_the_front_only(self, clock: Clock) -> None:
        """An old event behind a newer one stays: dropping it would leave a hole."""
        store = MemoryStore(clock=clock)
        await store.start("test", Bounds(retention=60))
        await store.create_room(_room("r"))
        for age in (90, 30, 90, 0):
            await _appended(store, _draft(at=clock() - age))

        page = await store.history("r", after=0, limit=5)

        assert (_seqs(page.events), page.floor) == ([2, 3, 4], 1)

    async def test_page_is_not_changed_by_what_follows(self, store: MemoryStore) -> None:
        await store.append([_draft() for _ in range(3)])
        page = await store.history("r", after=0, limit=9)

        await store.append([_draft() for _ in range(5_000)])

        assert _seqs(page.events) == [1, 2, 3]

    @pytest.mark.parametrize("seed", range(8))
    async def test_is_that_of_a_plain_list(self, seed: int, clock: Clock) -> None:
        """Random appends, waits and reads, compared with the most naive store there is."""
        rng = random.Random(seed)
        size, retention = rng.choice([1, 3, 20, 50]), rng.choice([None, 5.0, 50.0])
        store = MemoryStore(clock=clock)
        await store.start("test", Bounds(history_max=size, retention=retention))
        await store.create_room(_room("r"))
        model = _Naive(size, retention)
        types = ["message", "reaction.added", "poll.vote", "member.joined"]

        for _ in range(600):
            if rng.random() < 0.6:
                drafts = [_draft(at=clock(), type=rng.choice(types)) for _ in range(rng.randrange(1, 8))]
                await store.append(drafts)
                model.append(drafts)
            clock.advance(rng.random())
            place, limit, timeline = rng.randrange(model.head + 3), rng.randrange(1, 12), rng.random() < 0.5
            way: dict[str, Any] = {"after": place} if rng.random() < 0.5 else {"before": place}

            page = await store.history("r", limit=limit, timeline=timeline, **way)

            expected = model.page(clock(), limit=limit, timeline=timeline, **way)
            assert (_seqs(page.events), page.more, page.floor, page.seq) == expected


class _Naive:
    def __init__(self, size: int, retention: float | None) -> None:
        self.size, self.retention, self.head = size, retention, 0
        self.events: list[tuple[int, Draft]] = []

    def append(self, drafts: list[Draft]) -> None:
        for draft in drafts:
            self.head += 1
            self.events = [*self.events, (self.head, draft)][-self.size :]

    def page(
        self, now: float, *, limit: int, timeline: bool, after: int | None = None, before: int | None = None
    ) -> tuple[list[int], bool, int, int]:
        while self.retention and self.events and self.events[0][1].timestamp < now - self.retention:
            self.events.pop(0)
        floor = self.events[0][0] - 1 if self.events else self.head
        shown = [seq for seq, draft in self.events if not (timeline and draft.type.startswith(FOLDED))]
        if after is not None:
            found = [seq for seq in shown if seq > after]
            return found[:limit], len(found) > limit, floor, self.head
        assert before is not None
        found = [seq for seq in shown if seq < before]
        return found[-limit:], len(found) > limit, floor, self.head


class TestMemory:
    async def test_does_not_grow_with_what_was_trimmed(self, store: MemoryStore, clock: Clock) -> None:
        async def fill() -> None:
            for n in range(40):
                await store.append([_draft(at=clock(), key=f"{clock()}.{n}.{m}") for m in range(100)])
                await store.history("r", before=10**9, limit=10, timeline=True)
                clock.advance(10)

        await fill()
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(5):
                await fill()
            grown = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()

        # The first round's objects were made unwatched: what replaced them counts as growth, nothing beyond.
        assert grown < 6_000_000
        room = store._rooms["r"]
        assert len(room.events) <= 1_266
        assert len(room.line) <= 1_000
        assert len(room.firsts) <= 3_200

    async def test_forgets_users_without_rooms_and_rooms_that_were_deleted(self, store: MemoryStore) -> None:
        for n in range(100):
            await store.create_room(_room(f"room.{n}", auto=True))
            await store.append([_draft(f"room.{n}", key="k")])
            await members.put(store, f"room.{n}", Member(f"u{n}", "N"))
            await store.delete_room(f"room.{n}")

        assert list(store._rooms) == ["r"]
        assert store._facts._rooms == {}
        assert len(store._lists["public"]) == store._counted[False] == 1


async def test_reserved_rooms_have_members_whom_no_list_shows(store: MemoryStore) -> None:
    await store.create_room(_room("~user.x", visibility=RESERVED))
    await store.append(
        [Draft("~user.x", "t", b"{}", "id", 0.0, facts=(members.member_fact(Member("u", "U")),))]
    )

    assert await members.find(store, "~user.x", "u") == Member("u", "U")
    assert (await store.rooms(fact=(members.MEMBER, "u"))).rooms == []
    assert await members.remove(store, "~user.x", "u")


async def test_nothing_that_ends_later_keeps_a_deleted_room(store: MemoryStore, clock: Clock) -> None:
    await store.create_room(_room("gone"))
    await store.set_fact("gone", Fact("report", "x", b"{}", until=clock() + 900.0))

    await store.delete_room("gone")
    gc.collect()

    assert not [one for one in gc.get_objects() if type(one) is MemoryRoom and one.id == "gone"]


async def test_a_fact_that_is_set_again_and_again_is_remembered_once(
    store: MemoryStore, clock: Clock
) -> None:
    for n in range(1_000):
        await store.set_fact("r", Fact("writes", "u1", b"%d" % n, until=clock() + 900.0 + n))

    assert len(store._facts._order) < 2 * ENDS_KEPT

    clock.advance(1_950.0)
    for n in range(2 * ENDS_KEPT // SWEPT):
        await store.set_fact("r", Fact("writes", "u2", b"%d" % n, until=clock() + 1.0))
    assert [known.key for known in (await store.facts("r", "writes")).facts] == ["u2"]
