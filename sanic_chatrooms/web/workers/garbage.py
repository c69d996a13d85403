"""Spares the garbage collector what a process has loaded before it serves, and those who are connected when a crowd has come."""

import asyncio
import gc

__all__ = ["COLLECTOR", "CROWD", "MANY", "RARER", "Collector", "freeze_loaded"]

CROWD, WITHIN = 100, 2.0
"""So many connections that come or go within so many seconds are a crowd."""
RARER = 50
"""Full collections come so many times as rarely while a crowd comes or goes: not at all for some 50,000 connections. …"""
PIECES = 3
"""Middle collections come so many times as often then, and each takes 2 ms instead of 7. All together take the same."""
LONGEST = 30
"""… But once in so many times `WITHIN` they come as usual, in case the crowd never ends."""
MANY = 1_000
"""So many connections are worth it to exempt them from collections. To visit them takes 20 milliseconds or more."""
_LARGEST = 2**31 - 1
"""The largest threshold that there is."""


def freeze_loaded() -> None:
    """To be called when the server has started: exempt all objects that exist by now from garbage collection.

    A full collection walks every object of the process. For the modules of an app with SQLAlchemy that takes 50 to 100 ms,
    in which nobody is served, and it comes whenever a few hundred connections have come. After this it walks only what was
    made while serving, which is a tenth. If the app itself has called `gc.freeze`, nothing is done, then and later; nor in a process that
    starts a server again.
    """
    if not gc.get_freeze_count():
        gc.collect()
        gc.freeze()
        COLLECTOR.may_freeze = True


class Collector:
    """Python's garbage collector, which a process has once. It is told of each connection that comes and goes.

    It walks all connections whenever there are a quarter more of them. With 10,000 this takes 0.1 to 0.3 seconds, in which nobody is
    served, and finds nothing: most connections that end are freed without it. So full collections wait while a crowd comes or goes, and who
    is there afterwards is exempt (`gc.freeze`) until half as many have gone. What is left of those is collected then.
    """

    def __init__(self) -> None:
        self.may_freeze = False
        """What is exempt is the chat's affair, and not the app's."""
        self._here = 0
        """Connections …"""
        self._exempt = 0
        """… and how many there were when they were exempted; 0: none is."""
        self._gone = 0
        """Since then."""
        self._moved = 0
        """Connections that came or went since the last look."""
        self._loop: asyncio.AbstractEventLoop | None = None
        """The loop in which there will be another look."""
        self._looks = 0
        """While a crowd comes or goes."""
        self._usual: tuple[int, int, int] | None = None
        """Thresholds to go back to; None: nothing is put off."""
        self._rare = (0, 0, 0)

    def came(self) -> None:
        """A connection has come."""
        self._here += 1
        self._count()

    def went(self) -> None:
        """A connection has gone."""
        self._here -= 1
        self._gone += 1
        self._count()

    def _count(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # it has ended, and lets go of what waited in it
            return
        if loop is not self._loop:  # the one before may have ended
            self._begin(loop)
        self._moved += 1
        if self._moved == CROWD and self._usual is None and self._looks < LONGEST:
            self._put_off()

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._go_on()
        self._loop, self._moved, self._looks = loop, 0, 0
        loop.call_later(WITHIN, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop is not self._loop:
            return
        if self._moved < CROWD:
            self._exempt_those_here()
            self._go_on()
            self._loop = None
            return
        self._moved = 0
        self._looks = self._looks % LONGEST + 1
        if self._looks == LONGEST:
            self._go_on()
        loop.call_later(WITHIN, self._look, loop)

    def _exempt_those_here(self) -> None:
        """After a crowd exempt all connections, if there are a quarter more; after half of them have gone all that are there then."""
        if self._exempt and self._gone * 2 >= self._exempt:
            gc.unfreeze()
            gc.collect()
            self._exempt = 0
        elif not self.may_freeze or self._usual is None or self._here < max(MANY, self._exempt * 5 // 4):
            return
        if not self._exempt:
            self._gone = 0
        gc.freeze()
        self._exempt = self._here if self._here >= MANY else 0

    def _put_off(self) -> None:
        young, middle, full = self._usual = gc.get_threshold()
        pieces = min(PIECES, middle) or 1
        self._rare = young, middle // pieces, min(full * RARER * pieces, _LARGEST)
        gc.set_threshold(*self._rare)

    def _go_on(self) -> None:
        usual, self._usual = self._usual, None
        if usual is not None and gc.get_threshold() == self._rare:  # else the app has set others meanwhile
            gc.set_threshold(*usual)


COLLECTOR = Collector()
