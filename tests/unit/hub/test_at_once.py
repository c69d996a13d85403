"""The fast path over the memory store: what is answered and written before `submit` returns, what waits, and that both ways do the same."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from typing import Any
from unittest import mock

import pytest

from sanic_chatrooms.brokers.memory import MemoryBroker
from sanic_chatrooms.errors import ChatError
from sanic_chatrooms.hub.fanout import FEW
from sanic_chatrooms.hub.fast_path import MANY, TURNS
from sanic_chatrooms.hub.hub import Hub
from sanic_chatrooms.hub.journal import Journal
from sanic_chatrooms.models import Appended, Draft, Fact, Room
from sanic_chatrooms.observe.instruments import APPEND_BATCH
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.deadline import TimedStore
from sanic_chatrooms.stores.memory.store import MemoryStore
from sanic_chatrooms.support.clock import now
from sanic_chatrooms.testing import RecordingMeter
from sanic_chatrooms.wire.encode import encode
from tests.support.hubs import FakeSession, Frame, opening

pytestmark = pytest.mark.usefixtures("idle_time")

ROOMS = ("r", "s", "t")
FACT = (Fact("mood", "u1", b'"good"'),)


class Slow(MemoryStore):
    """The memory store without the fast path: everything is appended by the task."""

    waits = False


class Fickle(MemoryStore):
    """Fails now and then, before or after it has stored something."""

    waits = False
    appends_soon = True
    dice = random.Random(0)

    def append_now(self, drafts: Sequence[Draft]) -> list[Appended | ChatError]:
        fate = self.dice.random()
        if fate < 0.1:
            super().append_now(drafts[: len(drafts) // 2])
            raise ValueError("a defect of the store")
        return super().append_now(drafts)

    async def append(self, drafts: Sequence[Draft]) -> list[Appended | ChatError]:
        return super().append_now(drafts)


class Stage:
    """A hub and a journal over a memory store, and sessions in its rooms that speak."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.broker = MemoryBroker()
        self.hub = Hub(store, self.broker)
        timed = TimedStore(store, 5.0)
        self.meter = RecordingMeter()
        self.journal = Journal(
            timed, self.broker, self.hub.deliver, None, 5.0, self.meter, fanout=self.hub.fanout
        )
        self.sessions: list[FakeSession] = []
        self.results: dict[str, Appended | ChatError] = {}
        self.done = asyncio.Event()

    async def start(self) -> None:
        await self.store.start("test", Bounds())
        await self.broker.start("test", self.hub.deliver, lambda: None)
        for room in ROOMS:
            await self.store.create_room(Room(room, "", 0))
        self.hub.start()
        self.journal.start()

    async def stop(self) -> None:
        await self.journal.stop()
        await self.hub.stop()
        await self.broker.stop()

    async def enter(self, *rooms: str) -> FakeSession:
        session = FakeSession()
        for room in rooms:
            held = await self.hub.enter(session, room)
            assert self.hub.admit(session, held, opening(held))
        self.sessions.append(session)
        return session

    def say(self, session: FakeSession, name: str, room: str = "r", *, key: str = "", **more: Any) -> None:
        """As `messages.say`: the answer goes out with the event."""

        def done(result: Appended | ChatError) -> None:
            assert name not in self.results, "each once"
            self.results[name] = result
            reply = encode({"type": "reply", "room": room, "to": name})
            self.hub.reply(session, session.codec.reply(reply))
            self.done.set()

        draft = Draft(room, "message", b"{}", name, now(), key=("ada", key) if key else ("", name), **more)
        self.journal.submit(draft, done, session)

    async def until_answered(self, count: int) -> None:
        async with asyncio.timeout(40):
            while len(self.results) < count:
                self.done.clear()
                await self.done.wait()


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage(MemoryStore())
    await stage.start()
    yield stage
    await stage.stop()
    assert asyncio.all_tasks() == {asyncio.current_task()}, "a task was left behind"


@pytest.fixture
def always_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a moment later, always."""
    monkeypatch.setattr("sanic_chatrooms.hub.fanout.PAUSE", -1.0)


@pytest.fixture
def never_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sanic_chatrooms.hub.fanout.PAUSE", float("inf"))


def types(session: FakeSession) -> list[str]:
    return [frame["type"] for frame in session.frames]


@pytest.mark.usefixtures("always_quiet")
async def test_message_of_a_quiet_room_is_stored_answered_and_written_before_submit_returns(
    stage: Stage,
) -> None:
    ada, bob = await stage.enter("r"), await stage.enter("r")
    await asyncio.sleep(0)
    for session in (ada, bob):
        session.frames.clear()
    writes = ada.writes

    stage.say(ada, "1")

    assert [one.msg_id for one in (await stage.store.history("r", after=0, limit=9)).events] == ["1"]
    assert (types(ada), types(bob)) == (["reply", "message"], ["message"])
    assert ada.writes == writes + 1, "reply and event in one write"


@pytest.mark.usefixtures("never_quiet")
async def test_without_a_moment_of_quiet_all_that_speak_in_a_turn_share_a_write(stage: Stage) -> None:
    ada, bob = await stage.enter("r"), await stage.enter("r")
    await asyncio.sleep(0)
    bob.frames.clear()
    writes = bob.writes

    for number in range(5):
        stage.say(ada, str(number))

    assert stage.results == {}
    await stage.until_answered(5)
    assert bob.seqs("r") == [1, 2, 3, 4, 5]
    assert bob.writes == writes + 1


@pytest.mark.usefixtures("always_quiet")
async def test_where_many_hear_it_a_message_waits_for_the_others_of_its_turn(stage: Stage) -> None:
    ada, *others = [await stage.enter("r") for _ in range(FEW + 1)]
    await asyncio.sleep(0)
    writes = others[0].writes

    for number in range(3):
        stage.say(ada, str(number))

    assert stage.results == {}
    await stage.until_answered(3)
    assert others[0].writes == writes + 1


@pytest.mark.usefixtures("always_quiet")
@pytest.mark.parametrize(
    ("spoke", "batches"),
    [
        ([MANY, MANY, 1, 1], [2 * MANY + 1, 1]),  # a turn that brings few is the last
        ([MANY - 1, MANY], [MANY - 1, MANY]),
        ([MANY] * (TURNS + 2), [MANY * (TURNS + 1), MANY]),  # nobody waits for longer, however many come
    ],
)
async def test_where_many_speak_those_of_the_next_turns_share_the_batch(
    stage: Stage, spoke: list[int], batches: list[int]
) -> None:
    ada, *_ = [await stage.enter("r") for _ in range(FEW + 1)]
    await asyncio.sleep(0)

    for turn, count in enumerate(spoke):
        for number in range(count):
            stage.say(ada, f"{turn}-{number}")
        await asyncio.sleep(0)
    await stage.until_answered(sum(spoke))

    assert stage.meter.values(APPEND_BATCH) == batches
    assert list(stage.results) == [f"{turn}-{n}" for turn, count in enumerate(spoke) for n in range(count)]


@pytest.mark.usefixtures("always_quiet")
async def test_await_of_an_append_always_lets_others_run(stage: Stage) -> None:
    """A loop of the app that publishes has no other place where it does."""
    await stage.enter("r")
    ran: list[int] = []
    asyncio.get_running_loop().call_soon(ran.append, 1)

    await stage.journal.append(Draft("r", "message", b"{}", "1", now(), key=("", "1")))

    assert ran == [1]


@pytest.mark.usefixtures("always_quiet")
async def test_who_is_answered_and_speaks_at_once_speaks_behind_those_of_the_same_batch(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await stage.enter("r")
    await asyncio.sleep(0)
    tell = stage.journal.tell

    def telling(draft: Draft, result: Appended) -> None:
        tell(draft, result)
        if draft.msg_id == "1":
            stage.say(ada, "3")

    monkeypatch.setattr(stage.journal, "tell", telling)
    with monkeypatch.context() as patch:
        patch.setattr(stage.hub.fanout, "is_quiet", lambda room: False)
        stage.say(ada, "1")
        stage.say(ada, "2")
    await stage.until_answered(3)

    assert list(stage.results) == ["1", "2", "3"]
    assert ada.seqs("r") == [1, 2, 3]


@pytest.mark.usefixtures("always_quiet")
async def test_effects_need_no_task_either(stage: Stage) -> None:
    ada = await stage.enter("r")

    stage.say(ada, "1", facts=FACT)

    assert list(stage.results) == ["1"]
    assert "mood" in await stage.store.facts_about("r", "u1")


@pytest.mark.usefixtures("always_quiet")
async def test_what_the_store_fails_at_is_the_task_s_with_all_that_follows_until_it_is_done(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await stage.enter("r", "s")
    with monkeypatch.context() as patch:
        patch.setattr(stage.store, "append_now", mock.Mock(side_effect=ValueError("a defect of the store")))
        stage.say(ada, "1")
    stage.say(ada, "2")
    stage.say(ada, "3", "s")

    assert stage.results == {}
    await stage.until_answered(3)
    assert list(stage.results) == ["1", "2", "3"]
    assert ada.seqs("r") == [1, 2]
    stage.say(ada, "4")
    assert list(stage.results) == ["1", "2", "3", "4"], "then the fast path again"


@pytest.mark.usefixtures("always_quiet")
async def test_stop_answers_what_waits_for_the_end_of_the_turn() -> None:
    stage = Stage(MemoryStore())
    await stage.start()
    ada = await stage.enter("r")
    stage.journal.submit(
        Draft("r", "message", b"{}", "0", now(), key=("", "0")), lambda result: None, within=False
    )
    stage.say(ada, "1")
    stage.say(ada, "2", facts=FACT)

    await stage.stop()

    assert all(isinstance(result, Appended) for result in stage.results.values())
    assert len(stage.results) == 2


@pytest.mark.usefixtures("always_quiet")
async def test_what_is_measured_is_the_time_until_a_batch_was_stored_without_its_answers(
    stage: Stage,
) -> None:
    ada = await stage.enter("r")
    measured: list[list[float]] = []

    for within in (True, False):
        stage.journal.submit(
            Draft("r", "message", b"{}", str(within), now(), key=("", str(within))),
            lambda _: measured.append(stage.meter.values(APPEND_BATCH)),
            ada,
            within=within,
        )
    await asyncio.sleep(0)

    assert measured == [[1], [1, 1]]


@pytest.mark.usefixtures("always_quiet")
async def test_what_was_withdrawn_is_no_batch(stage: Stage) -> None:
    ada = await stage.enter("r")
    draft = Draft("r", "message", b"{}", "1", now(), key=("", "1"))
    stage.journal.submit(draft, lambda _: None, ada, within=False)

    stage.journal.withdraw(ada)
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert stage.meter.values(APPEND_BATCH) == []


# ---- both ways ----


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("store", [MemoryStore, Fickle])
async def test_both_ways_store_answer_and_write_the_same(
    seed: int, store: type[MemoryStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    Fickle.dice = random.Random(seed)
    fast = await _walk(random.Random(seed), store(), monkeypatch)
    slow = await _walk(random.Random(seed), Slow(), monkeypatch)

    assert fast == slow


async def _walk(dice: random.Random, store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, ...]:
    """Rooms with few and with many; messages with and without effects, repetitions with the same and with other content, rooms that do not
    exist, moments of quiet: -> what is stored, how each was answered, and what each connection got."""
    stage = Stage(store)
    await stage.start()
    speakers = [await stage.enter(*dice.sample(ROOMS, dice.randint(1, 3))) for _ in range(6)]
    for _ in range(FEW):
        await stage.enter("t")  # never quiet
    plan = [
        (
            dice.choice(speakers),
            dice.choice((*ROOMS, "nowhere")),
            FACT if dice.random() < 0.15 else (),
            f"k{dice.randrange(60)}" if dice.random() < 0.3 else "",
            dice.choice((b"a", b"b")),
        )
        for _ in range(400)
    ]
    for number, (session, room, facts, key, hash) in enumerate(plan):
        quiet = dice.random()
        monkeypatch.setattr("sanic_chatrooms.hub.fanout.PAUSE", -1.0 if quiet < 0.5 else float("inf"))
        stage.say(session, f"m{number}", room, key=key and key + room, facts=facts, hash=hash)
        if dice.random() < 0.2:
            await asyncio.sleep(0)
    await stage.until_answered(len(plan))
    await stage.stop()

    stored = {room: (await store.history(room, after=0, limit=1_000)).events for room in ROOMS}
    for session in stage.sessions:
        _each_reply_is_before_its_event(session)
    return (
        {room: [(one.seq, one.msg_id) for one in events] for room, events in stored.items()},
        {
            name: (result.seq, result.msg_id, result.duplicate)
            if isinstance(result, Appended)
            else result.code
            for name, result in stage.results.items()
        },
        [_got(session.frames) for session in stage.sessions],
    )


def _got(frames: list[Frame]) -> dict[tuple[str, bool], list[Any]]:
    """By room: the replies in their order, and the events in theirs."""
    got: dict[tuple[str, bool], list[Any]] = defaultdict(list)
    for frame in frames:
        if frame["type"] == "reply":
            got[frame["room"], True].append(frame["to"])
        elif "seq" in frame:
            got[frame["room"], False].append((frame["seq"], frame["msgId"], frame.get("type")))
    return got


def _each_reply_is_before_its_event(session: FakeSession) -> None:
    mine = {frame["to"] for frame in session.frames if frame["type"] == "reply"}
    answered: set[str] = set()
    for frame in session.frames:
        if frame["type"] == "reply":
            answered.add(frame["to"])
        elif "seq" in frame and frame["msgId"] in mine:
            assert frame["msgId"] in answered
