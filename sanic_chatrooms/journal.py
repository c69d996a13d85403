"""Group commit: collects drafts, appends them as one batch, delivers here at once and rings the broker.

Drafts that arrive while a batch is under way form the next one; so the more senders, the larger the batches, and one
sender alone waits for nobody. The order of `submit` is the order in every room.
"""

import asyncio
import logging
from collections.abc import Callable, Hashable
from typing import Protocol

import msgspec

from .brokers.base import Broker
from .errors import ChatError, InternalError, Unavailable
from .models import Appended, Draft, Envelope, Event
from .protocol import encode_event
from .stores.base import Store

__all__ = ["Done", "Journal"]

logger = logging.getLogger("sanic_chatrooms.journal")

BATCH_LIMIT = 1_000
"""Drafts a batch: bounds what one transaction locks."""
BELL_LIMIT = 10_000
"""Envelopes waiting for the broker; above it the oldest are dropped: they are only bells."""
RETRY_WAIT = 0.05

Done = Callable[[Appended | ChatError], None]


class Heard(Protocol):
    """Who hears what was stored by this process."""

    def stored(self, event: Event) -> None:
        """A new durable event."""


class _Entry(msgspec.Struct, gc=False):
    draft: Draft
    done: Done
    origin: Hashable


class Journal:
    """`submit` from anywhere; one task appends, one rings."""

    def __init__(
        self,
        store: Store,
        broker: Broker,
        deliver: Callable[[Envelope], None],
        heard: Heard | None,
        timeout: float,
    ) -> None:
        self._store = store
        self._broker = broker
        self._deliver = deliver
        self._heard = heard
        self._timeout = timeout
        self._pending: list[_Entry] = []
        self._bells: list[Envelope] = []
        self._woken = asyncio.Event()
        self._rung = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to append."""
        self._tasks = [asyncio.ensure_future(self._append_batches()), asyncio.ensure_future(self._ring())]

    async def stop(self) -> None:
        """Append what was submitted, ring once more, end. Calling it again does nothing."""
        tasks, self._tasks = self._tasks, []
        if not tasks:
            return
        while self._pending and not tasks[0].done():
            await self.append_all()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def append_all(self) -> None:
        """Return when everything that was submitted before has its answer."""
        if not self._pending:
            return
        answered = asyncio.get_running_loop().create_future()
        last = self._pending[-1]
        done = last.done

        def then(result: Appended | ChatError) -> None:
            done(result)
            if not answered.done():
                answered.set_result(None)

        last.done = then
        await answered

    def submit(self, draft: Draft, done: Done, origin: Hashable = None) -> None:
        """Take a draft into the next batch; `done` is called once with what became of it.

        If it becomes `Unavailable`, later drafts of the same `origin` (a connection) in the same room that are
        here already become that too: a client that repeats them in order keeps its order.
        """
        self._pending.append(_Entry(draft, done, origin))
        self._woken.set()

    async def append(self, draft: Draft, origin: Hashable = None) -> Appended:
        """Submit and wait. Raises what `Store.append` says. Cancelled: the draft may be stored all the same."""
        answer: asyncio.Future[Appended] = asyncio.get_running_loop().create_future()

        def done(result: Appended | ChatError) -> None:
            if answer.done():
                return
            if isinstance(result, ChatError):
                answer.set_exception(result)
            else:
                answer.set_result(result)

        self.submit(draft, done, origin)
        return await answer

    # ---- the appending task ----

    async def _append_batches(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            while self._pending:
                batch = self._pending[:BATCH_LIMIT]
                del self._pending[:BATCH_LIMIT]
                try:
                    results = await self._append(batch)
                except asyncio.CancelledError:
                    self._answer(batch, [Unavailable()] * len(batch))
                    raise
                self._answer(batch, results)

    async def _append(self, batch: list[_Entry]) -> list[Appended | ChatError]:
        drafts = [entry.draft for entry in batch]
        try:
            async with asyncio.timeout(self._timeout):
                return await self._append_until_known(drafts)
        except (Unavailable, TimeoutError):
            return [Unavailable()] * len(drafts)
        except Exception as exc:
            if len(batch) == 1:
                logger.exception(
                    "the store refused a draft of type %s for room %s", drafts[0].type, drafts[0].room
                )
                return [exc if isinstance(exc, ChatError) else InternalError()]
            # The batch was refused for its data: one by one, so that one bad draft fails alone.
            return [(await self._append([entry]))[0] for entry in batch]

    async def _append_until_known(self, drafts: list[Draft]) -> list[Appended | ChatError]:
        # After Unavailable nobody knows what was stored; every draft has a key, so the store does, next time.
        while True:
            try:
                return await self._store.append(drafts)
            except Unavailable:
                await asyncio.sleep(RETRY_WAIT)

    def _answer(self, batch: list[_Entry], results: list[Appended | ChatError]) -> None:
        for entry, result in zip(batch, results, strict=True):
            if isinstance(result, Appended):
                if not result.duplicate:
                    self._tell(entry.draft, result)
            elif isinstance(result, Unavailable) and entry.origin is not None:
                self._fail_later(entry)
            self._call(entry.done, result)

    def _fail_later(self, failed: _Entry) -> None:
        def follows(entry: _Entry) -> bool:
            return entry.origin is failed.origin and entry.draft.room == failed.draft.room

        later = [entry for entry in self._pending if follows(entry)]
        if later:
            self._pending = [entry for entry in self._pending if not follows(entry)]
            for entry in later:
                self._call(entry.done, Unavailable())

    def _tell(self, draft: Draft, result: Appended) -> None:
        event = Event(
            result.msg_id,
            result.timestamp,
            draft.type,
            msgspec.Raw(draft.payload),
            draft.room,
            result.seq,
            draft.sender,
            draft.key[1] if draft.key is not None and draft.key[0] else None,
        )
        envelope = Envelope(draft.room, result.epoch, result.seq, draft.type, encode_event(event))
        self._deliver(envelope)
        self.ring(envelope)
        if self._heard is not None:
            self._heard.stored(event)

    @staticmethod
    def _call(done: Done, result: Appended | ChatError) -> None:
        try:
            done(result)
        except Exception:
            logger.exception("an answer could not be given")

    # ---- the ringing task: no ack waits for the broker ----

    def ring(self, envelope: Envelope) -> None:
        """Hand an envelope to the broker, soon."""
        if len(self._bells) >= BELL_LIMIT:
            del self._bells[: BELL_LIMIT // 10]
        self._bells.append(envelope)
        self._rung.set()

    async def _ring(self) -> None:
        silent = False
        while True:
            await self._rung.wait()
            self._rung.clear()
            bells, self._bells = self._bells, []
            try:
                await self._broker.publish(bells)
                silent = False
            except Unavailable:
                if not silent:
                    logger.warning("the broker is away; other workers read the store until it is back")
                silent = True
            except Exception:
                logger.exception("the broker failed; %d envelopes were not passed on", len(bells))
