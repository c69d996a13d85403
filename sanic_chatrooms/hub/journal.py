"""Group commit: collects drafts and appends them in batches. Then it delivers the events here, and to other workers by the broker.

Drafts that arrive while a batch is under way form the next one. So more senders make larger batches, and a single sender
does not wait. In every room, events have the order in which their drafts were submitted.
"""

import asyncio
import logging
import time
from bisect import bisect_right
from collections.abc import Callable
from operator import attrgetter
from typing import ClassVar, Protocol

import msgspec
from msgspec.structs import replace

from ..brokers.base import Broker
from ..errors import ChatError, InternalError, Unavailable
from ..models import Appended, Draft, Envelope, Event, Scope
from ..observe.ids import ids
from ..observe.instruments import APPEND_BATCH, APPEND_SECONDS, DRAFTS_WAITING, STORE_ERRORS
from ..observe.meter import SILENT, Meter
from ..stores.base import Store
from ..stores.streams import streaming_of
from ..support.tasks import end, is_ending
from ..wire.encode import encode_event
from .entry import Done, Entry, is_gone, middle, place
from .fanout import Fanout
from .fast_path import FastPath
from .publisher import Publisher

__all__ = ["Done", "Journal"]

logger = logging.getLogger("sanic_chatrooms.hub.journal")

BATCH_LIMIT = 1_000
"""Drafts per batch. It bounds what one transaction locks."""
OVERLAP = 32
"""A batch with at least so many drafts is answered while the next one is being stored."""
HEAD_START = 0.001
"""Seconds that a store on a thread of this process gets to begin the next batch, before the previous one is answered: until
it is inside its driver it needs the GIL, and answering would hold it."""
RETRY_WAIT = 0.05
LEAST_SHARE = 1 / 4
"""The part of the time limit that every batch gets: a store that has just come back needs a moment for its first answer."""

UNANSWERED = "an answer could not be given"


class StoreListener(Protocol):
    """Is told what this process has stored."""

    def stored(self, event: Event) -> None:
        """A new durable event."""


class Journal:
    """`submit` does not wait: one task appends, or the fast path, where the store has one."""

    publisher: ClassVar[type[Publisher]] = Publisher

    def __init__(
        self,
        store: Store,
        broker: Broker,
        deliver: Callable[[Envelope], None],
        listener: StoreListener | None,
        timeout: float,
        meter: Meter = SILENT,
        fanout: Fanout | None = None,
    ) -> None:
        self._store = store
        self._fast = FastPath(store, self._answer_soon, self._take_over, fanout or Fanout(), meter)
        self._meter = meter
        self._deliver = deliver
        self._listener = listener
        self._timeout = timeout
        self._pending: list[Entry] = []
        self._woken = asyncio.Event()
        self._storing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._overlaps = store.scope is not Scope.PROCESS
        """A store in this process's memory waits for nothing, so answering in two turns would only cost a second write."""
        self._head_start = HEAD_START if store.scope is Scope.MACHINE else 0.0
        self._rest: tuple[list[Entry], list[Appended | ChatError]] = ([], [])
        """The part of the last batch that is stored and not answered yet."""
        self._away = False
        """The store did not take the last batch."""
        self._returned = 0
        """So many at the front of `_pending` were sent on the fast path, with an unknown outcome."""
        self._publisher = self.publisher(broker, timeout, meter)
        self.publish = self._publisher.publish
        self._alone = broker.alone
        meter.watch(DRAFTS_WAITING, lambda: len(self._pending) + len(self._fast.waiting))

    def start(self) -> None:
        """Begin to append."""
        self._fast.start()
        self._task = asyncio.ensure_future(self._append_batches())
        self._publisher.start()

    async def stop(self) -> None:
        """Append what was submitted, publish it, and end, within two time limits. Calling it again does nothing.

        Everything is answered. What the store did not take in time is `Unavailable`, and so is what comes from now on.
        """
        task, self._task = self._task, None
        if task is None:
            return
        self._stopping = True
        self._fast.ended = self._woken
        self._woken.set()
        await asyncio.wait([task], timeout=self._timeout)
        await end(task)
        self._answer_rest()
        left, self._pending = self._fast.abandon() + self._pending, []
        self._answer(left, [Unavailable()] * len(left))
        await self._publisher.stop()

    def submit(self, draft: Draft, done: Done, source: object = None, *, within: bool = True) -> None:
        """Add a draft to the next batch. `done` is called once with the result; if that may be `within`, perhaps before this returns.

        That is soon after the store has answered, and within three time limits; little more than one if it does not answer at all.

        If a draft becomes `Unavailable`, later drafts of the same `source` (a connection) for the same room that wait here
        become that too. So a client that repeats them in order keeps its order.
        """
        if self._stopping:
            done(Unavailable())
            return
        entry = Entry(draft, done, source, time.monotonic() + self._timeout)
        if self._store.appends_soon:
            self._fast.submit(entry, within=within)
        else:
            self._pending.append(entry)
            self._woken.set()

    def withdraw(self, source: object) -> None:
        """Drop, unanswered, what this source (a connection that was closed) submitted and no batch has taken yet."""
        self._drop(lambda entry: entry.source is source and not entry.sent)

    async def append(
        self, draft: Draft, source: object = None, *, late: Callable[[Appended], None] | None = None
    ) -> Appended:
        """Submit and wait for the result. Raises what `Store.append` raises.

        If the call is cancelled, the draft is withdrawn, unless a batch has taken it: then it may be stored all the same, and
        `late` is called with the result. Raises `InvalidField` if the caller itself keeps the store from writing.
        """
        self._store.require_free()
        answer: asyncio.Future[Appended] = asyncio.get_running_loop().create_future()

        def done(result: Appended | ChatError) -> None:
            if answer.done():
                if late is not None and isinstance(result, Appended):
                    late(result)
            elif isinstance(result, ChatError):
                answer.set_exception(result)
            else:
                answer.set_result(result)

        self.submit(draft, done, source, within=False)  # so that each `await` of a loop lets others run
        try:
            return await answer
        except asyncio.CancelledError:
            self._drop(lambda entry: entry.done is done and not entry.sent)
            raise

    async def settle(self) -> None:
        """Wait until the batch that is on its way to the store has come back from it."""
        async with self._storing:
            pass

    def _drop(self, is_meant: Callable[[Entry], bool]) -> list[Entry]:
        """Take out what no batch has taken yet; -> these, in their order."""
        dropped = [entry for entry in (*self._pending, *self._fast.waiting) if is_meant(entry)]
        if dropped:
            self._pending = [entry for entry in self._pending if not is_meant(entry)]
            self._returned = sum(entry.sent for entry in self._pending[: self._returned])
            self._fast.waiting = [entry for entry in self._fast.waiting if not is_meant(entry)]
            self._woken.set()
        return dropped

    # ---- between the fast path and the task ----

    def _take_over(self, entries: list[Entry], is_unknown: bool) -> None:
        """The task appends these. `is_unknown`: they were sent already, and what became of them is not known."""
        if is_unknown:
            self._away = True
            self._pending[:0] = entries
            self._returned += len(entries)
        else:
            self._pending += entries
        self._woken.set()

    def _answer_soon(self, entries: list[Entry], results: list[Appended | ChatError]) -> None:
        if self._rest[0]:
            self._answer_rest()
        self._answer(entries, results)

    # ---- the appending task ----

    async def _append_batches(self) -> None:
        while self._pending or not self._stopping or not self._fast.is_free:
            await self._woken.wait()
            self._woken.clear()
            if self._overlaps:
                # Drafts of one more turn share the round trip; otherwise they would wait for its end.
                await asyncio.sleep(0)
            while self._pending:
                size = min(self._returned or BATCH_LIMIT, BATCH_LIMIT)  # who came later has more time left
                self._returned = max(self._returned - size, 0)
                batch = self._pending[:size]
                del self._pending[:size]
                since = time.monotonic()
                async with self._storing:
                    results = await self._results(batch)
                self._away = all(isinstance(result, Unavailable) for result in results)
                self._measure(results, since)
                self._answer_rest()
                await self._answer_beside(batch, results)
                self._answer_overdue()
            self._fast.caught_up()

    async def _results(self, batch: list[Entry]) -> list[Appended | ChatError]:
        """A result for each draft, whatever happens: if this task ended, nothing would be answered any more."""
        try:
            return await self._append(batch)
        except asyncio.CancelledError:
            if is_ending():
                self._answer_rest()
                self._answer(batch, [Unavailable()] * len(batch))
                raise
            logger.exception("the store gave a batch of %d up", len(batch))
        except Exception:
            logger.exception("a batch of %d could not be stored", len(batch))
        return [Unavailable() for _ in batch]

    def _measure(self, results: list[Appended | ChatError], since: float) -> None:
        if self._meter is SILENT:
            return
        self._meter.observe(APPEND_BATCH, len(results))
        self._meter.observe(APPEND_SECONDS, time.monotonic() - since)
        if self._away:
            self._meter.add(STORE_ERRORS, 1, "append", Unavailable.code)

    async def _answer_beside(self, batch: list[Entry], results: list[Appended | ChatError]) -> None:
        """Answer a large batch while the store is at work on the next one, so that their times do not add up.

        If all senders were in this batch, answering the first half lets them send what becomes the next batch.
        """
        if not self._overlaps or len(batch) < OVERLAP or any(isinstance(r, Unavailable) for r in results):
            self._answer(batch, results)  # after Unavailable before another batch is taken: `_fail_later`
            return
        half = 0 if self._pending else middle(batch)
        self._rest = (batch[half:], results[half:])
        if half:
            self._answer(batch[:half], results[:half])
            await asyncio.sleep(0)  # one turn, in which their next messages come
        loop = asyncio.get_running_loop()
        loop.call_later(self._head_start, self._answer_rest)

    def _answer_rest(self) -> None:
        rest, self._rest = self._rest, ([], [])
        self._answer(*rest)

    def _answer_overdue(self) -> None:
        # While the store is away, every batch runs into its limit. The next batch is tried. Drafts behind it that have
        # waited long enough are answered now. They are ordered by their due time.
        if len(self._pending) <= BATCH_LIMIT:
            return
        end = bisect_right(self._pending, time.monotonic(), BATCH_LIMIT, key=attrgetter("due"))
        overdue = self._pending[BATCH_LIMIT:end]
        if overdue:
            del self._pending[BATCH_LIMIT:end]
            self._answer(overdue, [Unavailable()] * len(overdue))

    async def _append(self, batch: list[Entry]) -> list[Appended | ChatError]:
        try:
            return await self._append_before(self._limit(batch), batch)
        except Exception as exc:  # noqa: BLE001 - a driver may raise anything
            if len(batch) == 1:
                return [_refused(batch[0].draft, exc)]
            return await self._append_singly(batch)

    async def _append_singly(self, batch: list[Entry]) -> list[Appended | ChatError]:
        """The store refused the batch for its data. Append one by one, so that a bad draft fails alone; within one time limit."""
        results: list[Appended | ChatError] = []
        unsure: set[tuple[int, str]] = set()
        end = self._limit(batch)
        for entry in batch:
            if place(entry) in unsure:
                results.append(Unavailable())
                continue
            try:
                results += await self._append_before(end, [entry])
            except Exception as exc:  # noqa: BLE001 - the same
                results.append(_refused(entry.draft, exc))
            if isinstance(results[-1], Unavailable) and entry.source is not None:
                unsure.add(place(entry))
        return results

    def _limit(self, batch: list[Entry]) -> float:
        left = self._timeout
        if self._away:
            # They have waited behind a batch that failed, and should not wait as long again.
            left = min(left, max(batch[0].due - time.monotonic(), left * LEAST_SHARE))
        return asyncio.get_running_loop().time() + left

    async def _append_before(self, end: float, batch: list[Entry]) -> list[Appended | ChatError]:
        """Raises what the store raises for bad data."""
        if not self._store.waits:  # a time limit would cost a tenth of a message's latency
            return await self._append_until_known([entry.draft for entry in batch])
        try:
            async with asyncio.timeout_at(end):
                return await self._append_until_known([entry.draft for entry in batch])
        except (Unavailable, TimeoutError):
            return [Unavailable()] * len(batch)

    async def _append_until_known(self, drafts: list[Draft]) -> list[Appended | ChatError]:
        # After Unavailable it is unknown what was stored. Every draft has a key, so appending again tells.
        while True:
            try:
                results = await self._store.append(drafts)
            except Unavailable:
                await asyncio.sleep(RETRY_WAIT)
                continue
            if len(results) != len(drafts):
                raise TypeError(f"the store gave {len(results)} results for {len(drafts)} drafts")
            return results

    # A failing answer must not end the task that gives all answers. A call less for each: this runs for every message.
    def _answer(self, batch: list[Entry], results: list[Appended | ChatError]) -> None:
        unsure: list[tuple[int, str]] = []  # mostly empty, and a set takes longer to make
        for entry, result in zip(batch, results):  # noqa: B905 - as many; a keyword takes as long as the rest of this line
            if isinstance(result, Appended):
                if result.duplicate and result.msg_id == entry.draft.msg_id:
                    # An earlier attempt of ours stored it, and its outcome was unknown: nobody has been told yet.
                    result = replace(result, duplicate=False)
                draft = entry.draft
                if not (
                    result.duplicate
                    or result.unchanged
                    or (draft.about is not None and is_gone(draft.about, result))
                ):
                    try:
                        self.tell(draft, result)
                    except Exception:
                        logger.exception(UNANSWERED)
            elif isinstance(result, Unavailable) and entry.source is not None:
                unsure.append(place(entry))
            try:
                entry.done(result)
            except Exception:
                logger.exception(UNANSWERED)
        if unsure:
            self._fail_later(set(unsure))

    def _fail_later(self, unsure: set[tuple[int, str]]) -> None:
        for entry in self._drop(lambda entry: place(entry) in unsure):
            try:
                entry.done(Unavailable())
            except Exception:
                logger.exception(UNANSWERED)

    def tell(self, draft: Draft, result: Appended) -> None:
        """Deliver a new event here, publish it to other workers, and tell the listeners."""
        event = Event(
            result.msg_id,
            result.timestamp,
            draft.type,
            msgspec.Raw(draft.payload if result.payload is None else result.payload),
            draft.room,
            result.seq,
            draft.sender,
            draft.key[1] if draft.key is not None and draft.key[0] else None,
        )
        if draft.facts and draft.type == "message":
            event = replace(event, streaming=streaming_of(event.msg_id, draft.payload))
        envelope = Envelope(draft.room, result.epoch, result.seq, draft.type, encode_event(event))
        self._deliver(envelope)
        if not self._alone and self._store.publishes_as is None:
            self.publish(envelope)
        if self._listener is not None:
            self._listener.stored(event)


def _refused(draft: Draft, problem: Exception) -> ChatError:
    logger.error(
        "the store refused a draft of type %s for room %s",
        draft.type,
        draft.room,
        exc_info=problem,
        extra=ids(room=draft.room, msg_id=draft.msg_id),
    )
    return problem if isinstance(problem, ChatError) else InternalError()
