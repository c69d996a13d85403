"""`GET <prefix>/metrics`: what all workers of an app have counted together, for Prometheus; operators read the same counts.

Any worker can answer. Each shows the others once a second what it has counted, in a file in memory (`observe/board`).
"""

import asyncio
import hmac
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from sanic import Request
from sanic.response import HTTPResponse, raw

from ..config.settings import Settings
from ..errors import Unauthenticated
from ..observe.board import Board, Shown, open_file
from ..observe.counting import CountingMeter, Counts, fitting, merged
from ..observe.exposition import exposed, require_prometheus
from ..observe.instruments import INSTRUMENTS
from ..support.tasks import end, keep_on
from .problems import problem_of

__all__ = ["Metrics", "share_metrics"]

SHOW_EVERY = 1.0
"""Seconds."""
_LEAST = [one.name for one in INSTRUMENTS if getattr(one, "least", False)]


def share_metrics(app: Any, settings: Settings) -> None:
    """Open the file of the workers. Call it in the main process before there are any.

    Raises `ConfigError` where `METRICS` is on and prometheus-client is not installed: here, since Sanic hides behind a page of
    its own what a worker raises at its start.
    """
    if settings.metrics:
        require_prometheus()
    if not hasattr(app.shared_ctx, _key(settings)):
        # Only as such does Sanic pass an open file on to workers.
        setattr(app.shared_ctx, _key(settings), Connection(open_file()))


def _key(settings: Settings) -> str:
    return f"chatrooms_metrics_{settings.instance}"


class Metrics:
    """The metrics of one instance in this worker. Raises `ConfigError` where `METRICS` is on and prometheus-client is not installed."""

    def __init__(self, app: Any, settings: Settings) -> None:
        if settings.metrics:
            require_prometheus()
        self.exposed = settings.metrics
        """Whether Prometheus may read them."""
        self.about: Callable[[], str] = lambda: ""
        """What this worker says of itself to the others."""
        self.meter = CountingMeter()
        file = getattr(app.shared_ctx, _key(settings), None)
        self._board = None if file is None else Board(file.fileno())
        self._token = settings.metrics_token
        self._showing: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Show others what is counted here from now on."""
        if self._board is not None:
            self.meter.before = fitting(self._board.take_place(), INSTRUMENTS)
            self._showing = asyncio.ensure_future(keep_on(self._go_on, "showing metrics to other workers"))

    async def stop(self) -> None:
        """Leave behind what was counted."""
        if self._showing is not None and self._board is not None:
            await end(self._showing)
            self._board.show(self.meter.counts(gauges=False))

    async def _go_on(self) -> None:
        if self._board is not None:
            self._board.show(self.meter.counts(), self.about())
        await asyncio.sleep(SHOW_EVERY)

    @property
    def shared(self) -> bool:
        """Whether this worker sees what others of its app show."""
        return self._board is not None

    def shown(self) -> list[Shown]:
        """What each worker of this app shows: counts of instruments that this version has. It reads a file: call it in a thread."""
        if self._board is None:
            return []
        return [one._replace(counts=fitting(one.counts, INSTRUMENTS)) for one in self._board.shown()]

    async def answer(self, request: Request) -> HTTPResponse:
        """The page for Prometheus; 401 without the token, if there is one."""
        if not self._admits(request):
            return problem_of(Unauthenticated("show the metrics' token, as Authorization: Bearer …"))
        now = self.meter.counts()
        if self._board is not None:
            self._board.show(now, self.about())  # what was told once is never told as less
        accept = request.headers.get("accept", "")
        body, content_type = await asyncio.to_thread(self._page, now, accept)
        return raw(body, content_type=content_type, headers={"Cache-Control": "no-store"})

    def _admits(self, request: Request) -> bool:
        if self._token is None:
            return True
        kind, _, shown = request.headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(shown.strip().encode(errors="surrogateescape"), self._token.encode())
        return right and kind.lower() == "bearer"

    def _page(self, own: Counts, accept: str) -> tuple[bytes, str]:
        shown = [own]
        if self._board is not None:
            shown = [fitting(one, INSTRUMENTS) for one in self._board.all()] or shown
        return exposed(INSTRUMENTS, merged(shown, _LEAST), accept)
