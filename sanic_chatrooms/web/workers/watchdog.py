"""Replaces workers that died, and kills those that hang, from a thread of the main process.

Sanic notes that a worker is dead and leaves it at that. The watchdog asks Sanic's manager for what `app.m.restart` asks.

A worker is never killed by mistake. Its silence counts only once it has served. It goes on sending beats while it sends its
connections away, and says when it has ended. After a pause of the main process itself, no silence counts.
"""

import logging
import multiprocessing
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from .beats import Beat

__all__ = ["LOOK", "Watchdog", "kill_child"]

logger = logging.getLogger("sanic_chatrooms.watchdog")

LOOK = 0.2
"""Seconds from one look to the next."""
STOOD_STILL = 2.0
"""Seconds without a look of the watchdog's own, after which the silence of workers proves nothing."""
LONGEST_PAUSE = 10.0
"""Seconds, at most, until a look that failed is repeated: twice as many each time in a row."""
LONGEST_WAIT = 30.0
"""Seconds, at most, until a worker that fails at its start is started again."""
_SERVERS = "Sanic-Server-"
_ENDED = ("FAILED", "COMPLETED")


def kill_child(pid: int) -> bool:
    """Send SIGKILL to a child of this process; False if it is no child or has ended."""
    for child in multiprocessing.active_children():
        if child.pid == pid:
            child.kill()
            return True
    return False


class Watchdog:
    """`processes` are those that Sanic's manager keeps; `replace` asks it for another one, by name.

    `beats` returns what workers said since the last look. `silence`: seconds after which a worker counts as frozen;
    None: never. `retry`: try again where one could not even start.
    """

    def __init__(
        self,
        processes: Callable[[], Iterable[Any]],
        replace: Callable[[str], None],
        beats: Callable[[], Iterable[Beat]],
        *,
        silence: float | None,
        retry: bool = True,
        kill: Callable[[int], bool] = kill_child,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._processes = processes
        self._replace = replace
        self._beats = beats
        self._silence = silence
        self._retry = retry
        self._kill = kill
        self._clock = clock
        self._looked_at = clock()
        self._heard: dict[int, float] = {}
        self._served: set[str] = set()
        self._asked: dict[str, int] = {}
        self._not_before: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chatrooms-watchdog", daemon=True)

    def start(self) -> None:
        """Watch from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no more. Calling it again does nothing."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        wait = LOOK
        while not self._ending.wait(wait):
            try:
                self.look()
                wait = LOOK
            except Exception:
                logger.exception("the watchdog failed; it goes on")
                wait = min(2 * wait, LONGEST_PAUSE)

    def look(self) -> None:
        """Look at all workers once."""
        now = self._clock()
        stood_still = now - self._looked_at > STOOD_STILL
        self._looked_at = now
        self._listen(now)
        if stood_still:
            self._heard = dict.fromkeys(self._heard, now)
        self._end_silent(now)
        for process in self._processes():
            if process.name.startswith(_SERVERS):
                self._look_at(process, now)

    def _listen(self, now: float) -> None:
        for beat in self._beats():
            if beat.goes_on:
                self._heard[beat.pid] = now
            else:
                self._heard.pop(beat.pid, None)

    def _end_silent(self, now: float) -> None:
        if self._silence is None:
            return
        for pid, heard_at in list(self._heard.items()):
            if now - heard_at > self._silence:
                del self._heard[pid]
                if self._kill(pid):
                    logger.error("worker %d was silent for %.1f s: killed", pid, now - heard_at)

    def _look_at(self, process: Any, now: float) -> None:
        name, pid = process.name, process.pid
        if process.state.name not in _ENDED:
            if pid in self._heard:
                self._served.add(name)
                self._failures.pop(name, None)
        elif self._asked.get(name) != pid and now >= self._not_before.get(name, 0.0):
            self._bring_back(name, pid, process.exitcode, now)

    def _bring_back(self, name: str, pid: int, code: int | None, now: float) -> None:
        self._heard.pop(pid, None)
        if name not in self._served:
            if not self._retry:
                return
            failures = self._failures[name] = self._failures.get(name, 0) + 1
            self._not_before[name] = now + min(2.0**failures, LONGEST_WAIT)
        self._served.discard(name)
        # Once for each process: a second request would end the new one, however slow the manager is with the first.
        self._asked[name] = pid
        logger.error("worker %s (process %d) ended, exit code %s: replaced", name, pid, code)
        self._replace(name)
