"""Workers tell each other what users and addresses have used, so that together they allow no more than one would.

A worker decides at once, by what it knows. What it lets pass, the others know a tenth of a second later, or at once where it
is a tenth of a burst. They count it as their own, and refuse until it is paid back. So in the long run the rate is exact.
What all workers together let pass at most in `t` seconds is rate * t + burst, plus what each of the others lets pass before
it hears of it: a tenth of a burst, and what comes in while the news is under way; a whole burst if all of it comes in
one moment. A broker that is down or loses the news leaves each worker with its own buckets.
"""

import asyncio
from collections.abc import Callable
from operator import ge

import msgspec

from ...models import EVERYONE, Envelope
from .accounts import Account
from .kinds import KINDS
from .limits import USER, Limits

__all__ = ["EACH", "ROUND", "TYPE", "Shared"]

TYPE = "rates"
"""The type of a live envelope for workers: what was used."""
ROUND = 0.1
"""Seconds after which the others are told, for all that is a tenth of a burst."""
LATE = 1.0
"""Seconds after which they are told of less."""
EACH = 200
"""Accounts in one envelope."""


class _Used(msgspec.Struct, array_like=True):
    key: str
    kind: int
    amount: float


class _News(msgspec.Struct):
    by: str
    used: list[_Used]


_decode = msgspec.json.Decoder(_News).decode
_encode = msgspec.json.Encoder().encode


class Shared:
    """One per worker. `node` is its name, and `publish` sends an envelope to the others."""

    def __init__(self, limits: Limits, node: str, publish: Callable[[Envelope], None]) -> None:
        self._limits = limits
        self._node = node
        self._publish = publish
        self._tenths, self._its_tenths = limits.tenths, limits.its_tenths
        self._dirty: list[Account] = []
        self._soon = False
        self._round = 0

    def note(self, account: Account, kind: int, cost: float) -> None:
        """See `limits.Sharing`."""
        used = account.used or self._begin(account)
        used[kind] += cost
        if self._is_much(account):
            self._tell_soon()

    def note_both(self, user: Account, address: Account, kind: int, cost: float) -> None:
        """See `limits.Sharing`."""
        mine = user.used or self._begin(user)
        its = address.used or self._begin(address)
        mine[kind] += cost
        its[kind] += cost
        if not self._soon and (mine[kind] >= self._tenths[kind] or its[kind] >= self._its_tenths[kind]):
            self._tell_soon()

    def _begin(self, account: Account) -> list[float]:
        account.used = [0.0] * KINDS
        if account.key:
            self._dirty.append(account)
        return account.used

    def _tell_soon(self) -> None:
        if not self._soon:
            self._soon = True
            asyncio.get_running_loop().call_soon(self._tell_much)

    async def go_on(self) -> None:
        """One round; repeat it. Where there are no others, it wakes an idle core as rarely as can be."""
        await asyncio.sleep(ROUND if self._limits.sharing is self else LATE)
        self._round += 1
        if self._round % round(LATE / ROUND) == 0:
            self.tell_all()
        else:
            self._tell_much()

    def tell_all(self) -> None:
        """Tell the others what they do not know yet."""
        dirty, self._dirty = self._dirty, []
        self._tell(dirty)

    def _tell_much(self) -> None:
        self._soon = False
        if not self._dirty:
            return
        much = [account for account in self._dirty if self._is_much(account)]
        if much:
            self._dirty = [account for account in self._dirty if not self._is_much(account)]
            self._tell(much)

    def _is_much(self, account: Account) -> bool:
        much = self._tenths if account.key.startswith(USER) else self._its_tenths
        return any(map(ge, account.used or (), much))

    def _tell(self, accounts: list[Account]) -> None:
        used = []
        for account in accounts:
            amounts, account.used = account.used or [], None
            used += [_Used(account.key, kind, amount) for kind, amount in enumerate(amounts) if amount]
        for at in range(0, len(used), EACH):
            news = _encode(_News(self._node, used[at : at + EACH]))
            self._publish(Envelope(EVERYONE, "", 0, TYPE, news))

    def receive(self, envelope: Envelope) -> None:
        """Take what another worker tells. Raises `msgspec.DecodeError`."""
        news = _decode(envelope.data)
        if news.by == self._node:
            return
        for one in news.used:
            if 0 <= one.kind < KINDS:
                self._limits.used_elsewhere(one.key, one.kind, one.amount)
