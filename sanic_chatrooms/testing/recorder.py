"""Takes down what a broker delivers, and waits for it."""

import asyncio

from ..models import Envelope

__all__ = ["Recorder"]


class Recorder:
    """Give it to `Broker.start` as `deliver`: it keeps the envelopes in the order in which they arrived."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.reconnects = 0
        self._changed = asyncio.Event()

    def __call__(self, envelope: Envelope) -> None:
        """Take an envelope down."""
        self.envelopes.append(envelope)
        self._changed.set()

    def reconnected(self) -> None:
        """Count a reconnect; for the third argument of `Broker.start`."""
        self.reconnects += 1
        self._changed.set()

    def of(self, room: str) -> list[Envelope]:
        """What arrived of one room."""
        return [envelope for envelope in self.envelopes if envelope.room == room]

    async def until(self, count: int, *, room: str | None = None, within: float = 20.0) -> list[Envelope]:
        """Wait until `count` envelopes have arrived (of this room); all of them. Raises `TimeoutError`."""
        async with asyncio.timeout(within):
            while len(found := self.envelopes if room is None else self.of(room)) < count:
                self._changed.clear()
                await self._changed.wait()
        return list(found)
