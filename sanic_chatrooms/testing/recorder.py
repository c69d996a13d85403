"""Records what a broker delivers, and waits for it."""

import asyncio

from ..models import Envelope

__all__ = ["Recorder"]


class Recorder:
    """Records envelopes in the order of their arrival. Pass it to `Broker.start` as `deliver`."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.reconnects = 0
        self._changed = asyncio.Event()

    def __call__(self, envelope: Envelope) -> None:
        """Record an envelope."""
        self.envelopes.append(envelope)
        self._changed.set()

    def reconnected(self) -> None:
        """Count a reconnect. Pass this method to `Broker.start` as `reconnected`."""
        self.reconnects += 1
        self._changed.set()

    def of(self, room: str) -> list[Envelope]:
        """The envelopes of one room."""
        return [envelope for envelope in self.envelopes if envelope.room == room]

    async def until(self, count: int, *, room: str | None = None, within: float = 40.0) -> list[Envelope]:
        """Wait until `count` envelopes (of this room) have arrived, and return all. Raises `TimeoutError`."""
        async with asyncio.timeout(within):
            while len(found := self.envelopes if room is None else self.of(room)) < count:
                self._changed.clear()
                await self._changed.wait()
        return list(found)
