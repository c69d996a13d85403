"""Backends that fail on demand. Wrap yours in one of these, to test how the chat handles its failures."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import ParamSpec, TypeVar

from ..brokers.base import Broker, Deliver
from ..errors import ChatError, Unavailable
from ..models import Appended, Draft, Envelope
from ..stores.base import Store
from ..stores.wrapped import WrappedStore

__all__ = ["FaultyBroker", "FaultyStore"]

P = ParamSpec("P")
T = TypeVar("T")


class FaultyBroker(Broker):
    """A broker that loses, doubles, delays or reorders the envelopes that arrive.

    The faults are on the receiving side, so that one worker can miss what another receives. All of them are allowed by
    the contract: nothing arrives from rooms that are not subscribed, or after `stop`. `lose`, `double`, `delay` and
    `reorder` are probabilities. `random` selects the envelopes, so a seed repeats a run. A delayed envelope arrives up
    to `delay_by` seconds later; a reordered one right after the next one, or after that time.
    """

    def __init__(
        self,
        inner: Broker,
        *,
        lose: float = 0.0,
        double: float = 0.0,
        delay: float = 0.0,
        reorder: float = 0.0,
        delay_by: float = 0.01,
        random: Random | None = None,
    ) -> None:
        self.scope = inner.scope  # type: ignore[misc] # the class has none of its own: it depends on what it wraps
        self.inner = inner
        self.lose, self.double, self.delay, self.reorder = lose, double, delay, reorder
        self.delay_by = delay_by
        self.lost = 0
        """The number of envelopes that were lost so far."""
        self._random = random or Random(0)  # noqa: S311 - repeatable, not secret
        self._rooms: set[str] = set()
        self._timers: set[asyncio.TimerHandle] = set()
        self._overtaken: list[Envelope] = []
        self._held: list[Envelope] | None = None
        self._to_lose = 0
        self._down = False

    def lose_next(self, count: int = 1) -> None:
        """Lose the next envelopes that arrive."""
        self._to_lose += count

    def hold(self) -> None:
        """Keep arriving envelopes back until `release`."""
        if self._held is None:
            self._held = []

    def release(self, order: Callable[[list[Envelope]], list[Envelope]] = list) -> None:
        """Deliver the envelopes that were kept back. `order` may rearrange, double or drop them first."""
        held, self._held = self._held or [], None
        for envelope in order(held):
            self._pass_on(envelope)

    def down(self) -> None:
        """Cut the connection: `publish` raises `Unavailable`, and arriving envelopes are lost."""
        self._down = True

    def up(self) -> None:
        """Restore the connection, and call `reconnected`."""
        if self._down:
            self._down = False
            self._reconnected()

    def rekey(self, key: bytes) -> None:
        """Pass the key to the wrapped broker."""
        self.inner.rekey(key)

    @property
    def forged(self) -> int:
        """The count of the wrapped broker."""
        return self.inner.forged

    @property
    def healthy(self) -> bool:
        """False while down."""
        return not self._down and self.inner.healthy

    async def start(self, instance: str, deliver: Deliver, reconnected: Callable[[], None]) -> None:
        """Start the wrapped broker."""
        self._deliver, self._reconnected = deliver, reconnected
        await self.inner.start(instance, self._arrive, reconnected)

    async def stop(self) -> None:
        """Stop the wrapped broker, and drop envelopes that are delayed or kept back."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._rooms.clear()
        self._overtaken.clear()
        self._held = None
        await self.inner.stop()

    async def subscribe(self, room: str) -> None:
        """Subscribe with the wrapped broker. Raises `Unavailable` while down."""
        self._require_up()
        # Before the inner call: what arrives while it is under way is not lost by this wrapper.
        self._rooms.add(room)
        await self.inner.subscribe(room)

    async def unsubscribe(self, room: str) -> None:
        """Unsubscribe. Envelopes of this room that are delayed or kept back will not arrive."""
        self._rooms.discard(room)
        await self.inner.unsubscribe(room)

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        """Publish with the wrapped broker. Raises `Unavailable` while down."""
        self._require_up()
        await self.inner.publish(envelopes)

    def _require_up(self) -> None:
        if self._down:
            raise Unavailable

    def _arrive(self, envelope: Envelope) -> None:
        if self._down or self._strikes_next() or self._strikes(self.lose):
            self.lost += 1
            return
        for _ in range(2 if self._strikes(self.double) else 1):
            self._route(envelope)

    def _strikes_next(self) -> bool:
        if not self._to_lose:
            return False
        self._to_lose -= 1
        return True

    def _strikes(self, probability: float) -> bool:
        return probability > 0 and self._random.random() < probability

    def _route(self, envelope: Envelope) -> None:
        if self._held is not None:
            self._held.append(envelope)
        elif self._strikes(self.delay):
            self._later(self._random.uniform(0, self.delay_by), lambda: self._pass_on(envelope))
        elif self._strikes(self.reorder):
            self._overtaken.append(envelope)
            self._later(self.delay_by, self._let_overtaken_pass)
        else:
            self._pass_on(envelope)
            self._let_overtaken_pass()

    def _let_overtaken_pass(self) -> None:
        overtaken, self._overtaken = self._overtaken, []
        for envelope in overtaken:
            self._pass_on(envelope)

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        def run() -> None:
            self._timers.discard(timer)
            call()

        timer = asyncio.get_running_loop().call_later(seconds, run)
        self._timers.add(timer)

    def _pass_on(self, envelope: Envelope) -> None:
        if envelope.room in self._rooms:
            self._deliver(envelope)


class FaultyStore(WrappedStore):
    """A store that fails, hangs, or stores a batch and then fails.

    It awaits `latency()` before every verb. Verbs are all methods except `start` and `stop`.
    """

    def __init__(self, inner: Store, *, latency: Callable[[], Awaitable[None]] | None = None) -> None:
        super().__init__(inner)
        self.latency = latency
        self.calls: list[str] = []
        """The verbs that were called, in order."""
        self._to_fail: list[str | None] = []
        self._to_silence = 0
        self._running = asyncio.Event()
        self._running.set()

    def fail_next(self, count: int = 1, verb: str | None = None) -> None:
        """Let the next calls (of this verb, for example "append") raise `Unavailable` and do nothing."""
        self._to_fail += [verb] * count

    def unknown_outcome_next(self, count: int = 1) -> None:
        """Let the next appends store their batch and then raise `Unavailable`."""
        self._to_silence += count

    def mend(self) -> None:
        """Cancel all planned failures, and resume."""
        self._to_fail.clear()
        self._to_silence = 0
        self.resume()

    def hang(self) -> None:
        """Let every call wait until `resume`. A call that is cancelled meanwhile does nothing."""
        self._running.clear()

    def resume(self) -> None:
        """Let waiting calls continue."""
        self._running.set()

    async def append(self, drafts: Sequence[Draft]) -> list[Appended | ChatError]:
        """See `Store.append`."""
        results = await super().append(drafts)
        if self._to_silence:
            self._to_silence -= 1
            raise Unavailable
        return results

    async def around(self, verb: str, ask: Callable[[], Awaitable[T]]) -> T:
        """Fail or wait if that was requested, then make the call."""
        self.calls.append(verb)
        if self.latency is not None:
            await self.latency()
        await self._running.wait()
        for wanted in (verb, None):
            if wanted in self._to_fail:
                self._to_fail.remove(wanted)
                raise Unavailable
        return await ask()
