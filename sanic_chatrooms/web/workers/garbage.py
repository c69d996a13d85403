"""Spares the garbage collector what a process has loaded before it serves, and puts off full collections while a crowd comes."""

import asyncio
import gc

__all__ = ["COLLECTOR", "CROWD", "RARER", "Collector", "freeze_loaded"]

CROWD, WITHIN = 100, 2.0
"""So many connections that come within so many seconds are a crowd."""
RARER = 50
"""Full collections come so many times as rarely while a crowd comes: not at all for some 50,000 connections."""


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
        self._looks = False
        """There will be another look."""
        self._usual: tuple[int, int, int] | None = None
        """Thresholds to go back to; None: nothing is put off."""
        self._rare = (0, 0, 0)

    def came(self) -> None:
        """A connection has come."""
        self._came += 1
        if not self._looks:
            self._look_later()
        if self._came == CROWD and self._usual is None:
            self._put_off()

    def _look_later(self) -> None:
        self._looks = True
        asyncio.get_running_loop().call_later(WITHIN, self._look)

    def _look(self) -> None:
        self._looks = False
        if self._came >= CROWD:
            self._look_later()
        else:
            self._go_on()
        self._came = 0

    def _put_off(self) -> None:
        young, middle, full = self._usual = gc.get_threshold()
        self._rare = young, middle, full * RARER
        gc.set_threshold(*self._rare)

    def _go_on(self) -> None:
        usual, self._usual = self._usual, None
        if usual is not None and gc.get_threshold() == self._rare:  # else the app has set others meanwhile
            gc.set_threshold(*usual)


COLLECTOR = Collector()
