"""Spares the garbage collector what a process has loaded before it serves, and puts off full collections while a crowd comes."""

import asyncio
import gc

__all__ = ["COLLECTOR", "CROWD", "RARER", "Collector", "freeze_loaded"]

CROWD, WITHIN = 100, 2.0
"""So many connections that come within so many seconds are a crowd."""
RARER = 50
"""Full collections come so many times as rarely while a crowd comes: not at all for some 50,000 connections. …"""
LONGEST = 30
"""… But once in so many times `WITHIN` they come as usual, in case the crowd never ends."""
_LARGEST = 2**31 - 1
"""The largest threshold that there is."""


def freeze_loaded() -> None:
    """To be called when the server has started: exempt all objects that exist by now from garbage collection.

    A full collection walks every object of the process. For the modules of an app with SQLAlchemy that takes 50 to 100 ms,
    in which nobody is served, and it comes whenever a few hundred connections have come. After this it walks only what was
    made while serving, which is a tenth. If the app itself has called `gc.freeze`, nothing is done; nor in a process that
    starts a server again.
    """
    if not gc.get_freeze_count():
        gc.collect()
        gc.freeze()


class Collector:
    """Python's garbage collector, which a process has once. It is told of each connection that comes.

    It walks all connections whenever there are a quarter more of them. With 10,000 this takes 0.1 to 0.3 seconds, in which nobody is
    served, and finds nothing. So full collections wait while a crowd comes, and there is one afterwards.
    """

    def __init__(self) -> None:
        self._came = 0
        """Connections since the last look."""
        self._loop: asyncio.AbstractEventLoop | None = None
        """The loop in which there will be another look."""
        self._looks = 0
        """While a crowd comes."""
        self._usual: tuple[int, int, int] | None = None
        """Thresholds to go back to; None: nothing is put off."""
        self._rare = (0, 0, 0)

    def came(self) -> None:
        """A connection has come."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:  # the one before may have ended
            self._begin(loop)
        self._came += 1
        if self._came == CROWD and self._usual is None and self._looks < LONGEST:
            self._put_off()

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._go_on()
        self._loop, self._came, self._looks = loop, 0, 0
        loop.call_later(WITHIN, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop is not self._loop:
            return
        if self._came < CROWD:
            self._go_on()
            self._loop = None
            return
        self._came = 0
        self._looks = self._looks % LONGEST + 1
        if self._looks == LONGEST:
            self._go_on()
        loop.call_later(WITHIN, self._look, loop)

    def _put_off(self) -> None:
        young, middle, full = self._usual = gc.get_threshold()
        self._rare = young, middle, min(full * RARER, _LARGEST)
        gc.set_threshold(*self._rare)

    def _go_on(self) -> None:
        usual, self._usual = self._usual, None
        if usual is not None and gc.get_threshold() == self._rare:  # else the app has set others meanwhile
            gc.set_threshold(*usual)


COLLECTOR = Collector()
