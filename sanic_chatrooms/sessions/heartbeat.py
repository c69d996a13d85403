"""Pings connections, and closes dead and expired ones. One sweep a second checks only the connections that are due.

Each connection is in the bucket of the second in which it is due: for a ping, for its timeout, for the end of the time to
authenticate, or for the end of its token. A quiet connection costs one check per interval.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable

from ..observe.ids import ids
from ..support.backoff import jittered
from ..wire.codes import CloseCode
from ..wire.events import AuthExpiring
from .session import Session

__all__ = ["EXPIRY_WARNING", "Heartbeat"]

logger = logging.getLogger("sanic_chatrooms.sessions.heartbeat")

EXPIRY_WARNING = 60.0
"""Seconds before a token's end at which `auth.expiring` is sent; at most a third of what is left."""

SWEEPS = 2.0
"""Seconds that a sweep may be late: the rest of a bucket's second, and the time between sweeps."""


class Heartbeat:
    """`add` and `remove` connections; `sweep` about once a second. `clock` is monotonic, `wall` is Unix time."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time
    ) -> None:
        self._clock = clock
        self._wall = wall
        self._buckets: defaultdict[int, set[Session]] = defaultdict(set)
        self._places: dict[Session, int] = {}
        self._swept = int(clock())

    def add(self, session: Session) -> None:
        """Add a connection."""
        liveness = session.liveness
        liveness.heard_at = now = self._clock()
        # Spread the first pings: after a restart, all clients reconnect at the same time.
        ping = now + jittered(liveness.interval, 0.5, 1.0)
        self._place(session, min(ping, self._deadline(session, now)))

    def remove(self, session: Session) -> None:
        """The connection is closed."""
        place = self._places.pop(session, None)
        if place is not None:
            bucket = self._buckets.get(place)
            if bucket is not None:
                bucket.discard(session)

    def reconsider(self, session: Session) -> None:
        """Check whether the connection is due earlier now: it has another token, or a shorter interval."""
        liveness, place = session.liveness, self._places.get(session)
        if place is not None:
            at = min(liveness.heard_at + liveness.interval, self._deadline(session, self._clock()))
            if at < place:
                self._place(session, at)

    def sweep(self) -> None:
        """Handle all connections that are due."""
        now = self._clock()
        for second in range(self._swept, int(now) + 1):
            for session in self._buckets.pop(second, ()):
                if self._places.get(session) == second:
                    del self._places[session]
                    self._look_safely(session, now)
        self._swept = int(now) + 1

    def _look_safely(self, session: Session, now: float) -> None:
        try:
            self._look(session, now)
        except Exception:
            # It is in no bucket any more, so it would never be checked again; nor would those after it in this one.
            logger.exception(
                "session %s of user %s could not be looked after",
                session.id,
                session.user.id,
                extra=ids(connection=session.id, user=session.user.id),
            )
            session.close(CloseCode.SERVER_ERROR)

    def _place(self, session: Session, at: float) -> None:
        self.remove(session)
        second = max(int(at) + 1, self._swept)
        self._places[session] = second
        self._buckets[second].add(session)

    def _deadline(self, session: Session, now: float) -> float:
        """The next time that is not for a ping."""
        if not session.authenticated:
            return session.liveness.opened_at + session.settings.auth_timeout
        if session.user.expires_at is None:
            return float("inf")
        left = session.user.expires_at - self._wall()
        return now + (left if session.liveness.warned else left - _warning(session))

    def _look(self, session: Session, now: float) -> None:
        if session.closed:
            return
        if not session.authenticated:
            if now >= session.liveness.opened_at + session.settings.auth_timeout:
                session.close(CloseCode.AUTH_TIMEOUT)
                return
        elif self._expires(session):
            return
        silent = now - session.liveness.heard_at
        if silent >= session.liveness.timeout:
            session.close(CloseCode.NO_HEARTBEAT)
            return
        due = session.liveness.heard_at + session.liveness.interval
        if silent >= session.liveness.interval:
            if (
                session.liveness.pinged_at < session.liveness.heard_at
                or now - session.liveness.pinged_at >= session.liveness.interval
            ):
                session.liveness.pinged_at = now
                session.fell_silent()
                session.connection.ping()
            due = min(
                session.liveness.pinged_at + session.liveness.interval,
                session.liveness.heard_at + session.liveness.timeout,
            )
        self._place(session, min(due, self._deadline(session, now)))

    def _expires(self, session: Session) -> bool:
        at = session.user.expires_at
        if at is None:
            return False
        left = at - self._wall()
        if not session.liveness.warned and left <= _warning(session) + 1:
            session.liveness.warned = True
            session.send(AuthExpiring(at))
        if left <= 0:
            session.close(CloseCode.TOKEN_EXPIRED)
            return True
        return False


def _warning(session: Session) -> float:
    return min(EXPIRY_WARNING, max(session.liveness.lifetime / 3, SWEEPS))
