"""The fast path: who is sent when, what the task gets, and that no draft is lost, doubled or out of order on either way."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from sanic_chatrooms.errors import ChatError, Conflict, InternalError, Unavailable
from sanic_chatrooms.hub.fanout import Fanout
from sanic_chatrooms.hub.journal import Journal
from sanic_chatrooms.models import Appended, Draft, Envelope, Fact, Room
from sanic_chatrooms.observe.instruments import APPEND_BATCH
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.deadline import TimedStore
from sanic_chatrooms.stores.memory.store import MemoryStore
from sanic_chatrooms.stores.wrapped import WrappedStore
from sanic_chatrooms.support.clock import now
from sanic_chatrooms.testing import Recorder, RecordingMeter
from tests.support.hubs import NotingBroker
from tests.support.journals import Submitter, draft, until

pytestmark = pytest.mark.usefixtures("idle_time")

WITHIN = 40.0
Heard = Callable[[int, list[Appended | ChatError] | None], None]


class Call:
    """Drafts of one room that were sent, until the test answers."""

    def __init__(self, store: MemoryStore, drafts: Sequence[Draft], heard: Heard, place: int) -> None:
        self.drafts, self._store, self._heard, self._place = drafts, store, heard, place
        self.is_open = True

    @property
    def names(self) -> list[str]:
        return [draft.msg_id for draft in self.drafts]

    async def store(self) -> list[Appended | ChatError]:
        return await self._store.append(self.drafts)

    async def answer(self) -> None:
        self.is_open = False
        self._heard(self._place, await self.store())

    def lose(self) -> None:
        """Nobody knows what became of it."""
        self.is_open = False
        self._heard(self._place, None)


class SoonStore(WrappedStore):
    """A store that takes drafts without a task. The test answers them."""

    inner: MemoryStore
    appends_soon = True

    def __init__(self) -> None:
        super().__init__(MemoryStore())
        self.sent: list[Call] = []
        self.slowly: list[list[str]] = []
        self.refuses = False
        self.away = False
        self.news = asyncio.Event()

    def append_soon(self, batch: Sequence[Sequence[Draft]], heard: Heard) -> bool:
        if any(draft.payload == b'"poison"' for drafts in batch for draft in drafts):
            raise ValueError("invalid byte sequence")
        if self.refuses:
            return False
        self.sent += [Call(self.inner, drafts, heard, place) for place, drafts in enumerate(batch)]
        self.news.set()
        return True

    async def append(self, drafts: Sequence[Draft]) -> list[Appended | ChatError]:
        self.slowly.append([draft.msg_id for draft in drafts])
        self.news.set()
        if self.away:
            raise Unavailable
        if any(draft.payload == b'"poison"' for draft in drafts):
            raise ValueError("invalid byte sequence")
        return await self.inner.append(drafts)

    async def around(self, verb: str, ask: Any) -> Any:
        return await ask()


class NotingFanout(Fanout):
    """Tells when it writes."""

    def __init__(self, noted: Callable[[], None]) -> None:
        super().__init__()
        self._noted = noted

    def flush(self) -> None:
        super().flush()
        self._noted()


class Desk(Submitter):
    """A journal over such a store, and the answers to what was submitted."""

    def __init__(self, timeout: float = 5.0) -> None:
        super().__init__()
        self.store: SoonStore = SoonStore()
        self.broker = NotingBroker()
        self.delivered = Recorder()
        self.meter = RecordingMeter()
        self.flushes: list[int] = []
        self.journal = Journal(
            TimedStore(self.store, timeout),
            self.broker,
            self.delivered,
            None,
            timeout,
            self.meter,
            NotingFanout(self._flush),
        )

    def _flush(self) -> None:
        self.flushes.append(len(self.answers))

    async def start(self) -> None:
        await self.store.inner.start("test", Bounds())
        for room in "rst":
            await self.store.inner.create_room(Room(room, "", 0))
        self.journal.start()

    async def settle(self, count: int) -> dict[str, Appended | ChatError]:
        """Let the store answer whatever it gets."""
        async with asyncio.timeout(WITHIN):
            while len(self.answers) < count:
                for call in self.store.sent:
                    if call.is_open:
                        await call.answer()
                await asyncio.sleep(0)
        return dict(self.answers)

    async def until_sent(self, count: int) -> list[Call]:
        await until(self.store.news, lambda: len(self.store.sent) >= count)
        return self.store.sent


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    desk = Desk()
    await desk.start()
    yield desk
    await desk.journal.stop()
    assert asyncio.all_tasks() == {asyncio.current_task()}, "a task was left behind"


FACT = (Fact("mood", "u1", b'"good"'),)

# ---- when a draft is sent ----


async def test_lonely_draft_is_sent_where_it_is_submitted_and_answered_where_the_reply_is_read(
    desk: Desk,
) -> None:
    desk.submit("1")
    (call,) = desk.store.sent
    await call.answer()

    assert [name for name, _ in desk.answers] == ["1"]
    assert desk.flushes == [1], "and written at once"
    assert [envelope.seq for envelope in desk.delivered.envelopes] == [1]
    assert desk.store.slowly == []


async def test_drafts_of_a_room_that_come_during_its_call_form_the_next(desk: Desk) -> None:
    for name in "1234":
        desk.submit(name)
    (first,) = desk.store.sent
    await first.answer()

    (_, second) = await desk.until_sent(2)

    assert (first.names, second.names) == (["1"], ["2", "3", "4"])
    await second.answer()
    assert await desk.stored() == list("1234")


async def test_a_room_does_not_wait_for_another(desk: Desk) -> None:
    desk.submit("1")
    desk.submit("2", "s")

    first, second = await desk.until_sent(2)
    await second.answer()

    assert [name for name, _ in desk.answers] == ["2"]
    await first.answer()


async def test_rooms_that_speak_at_a_time_are_sent_together(desk: Desk) -> None:
    for number in range(9):
        desk.submit(str(number), "rst"[number % 3])
    (first,) = desk.store.sent
    await first.answer()
    calls = await desk.until_sent(4)

    assert [call.names for call in calls] == [["0"], ["1", "4", "7"], ["2", "5", "8"], ["3", "6"]]
    for call in calls[1:]:
        await call.answer()


async def test_no_more_is_at_the_store_than_a_batch_may_have(desk: Desk) -> None:
    desk.submit("first")
    for number in range(1_700):
        desk.submit(str(number), "rst"[number % 3])
    done = 0
    while len(desk.answers) < 1_701:
        calls = await desk.until_sent(done + 1)
        under_way = calls[done:]
        assert sum(len(call.drafts) for call in under_way) <= 1_000
        assert max(len(call.drafts) for call in under_way) <= 500
        done += len(under_way)
        for call in under_way:
            await call.answer()
            await asyncio.sleep(0)

    for place, room in enumerate("rst"):
        names = [str(number) for number in range(place, 1_700, 3)]
        assert await desk.stored(room) == (["first", *names] if room == "r" else names)


async def test_what_waits_for_a_room_is_not_looked_at_again_with_each_draft(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the store hangs, thousands may wait: 20,000 looks at 20,000 are 400 million."""
    looks: list[int] = []
    sort = desk.journal._fast._sorted

    def look() -> Any:
        looks.append(len(desk.journal._fast.waiting))
        return sort()

    monkeypatch.setattr(desk.journal._fast, "_sorted", look)
    for number in range(50):
        desk.submit(str(number))
        await asyncio.sleep(0)

    assert looks == [1]
    await desk.settle(50)
    assert looks == [1, 49]


async def test_batches_are_measured(desk: Desk) -> None:
    desk.submit("1")
    await desk.store.sent[0].answer()

    assert desk.meter.values(APPEND_BATCH) == [1]


# ---- what the task gets ----


async def test_drafts_with_effects_are_the_task_s_and_keep_their_place_in_the_room(desk: Desk) -> None:
    desk.submit("1")
    desk.submit("2", facts=FACT)
    desk.submit("3")
    desk.submit("4", "s")
    first, other = await desk.until_sent(2)
    await other.answer()
    assert desk.store.slowly == []
    await first.answer()
    await desk.until(4)

    assert await desk.stored() == ["1", "2", "3"]
    assert [name for name, _ in desk.answers if name != "4"] == ["1", "2", "3"]
    assert [name for names in desk.store.slowly for name in names][:1] == ["2"]


async def test_when_the_task_has_nothing_left_the_room_is_sent_on_the_fast_path_again(desk: Desk) -> None:
    desk.submit("1", facts=FACT)
    await desk.until(1)
    await asyncio.sleep(0)

    desk.submit("2")
    (call,) = await desk.until_sent(1)
    await call.answer()

    assert (desk.store.slowly, call.names) == ([["1"]], ["2"])


async def test_what_the_store_does_not_take_is_the_task_s(desk: Desk) -> None:
    desk.store.refuses = True
    desk.submit("1")
    desk.submit("2", "s")

    answers = await desk.until(2)

    assert {type(result) for result in answers.values()} == {Appended}
    assert desk.store.sent == []


async def test_what_waits_behind_drafts_that_the_store_does_not_take_is_answered_too(desk: Desk) -> None:
    """The server has just broken the connection, and a room has a message, a reaction and another message in one turn."""
    await _busy(desk)
    desk.store.refuses = True
    desk.submit("1")
    desk.submit("2", facts=FACT)
    desk.submit("3")

    await desk.until(7)

    assert (await desk.stored())[-3:] == ["1", "2", "3"]


async def test_more_than_one_call_has_room_for_is_answered_where_the_store_does_not_take_it(
    desk: Desk,
) -> None:
    await _busy(desk)
    desk.store.refuses = True
    for number in range(1_200):
        desk.submit(str(number))

    answers = await desk.until(1_204)

    results = [answers[str(number)] for number in range(1_200)]
    assert [result.seq for result in results if isinstance(result, Appended)] == list(range(5, 1_205))


async def _busy(desk: Desk) -> None:
    """Several were sent at a time, so that the next ones wait for those of their turn."""
    for name in "abcd":
        desk.submit(name)
    await desk.settle(4)


async def test_data_that_cannot_be_sent_fail_alone(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.submit("1", payload=b'"poison"')
    desk.submit("2")

    answers = await desk.until(2)

    assert isinstance(answers["1"], InternalError)
    assert await desk.stored() == ["2"]


# ---- outcomes that are not known ----


@pytest.mark.parametrize("is_stored", [True, False])
async def test_unknown_outcome_is_repeated_by_the_task_and_stored_once(desk: Desk, is_stored: bool) -> None:
    desk.submit("1")
    desk.submit("2")
    (call,) = desk.store.sent
    if is_stored:
        await call.store()
    call.lose()
    answers = await desk.settle(2)

    assert await desk.stored() == ["1", "2"]
    assert [name for name, _ in desk.answers] == ["1", "2"]
    assert not any(result.duplicate for result in answers.values() if isinstance(result, Appended))
    assert [envelope.seq for envelope in desk.delivered.envelopes] == [1, 2]


async def test_repetition_of_an_answered_draft_is_a_repetition(desk: Desk) -> None:
    desk.submit("1")
    await desk.store.sent[0].answer()
    again = Draft("r", "message", b"{}", "2", now(), key=("", "1"))
    results: list[Appended | ChatError] = []
    desk.journal.submit(again, results.append)
    desk.journal.submit(
        Draft("r", "message", b"{}", "3", now(), key=("", "1"), hash=b"other"), results.append
    )
    for call in (await desk.until_sent(2))[1:]:
        await call.answer()
    for call in (await desk.until_sent(3))[2:]:
        await call.answer()

    first, second = results
    assert isinstance(first, Appended)
    assert (first.msg_id, first.duplicate) == ("1", True)
    assert isinstance(second, Conflict)
    assert len(desk.delivered.envelopes) == 1


async def test_store_that_stays_away_is_unavailable_in_little_more_than_one_limit() -> None:
    desk = Desk(timeout=0.4)
    await desk.start()
    desk.store.away = True
    ada, bob = object(), object()
    desk.submit("1", source=ada)
    desk.submit("2", source=ada)
    desk.submit("3", "s", source=bob)
    loop = asyncio.get_running_loop()
    first, other = await desk.until_sent(2)
    start = loop.time()
    first.lose()
    await other.answer()
    answers = await desk.until(3)

    assert [name for name, result in answers.items() if isinstance(result, Unavailable)] == ["1", "2"]
    assert loop.time() - start < 10
    desk.store.away = False
    desk.submit("4", source=ada)
    await desk.settle(4)
    assert await desk.stored() == ["4"]
    await desk.journal.stop()


# ---- taking back, and the end ----


async def test_what_waits_for_its_room_can_be_withdrawn(desk: Desk) -> None:
    ada, bob = object(), object()
    desk.submit("1", source=ada)
    desk.submit("2", source=ada)
    desk.submit("3", source=bob)

    desk.journal.withdraw(ada)
    await desk.store.sent[0].answer()
    await (await desk.until_sent(2))[1].answer()

    assert [name for name, _ in desk.answers] == ["1", "3"]


async def test_cancelled_append_is_withdrawn_if_it_was_not_sent(desk: Desk) -> None:
    desk.submit("1")
    waiting = asyncio.ensure_future(desk.journal.append(draft("2")))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await desk.store.sent[0].answer()
    desk.submit("3")
    await (await desk.until_sent(2))[1].answer()

    assert await desk.stored() == ["1", "3"]


async def test_what_was_sent_is_not_withdrawn_when_its_outcome_is_unknown(desk: Desk) -> None:
    """The store has it, so the others in the room have to get it, although its sender has gone meanwhile."""
    ada = object()
    desk.submit("1", source=ada)
    (call,) = desk.store.sent
    await call.store()
    call.lose()
    desk.journal.withdraw(ada)
    await desk.until(1)

    assert [envelope.seq for envelope in desk.delivered.envelopes] == [1]


async def test_cancelled_append_that_was_sent_tells_late_what_became_of_it(desk: Desk) -> None:
    late: asyncio.Future[Appended] = asyncio.get_running_loop().create_future()
    waiting = asyncio.ensure_future(desk.journal.append(draft("1"), late=late.set_result))
    (call,) = await desk.until_sent(1)
    await call.store()
    waiting.cancel()
    call.lose()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    async with asyncio.timeout(WITHIN):
        assert (await late).seq == 1


async def test_stop_waits_for_what_is_under_way_and_sends_what_waits(desk: Desk) -> None:
    desk.submit("1")
    desk.submit("2")
    stopping = asyncio.ensure_future(desk.journal.stop())
    await asyncio.sleep(0)
    await desk.store.sent[0].answer()
    assert not stopping.done()
    await (await desk.until_sent(2))[1].answer()
    await stopping

    assert await desk.stored() == ["1", "2"]
    assert len(desk.answers) == 2


async def test_stop_answers_everything_once_also_while_the_store_does_not() -> None:
    desk = Desk(timeout=0.2)
    await desk.start()
    desk.submit("1")
    desk.submit("2")
    desk.submit("3", facts=FACT)

    await desk.journal.stop()
    await desk.store.sent[0].answer()  # too late

    assert [(name, type(result)) for name, result in desk.answers] == [(name, Unavailable) for name in "123"]


# ---- both ways ----


class Fickle(SoonStore):
    """Answers by itself, in any order between rooms; now and then with an unknown outcome, or not at all."""

    def __init__(self, random: random.Random, *, soon: bool) -> None:
        super().__init__()
        self.appends_soon = soon
        self._random = random
        self._tasks: set[asyncio.Task[None]] = set()

    def append_soon(self, batch: Sequence[Sequence[Draft]], heard: Heard) -> bool:
        if self._random.random() < 0.05:
            return False
        for place, drafts in enumerate(batch):
            task = asyncio.ensure_future(self._reply(Call(self.inner, drafts, heard, place)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return True

    async def _reply(self, call: Call) -> None:
        for _ in range(self._random.randrange(6)):
            await asyncio.sleep(0)
        fate = self._random.random()
        if fate < 0.9:
            await call.answer()
        else:
            if fate < 0.95:
                await call.store()
            call.lose()

    async def append(self, drafts: Sequence[Draft]) -> list[Appended | ChatError]:
        if self._random.random() < 0.1:
            raise Unavailable
        await asyncio.sleep(0)
        return await self.inner.append(drafts)


@pytest.mark.parametrize("seed", range(5))
async def test_both_ways_store_tell_and_answer_the_same(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sanic_chatrooms.hub.journal.RETRY_WAIT", 0.0)
    ways = [await _walk(random.Random(seed), soon=soon) for soon in (True, False)]

    assert ways[0] == ways[1]


async def _walk(random: random.Random, *, soon: bool) -> tuple[Any, ...]:
    """What is stored in each room, by sender; how everything was answered; and that what was told is what is stored."""
    plan = [
        (room, sender, random.random() < 0.1, random.random() < 0.15)
        for _ in range(400)
        for room, sender in [(random.choice("rst"), random.choice("abcd"))]
    ]
    desk = Desk()
    desk.store = Fickle(random, soon=soon)
    desk.journal = Journal(
        TimedStore(desk.store, 5.0),
        desk.broker,
        desk.delivered,
        None,
        5.0,
        desk.meter,
        NotingFanout(desk._flush),
    )
    await desk.start()
    names: list[str] = []
    for number, (room, sender, has_effects, pauses) in enumerate(plan):
        names.append(f"{sender}{number}")
        desk.submit(names[-1], room, source=sender, facts=FACT if has_effects else ())
        if pauses:
            await asyncio.sleep(0)
    answers = await desk.until(len(plan))
    await desk.journal.stop()

    assert len(desk.answers) == len(plan), "each once"
    stored = {room: await desk.stored(room) for room in "rst"}
    told: dict[str, list[int]] = {room: [] for room in "rst"}
    for envelope in desk.delivered.envelopes:
        assert isinstance(envelope, Envelope)
        told[envelope.room].append(envelope.seq)
    assert told == {room: list(range(1, len(found) + 1)) for room, found in stored.items()}, "in order"
    for room, found in stored.items():
        assert found == [name for name, (where, *_) in zip(names, plan, strict=True) if where == room]
    return stored, {
        name: (result.seq, result.duplicate) if isinstance(result, Appended) else result
        for name, result in answers.items()
    }
