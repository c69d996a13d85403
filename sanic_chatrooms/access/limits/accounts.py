"""The buckets of users and addresses: one number per bucket, in a table with a bound.

A bucket is a token bucket by the generic cell rate algorithm: it keeps only the time at which it would be full again. A full
bucket is the same as none, so it is forgotten.
"""

import time
from collections.abc import Callable
from itertools import islice

from .kinds import KINDS

__all__ = ["ARRIVALS", "FLOODS", "FULL", "IDLE_LIMIT", "ROWS", "Account", "Accounts"]

IDLE_LIMIT = 50_000
"""Accounts without a connection. Above it, the one that was used least recently is forgotten: somebody gets a full bucket early."""
SWEPT = 2_000
"""Accounts that one sweep looks at."""

FLOODS, ARRIVALS, ROWS = KINDS, KINDS + 1, KINDS + 2
"""Buckets after those of the kinds: connections that were closed for a flood, those that come in after several were, and long rows
of refusals."""
FULL = [0.0] * (KINDS + 3)
"""Buckets that are all full. Every account that is unused for a while has this list, and never writes into it."""


class Account:
    """The buckets of one user or address."""

    __slots__ = ("full_at", "holders", "key", "used")

    def __init__(self, key: str) -> None:
        self.key = key
        self.full_at = FULL
        """By kind, then `FLOODS`, `ARRIVALS` and `ROWS`: when the bucket is full again (monotonic seconds). A number for each, and nothing
        else. Write to `own()`."""
        self.holders = 0
        """Connections and requests that hold it."""
        self.used: list[float] | None = None
        """By kind: what was used since the other workers were told; None: nothing."""

    def own(self) -> list[float]:
        """`full_at`, to write to."""
        if self.full_at is FULL:
            self.full_at = FULL.copy()
        return self.full_at


class Accounts:
    """All accounts of one worker."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, limit: int = IDLE_LIMIT) -> None:
        self._clock = clock
        self._limit = limit
        self._held: dict[str, Account] = {}
        self._idle: dict[str, Account] = {}
        """In the order of their last use."""

    def __len__(self) -> int:
        return len(self._held) + len(self._idle)

    def hold(self, key: str) -> Account:
        """The account of this key, for a connection or a request; `release` it at the end, or when the connection changes its user."""
        account = self._held.get(key)
        if account is None:
            account = self._held[key] = self._taken(key)
        account.holders += 1
        return account

    def release(self, account: Account) -> None:
        """A connection that held it is gone."""
        account.holders -= 1
        if account.holders or self._held.pop(account.key, None) is None:
            return
        if max(account.full_at) > self._clock():
            self._keep(account)

    def use(self, key: str) -> Account:
        """The account of this key, for one use without a connection."""
        account = self._held.get(key)
        if account is None:
            account = self._taken(key)
            self._keep(account)
        return account

    def _taken(self, key: str) -> Account:
        return self._idle.pop(key) if key in self._idle else Account(key)

    def known(self, key: str) -> Account | None:
        """The account of this key, unless it is full."""
        return self._held.get(key) or self._idle.get(key)

    def _keep(self, account: Account) -> None:
        self._idle[account.key] = account
        if len(self._idle) > self._limit:
            del self._idle[next(iter(self._idle))]

    def sweep(self) -> None:
        """Forget accounts without a connection that are full again, and the buckets of the others. Call it once a second."""
        now = self._clock()
        for account in list(islice(self._held.values(), SWEPT)):
            del self._held[account.key]
            self._held[account.key] = account
            if account.full_at is not FULL and max(account.full_at) <= now:
                account.full_at = FULL
        for account in list(islice(self._idle.values(), SWEPT)):
            del self._idle[account.key]
            if max(account.full_at) > now:
                self._idle[account.key] = account  # the next sweep looks at others
