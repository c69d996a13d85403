"""Group commit: what becomes of a draft, whatever the store and the broker do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

import pytest

from sanic_chatrooms.errors import ChatError, Conflict, InternalError, RoomNotFound, Unavailable
from sanic_chatrooms.hub.journal import BATCH_LIMIT, Journal
from sanic_chatrooms.models import Appended, Draft, Envelope, Event, Fold, Relation, Room, Scope
from sanic_chatrooms.observe.instruments import (
    APPEND_BATCH,
    APPEND_SECONDS,
    DRAFTS_WAITING,
    ENVELOPES_WAITING,
    PUBLISH_BATCH,
    PUBLISH_SECONDS,
    STORE_ERRORS,
)
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.memory.store import MemoryStore
from sanic_chatrooms.testing import FaultyStore, Recorder, RecordingMeter
from sanic_chatrooms.wire.encode import encode_event
from tests.support.hubs import NotingBroker
from tests.support.journals import Submitter, draft

WITHIN = 40.0
pytestmark = pytest.mark.usefixtures("idle_time")


class Batches(FaultyStore):
    """Takes down the size of each batch; refuses one that holds a payload b"poison" as a database refuses data."""

    def __init__(self, inner: MemoryStore) -> None:
        super().__init__(inner)
        self.sizes: list[int] = []

    async def append(self, drafts: Sequence[Draft]) -> list[Appended | ChatError]:
        self.sizes.append(len(drafts))
        if any(draft.payload == b'"poison"' for draft in drafts):
            raise ValueError("invalid byte sequence")
        return await super().append(drafts)


class Listener:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def stored(self, event: Event) -> None:
        self.events.append(event)


class Desk(Submitter):
    """A journal with all that it needs, and the answers to what was submitted."""

    def __init__(self) -> None:
        super().__init__()
        self.store: Batches = Batches(MemoryStore())
        self.broker = NotingBroker()
        self.delivered = Recorder()
        self.listener = Listener()
        self.meter = RecordingMeter()
        self.journal = Journal(self.store, self.broker, self.delivered, self.listener, 0.3, self.meter)

    async def start(self) -> None:
        await self.store.start("test", Bounds())
        for room in ("r", "s"):
            await self.store.inner.create_room(Room(room, "", 0))
        self.journal.start()


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    desk = Desk()
    await desk.start()
    yield desk
    desk.store.resume()
    await desk.journal.stop()
    assert asyncio.all_tasks() == {asyncio.current_task()}, "a task was left behind"


# ---- group commit ----


async def test_drafts_that_come_during_a_batch_form_the_next(desk: Desk) -> None:
    desk.store.hang()
    desk.submit("1")
    await _asked(desk)
    for index in range(2, 102):
        desk.submit(str(index))
    desk.store.resume()

    await desk.until(101)

    assert desk.store.sizes == [1, 100]


async def _asked(desk: Desk) -> None:
    while not desk.store.sizes:  # noqa: ASYNC110 - one turn of the loop
        await asyncio.sleep(0)


async def test_order_of_submission_is_the_order_in_the_room_and_of_the_answers(desk: Desk) -> None:
    names = [str(index) for index in range(2_500)]
    for name in names:
        desk.submit(name)

    answers = await desk.until(len(names))

    assert [name for name, _ in desk.answers] == names
    assert [answers[name].seq for name in names] == list(range(1, 2_501))  # type: ignore[union-attr]
    assert [e.seq for e in desk.delivered.envelopes] == list(range(1, 2_501))
    assert max(desk.store.sizes) == BATCH_LIMIT


async def test_stored_event_is_delivered_published_and_heard_before_its_answer(desk: Desk) -> None:
    order = []
    desk.journal._deliver = lambda envelope: order.append("delivered")
    desk.journal.submit(draft("1"), lambda result: order.append("answered"))
    await desk.journal.append(draft("2"))

    assert order[:2] == ["delivered", "answered"]
    assert [event.msg_id for event in desk.listener.events] == ["1", "2"]
    published = await desk.broker.published.until(2)
    assert [(e.room, e.seq, e.type) for e in published] == [("r", 1, "message"), ("r", 2, "message")]


async def test_envelope_is_the_event_as_the_store_shows_it(desk: Desk) -> None:
    await desk.journal.append(draft("one", key="a-client-s-own-id", payload=b'{"text": "hi"}'))

    page = await desk.store.inner.history("r", after=0, limit=1)

    assert desk.delivered.envelopes[0].data == encode_event(page.events[0])


async def test_envelope_of_an_event_without_a_client_s_id_is_the_event_as_the_store_shows_it(
    desk: Desk,
) -> None:
    await desk.journal.append(draft("one"))

    page = await desk.store.inner.history("r", after=0, limit=1)

    assert desk.delivered.envelopes[0].data == encode_event(page.events[0])
    assert b"clientMsgId" not in desk.delivered.envelopes[0].data


async def test_repetition_is_answered_and_not_told_again(desk: Desk) -> None:
    first = await desk.journal.append(draft("one", key="a-client-s-own-id"))
    again = await desk.journal.append(draft("two", key="a-client-s-own-id"))

    assert again == Appended("one", first.seq, first.timestamp, first.epoch, duplicate=True)
    assert len(desk.delivered.envelopes) == len(desk.listener.events) == 1


# ---- errors ----


async def test_error_of_one_draft_is_its_own(desk: Desk) -> None:
    for name, room in (("1", "r"), ("2", "nowhere"), ("3", "r")):
        desk.submit(name, room)

    answers = await desk.until(3)

    assert isinstance(answers["2"], RoomNotFound)
    assert await desk.stored() == ["1", "3"]


async def test_batch_refused_for_its_data_fails_only_the_bad_draft(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    for name in "12345":
        desk.submit(name, payload=b'"poison"' if name == "3" else b"{}")

    answers = await desk.until(5)

    assert isinstance(answers["3"], InternalError)
    assert await desk.stored() == ["1", "2", "4", "5"]
    assert [name for name, _ in desk.answers] == list("12345")
    assert sum("refused a draft" in r.message for r in caplog.records) == 1


async def test_store_that_answers_too_little_is_not_believed(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    append = desk.store.inner.append

    async def short(drafts: Sequence[Draft]) -> list[Appended | ChatError]:
        return (await append(drafts))[1:]

    desk.store.inner.append = short  # type: ignore[method-assign]
    desk.submit("1")
    answers = await desk.until(1)
    desk.store.inner.append = append  # type: ignore[method-assign]

    assert isinstance(answers["1"], InternalError)
    assert (await desk.journal.append(draft("2"))).seq == 2  # the journal goes on


async def test_answer_that_cannot_be_given_harms_no_other(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(result: Appended | ChatError) -> None:
        raise RuntimeError("nobody is there")

    desk.journal.submit(draft("1"), broken)
    desk.submit("2")

    await desk.until(1)

    assert await desk.stored() == ["1", "2"]


async def test_delivery_that_fails_harms_no_answer(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    def broken(envelope: Envelope) -> None:
        raise RuntimeError("no way")

    desk.journal._deliver = broken

    assert (await desk.journal.append(draft("1"))).seq == 1
    assert (await desk.journal.append(draft("2"))).seq == 2


# ---- unknown outcome ----


async def test_unknown_outcome_is_repeated_by_key_and_stored_once(desk: Desk) -> None:
    desk.store.unknown_outcome_next()

    result = await desk.journal.append(draft("1"))

    assert (result.seq, result.duplicate) == (1, False)  # it is the first, whichever attempt stored it
    assert await desk.stored() == ["1"]
    assert len(desk.delivered.envelopes) == len(desk.listener.events) == 1


async def test_unknown_outcome_of_a_repetition_stays_a_repetition(desk: Desk) -> None:
    await desk.journal.append(draft("1", key="a-client-s-own-id"))
    desk.store.unknown_outcome_next()

    again = await desk.journal.append(draft("2", key="a-client-s-own-id"))

    assert again.duplicate
    assert len(desk.delivered.envelopes) == 1


@pytest.mark.parametrize(
    "later",
    [
        pytest.param([Relation("1", Fold.ERASE)], id="deleted"),
        pytest.param([None] * 1000, id="trimmed"),
    ],
)
async def test_an_edit_that_is_gone_before_its_outcome_is_known_is_answered_and_not_told(
    desk: Desk, later: list[Relation | None]
) -> None:
    """Another worker deletes or trims the message. What is left of the edit is read from the store, as every gap is."""
    await desk.journal.append(draft("1"))
    attempts = len(desk.store.sizes)

    async def meanwhile() -> None:
        if len(desk.store.sizes) == attempts + 2:
            await desk.store.inner.append([draft(f"later {n}", about=about) for n, about in enumerate(later)])

    desk.store.latency = meanwhile
    desk.store.unknown_outcome_next()
    edited = await desk.journal.append(draft("2", about=Relation("1", Fold.REPLACE, value=b'{"text":"new"}')))

    assert (edited.seq, edited.duplicate) == (2, False)
    assert [envelope.seq for envelope in desk.delivered.envelopes] == [1]
    assert [event.seq for event in desk.listener.events] == [1]


async def test_an_edit_whose_outcome_was_unknown_is_told_with_the_number_of_its_message(desk: Desk) -> None:
    await desk.journal.append(draft("1"))
    desk.store.unknown_outcome_next()

    await desk.journal.append(draft("2", payload=b'{"by":1}', about=Relation("1", Fold.REPLACE, value=b"{}")))

    assert bytes(desk.listener.events[1].payload) == b'{"seq":1,"by":1}'


async def test_store_that_fails_for_a_moment_is_not_noticed(desk: Desk) -> None:
    desk.store.fail_next(3, "append")

    assert (await desk.journal.append(draft("1"))).seq == 1


async def test_hanging_store_is_unavailable_within_the_time_limit(desk: Desk) -> None:
    desk.store.hang()
    loop = asyncio.get_running_loop()
    start = loop.time()

    with pytest.raises(Unavailable):
        await desk.journal.append(draft("1"))

    assert 0.2 < loop.time() - start < 10
    desk.store.resume()
    assert (await desk.journal.append(draft("1"))).seq == 1


async def test_everything_is_answered_in_time_however_much_waits(desk: Desk) -> None:
    """While the store is away: ten batches that wait for each other would take ten time limits."""
    desk.journal._timeout = 1.5
    desk.store.hang()
    count = 10 * BATCH_LIMIT
    for index in range(count):
        desk.submit(str(index))
    loop = asyncio.get_running_loop()
    start = loop.time()

    await desk.until(count)

    assert {type(result) for _, result in desk.answers} == {Unavailable}
    assert len(desk.answers) == count
    assert loop.time() - start < 5 * 1.5


async def test_who_waited_behind_a_batch_that_nobody_took_does_not_wait_as_long_once_more(desk: Desk) -> None:
    desk.journal._timeout = 1.5
    took: list[float] = []

    async def hanging(drafts: Sequence[Draft]) -> list[Appended | ChatError]:
        began = time.monotonic()
        try:
            await asyncio.Event().wait()
        finally:
            took.append(time.monotonic() - began)
        return []

    desk.store.inner.append = hanging  # type: ignore[method-assign]
    desk.submit("1")
    await _asked(desk)
    desk.submit("2")
    answers = await desk.until(2)

    assert {type(result) for result in answers.values()} == {Unavailable}
    assert took[1] < 0.8 * took[0]


async def test_who_waited_behind_a_slow_batch_has_all_their_time(desk: Desk) -> None:
    desk.journal._timeout = 1.5
    append = desk.store.inner.append

    async def slow(drafts: Sequence[Draft]) -> list[Appended | ChatError]:
        await asyncio.sleep(0.6 * 1.5)
        return await append(drafts)

    desk.store.inner.append = slow  # type: ignore[method-assign]
    desk.submit("1")
    await _asked(desk)
    desk.submit("2")
    answers = await desk.until(2)

    assert {type(result) for result in answers.values()} == {Appended}


async def test_drafts_that_go_one_by_one_share_one_time_limit(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """The batch was refused for its data, and then the store went away: not one limit for each of them."""
    desk.journal._timeout = 1.5
    desk.submit("bad", payload=b'"poison"')
    for index in range(20):
        desk.submit(str(index))
    append = desk.store.inner.append

    async def hanging(drafts: Sequence[Draft]) -> list[Appended | ChatError]:
        await asyncio.Event().wait()
        return []

    desk.store.inner.append = hanging  # type: ignore[method-assign]
    loop = asyncio.get_running_loop()
    start = loop.time()
    answers = await desk.until(21)
    desk.store.inner.append = append  # type: ignore[method-assign]

    assert isinstance(answers.pop("bad"), InternalError)
    assert {type(result) for result in answers.values()} == {Unavailable}
    assert loop.time() - start < 5 * 1.5


async def test_later_drafts_of_the_same_connection_and_room_fail_too(desk: Desk) -> None:
    ada, bob = object(), object()
    desk.store.hang()
    desk.submit("1", source=ada)
    await _asked(desk)
    desk.submit("2", source=ada)
    desk.submit("3", "s", source=ada)
    desk.submit("4", source=bob)
    desk.submit("5")
    await desk.until(1)
    desk.store.resume()

    answers = await desk.until(5)

    assert {name for name, result in answers.items() if isinstance(result, Unavailable)} == {"1", "2"}
    assert (await desk.stored(), await desk.stored("s")) == (["4", "5"], ["3"])


async def test_order_holds_too_where_drafts_go_one_by_one(desk: Desk) -> None:
    ada = object()
    desk.submit("bad", payload=b'"poison"')
    for name in "123":
        desk.submit(name, source=ada)
    append = desk.store.inner.append

    async def hanging_at_2(drafts: Sequence[Draft]) -> list[Appended | ChatError]:
        if drafts[0].msg_id == "2":
            await asyncio.Event().wait()
        return await append(drafts)

    desk.store.inner.append = hanging_at_2  # type: ignore[method-assign]
    answers = await desk.until(4)

    assert await desk.stored() == ["1"]
    assert isinstance(answers["2"], Unavailable)
    assert isinstance(answers["3"], Unavailable)


async def test_failing_many_at_once_takes_no_time(desk: Desk) -> None:
    """One look at what waits, however many failed: 1,000 against 20,000 is not 20 million."""
    origins = [object() for _ in range(BATCH_LIMIT)]
    desk.store.hang()
    for source in origins:
        desk.submit("first", source=source)
    await _asked(desk)
    for index in range(20_000):
        desk.submit(f"later {index}", source=origins[index % BATCH_LIMIT])
    await desk.until(1)
    start = time.process_time()
    await desk.until(20_000 + BATCH_LIMIT)

    assert time.process_time() - start < 1.5


async def test_conflict_is_no_reason_to_fail_others(desk: Desk) -> None:
    ada = object()
    await desk.journal.append(draft("1", key="a-client-s-own-id"))
    one = Draft("r", "message", b"{}", "2", 0.0, key=("ada", "a-client-s-own-id"), hash=b"other")
    answers: list[object] = []
    desk.journal.submit(one, answers.append, ada)
    desk.submit("3", source=ada)

    await desk.until(1)

    assert isinstance(answers[0], Conflict)
    assert await desk.stored() == ["1", "3"]


# ---- taking back ----


async def test_what_a_closed_connection_submitted_is_withdrawn(desk: Desk) -> None:
    ada, bob = object(), object()
    desk.store.hang()
    desk.submit("1", source=ada)
    await _asked(desk)
    desk.submit("2", source=ada)
    desk.submit("3", source=bob)

    desk.journal.withdraw(ada)
    desk.store.resume()
    answers = await desk.until(2)

    assert set(answers) == {"1", "3"}
    assert await desk.stored() == ["1", "3"]


async def test_cancelled_append_is_withdrawn_if_no_batch_has_it(desk: Desk) -> None:
    desk.store.hang()
    desk.submit("1")
    await _asked(desk)
    waiting = asyncio.ensure_future(desk.journal.append(draft("2")))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    desk.store.resume()
    await desk.journal.append(draft("3"))

    assert await desk.stored() == ["1", "3"]


# ---- the broker ----


async def test_no_answer_waits_for_the_broker(desk: Desk) -> None:
    gate = asyncio.Event()

    async def slow(envelopes: Sequence[Envelope]) -> None:
        await gate.wait()

    desk.broker.publish = slow  # type: ignore[method-assign]

    for index in range(20):
        assert (await desk.journal.append(draft(str(index)))).seq == index + 1
    gate.set()


async def test_what_the_store_publishes_itself_is_not_published_again(desk: Desk) -> None:
    desk.store.publishes_as = "the broker's source"
    await desk.journal.append(draft("one"))
    desk.journal.publish(Envelope("r", "", 0, "typing", b"{}"))

    assert [envelope.type for envelope in await desk.broker.published.until(1)] == ["typing"]
    assert len(desk.delivered.envelopes) == 1


# ---- the end ----


async def test_stop_appends_what_was_submitted_and_publishes_it(desk: Desk) -> None:
    for index in range(10):
        desk.submit(str(index))

    await desk.journal.stop()

    assert len(desk.answers) == len(await desk.stored()) == 10
    assert len(desk.broker.published.envelopes) == 10


async def test_stop_waits_for_the_batch_under_way(desk: Desk) -> None:
    desk.store.hang()
    desk.submit("1")
    await _asked(desk)
    stopping = asyncio.ensure_future(desk.journal.stop())
    await asyncio.sleep(0)
    desk.store.resume()
    await stopping

    assert isinstance(dict(desk.answers)["1"], Appended)


async def test_stop_answers_everything_also_while_the_store_hangs(desk: Desk) -> None:
    desk.store.hang()
    for index in range(3 * BATCH_LIMIT):
        desk.submit(str(index))
    waiting = asyncio.ensure_future(desk.journal.append(draft("waiting")))
    await _asked(desk)

    async with asyncio.timeout(30):
        await desk.journal.stop()

    assert len(desk.answers) == 3 * BATCH_LIMIT
    assert all(isinstance(result, Unavailable) for _, result in desk.answers)
    with pytest.raises(Unavailable):
        await waiting


async def test_what_comes_after_the_stop_is_answered(desk: Desk) -> None:
    await desk.journal.stop()

    with pytest.raises(Unavailable):
        await asyncio.wait_for(desk.journal.append(draft("late")), WITHIN)


async def test_stop_twice_does_nothing(desk: Desk) -> None:
    await desk.journal.stop()
    await desk.journal.stop()


# ---- answering beside the store ----


class Shared(Batches):
    """Stands for a store of several processes, which takes a while."""

    def __init__(self, inner: MemoryStore, *, waits: bool) -> None:
        super().__init__(inner)
        self.scope = Scope.MACHINE  # type: ignore[misc]
        self.open = 0
        self.takes_time = waits

    async def append(self, drafts: Sequence[Draft]) -> list[Appended | ChatError]:
        self.open += 1
        if self.takes_time:
            await asyncio.sleep(0.001)
        results = await super().append(drafts)
        self.open -= 1
        return results


async def shared_desk(*, waits: bool) -> Desk:
    desk = Desk()
    desk.store = Shared(MemoryStore(), waits=waits)
    desk.journal = Journal(desk.store, desk.broker, desk.delivered, desk.listener, 5.0)
    await desk.start()
    return desk


async def _all_talk(desk: Desk) -> list[int]:
    """Hundred who speak again as soon as they are answered; how many appends were open at each answer."""
    assert isinstance(desk.store, Shared)
    store, open_then = desk.store, []

    async def talk(number: int) -> None:
        for count in range(20):
            await desk.journal.append(draft(f"{number}-{count}"))
            open_then.append(store.open)

    await asyncio.gather(*(talk(number) for number in range(100)))
    return open_then


@pytest.mark.parametrize("waits", [True, False])
async def test_large_batches_of_a_shared_store_are_delivered_in_order(waits: bool) -> None:
    desk = await shared_desk(waits=waits)

    await _all_talk(desk)

    assert [envelope.seq for envelope in desk.delivered.envelopes] == list(range(1, 2001))
    await desk.journal.stop()


async def test_while_a_shared_store_works_the_batch_before_is_answered() -> None:
    desk = await shared_desk(waits=True)

    open_then = await _all_talk(desk)

    assert open_then.count(1) > 1_000
    assert set(open_then) == {0, 1}
    await desk.journal.stop()


async def test_a_large_batch_is_answered_in_two_parts_and_each_room_in_one() -> None:
    desk = await shared_desk(waits=True)
    told: list[int] = []

    def first(_: Appended | ChatError) -> None:
        asyncio.get_running_loop().call_soon(lambda: told.append(len(desk.delivered.envelopes)))

    desk.journal.submit(draft("first"), first)
    for number in range(24):
        desk.submit(f"r{number}")
    for number in range(15):
        desk.submit(f"s{number}", "s")
    await desk.until(39)

    assert told == [25], "all of the first room, though the middle is at 20, and none of the second"
    await desk.journal.stop()


async def test_stop_answers_what_was_stored_and_not_answered_yet() -> None:
    desk = await shared_desk(waits=True)
    for number in range(100):
        desk.submit(str(number))
    await desk.until(50)

    await desk.journal.stop()

    assert [type(result) for _, result in desk.answers] == [Appended] * 100
    assert [result.seq for _, result in desk.answers if isinstance(result, Appended)] == list(range(1, 101))


async def test_what_follows_an_unknown_outcome_of_a_shared_store_is_not_stored_before_it() -> None:
    desk = await shared_desk(waits=True)
    source = object()
    desk.journal._timeout = 0.05
    desk.store.hang()
    for number in range(100):
        desk.submit(f"a{number}", source=source)
    await asyncio.sleep(0)
    for number in range(100):
        desk.submit(f"b{number}", source=source)

    answers = await desk.until(200)
    desk.store.resume()

    assert {type(result) for result in answers.values()} == {Unavailable}
    assert await desk.stored() == []
    await desk.journal.stop()


# ---- what is measured ----


async def test_batches_of_drafts_and_of_envelopes_are_measured(desk: Desk) -> None:
    for name in ("one", "two", "three"):
        desk.submit(name)
    assert desk.meter.value(DRAFTS_WAITING) == 3
    await desk.until(3)
    await desk.broker.published.until(3)

    assert sum(desk.meter.values(APPEND_BATCH)) == sum(desk.meter.values(PUBLISH_BATCH)) == 3
    assert len(desk.meter.values(APPEND_SECONDS)) == len(desk.meter.values(APPEND_BATCH))
    assert len(desk.meter.values(PUBLISH_SECONDS)) == len(desk.meter.values(PUBLISH_BATCH))
    assert desk.meter.value(DRAFTS_WAITING) == desk.meter.value(ENVELOPES_WAITING) == 0
    assert desk.meter.value(STORE_ERRORS, "append", "unavailable") == 0


async def test_a_batch_that_the_store_did_not_take_is_counted(desk: Desk) -> None:
    desk.store.hang()
    desk.submit("one")
    await desk.until(1)

    assert desk.meter.value(STORE_ERRORS, "append", "unavailable") == 1
