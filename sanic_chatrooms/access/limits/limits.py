"""Decides how often somebody may do something. One `Limits` per worker, one `Allowance` per connection.

A user has a bucket for each kind of action, and so has an address (with twenty times as much). A connection needs none of
its own: it may do as much as its user, and all that it does counts for them.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from math import inf
from typing import Protocol

from ...errors import RateLimited, Unavailable
from ...observe.instruments import RATE_ACCOUNTS, RATE_REFUSALS
from ...observe.meter import SILENT, Meter
from .accounts import ARRIVALS, FLOODS, FULL, ROWS, Account, Accounts
from .addresses import network_of
from .kinds import KINDS, Kind
from .rate import Rate

__all__ = [
    "EXEMPT",
    "IN_A_ROW",
    "LOT",
    "OFTEN",
    "PATIENCE",
    "ROW",
    "ROWS_MOST",
    "ROWS_OFTEN",
    "UNLIMITED",
    "USER",
    "Allowance",
    "Limits",
    "Rates",
    "Take",
    "refusal",
]

USER, ADDRESS = "user:", "ip:"
"""How keys of accounts begin."""
EXEMPT = 50
"""From this level on nobody is limited in the room, except in `NEW_PEOPLE` and `BYTES`."""
PER_ADDRESS = 20
"""An address may do as much as so many users."""
IN_A_ROW = 100
"""Refusals in a row that a connection survives."""
FORGIVEN = 6.0
"""Seconds after which it is forgotten that one connection was closed for too many refusals."""
OFTEN, MOST = 5, 10
"""Above so many that are not forgotten, connections of this user, or of guests with this address, come back one after the
other. More than `MOST` are not counted, so this ends half a minute after the last at the latest."""
NEXT = 0.25
"""Seconds from one of them to the next: making a connection costs far more than refusing a command."""
PATIENCE = 2.0
"""Seconds that one of them waits. If there are more, they are refused."""
ROW, EACH = 20, 10
"""Refusals in a row that are noted as a long row, and refusals after each of which a user with several long rows is read
later …"""
ROW_FORGIVEN = 2.0
"""… Seconds after which a long row is forgotten."""
ROWS_OFTEN, ROWS_MOST = 3, 10
"""Above so many that are not forgotten, and so many are counted at most."""
SHARED = 10.0
"""Rates below so many a second are asked of the store each time."""
_LABELS = tuple(kind.label for kind in Kind)
_QUICK = (Kind.CHANGE, Kind.LIVE, Kind.READ, Kind.JOIN)
"""Kinds whose bursts are full again within a minute."""
LOT = 16 * 1024
"""Bytes that a connection receives before they are counted: a call for every frame would cost more than it is worth."""
EPSILON = 1e-6
"""Seconds that rounding may be off."""

Take = Callable[[str, float, int], Awaitable[float]]
"""`Store.take`: (key, rate per second, burst) -> 0, or the seconds until there is one."""
Rates = Mapping[Kind, Rate | None]
"""The rate of each kind; None, or none: no limit."""
Rule = tuple[float, float, float, float]
"""Seconds per action and seconds that a bucket holds, for a user and then for an address."""


class Sharing(Protocol):
    """Tells the other workers what was used; see `sharing.Shared`."""

    def note(self, account: Account, kind: int, cost: float) -> None:
        """So much was used."""

    def note_both(self, user: Account, address: Account, kind: int, cost: float) -> None:
        """So much was used of both."""


class Allowance:
    """What one connection, or a user without one, may still do."""

    __slots__ = ("_limits", "_rules", "address", "refused", "unpaid", "user")

    def __init__(self, limits: "Limits", user: Account, address: Account) -> None:
        self._limits = limits
        self._rules = limits.rules
        self.user = user
        self.address = address
        self.refused = 0
        """Refusals in a row."""
        self.unpaid = 0
        """Bytes that came and are not counted yet."""

    # Longer than other functions: it runs for every message, and a call per bucket would cost as much as the bucket.
    def take(self, kind: int, cost: float = 1.0) -> float:
        """Take from both buckets; -> 0.0, or the seconds to wait, and then nothing was taken."""
        rule = self._rules[kind]
        if rule is None:
            return 0.0
        interval, depth, its_interval, its_depth = rule
        limits = self._limits
        now = limits.clock()
        mine, its = self.user.full_at, self.address.full_at
        full_at = mine[kind]
        full_at = (full_at if full_at > now else now) + interval * cost  # noqa: FURB136 - `max` costs twice the rest
        if full_at - now > depth:
            return limits.refuse(self, kind, "user", full_at - now - depth)
        its_full_at = its[kind]
        its_full_at = (its_full_at if its_full_at > now else now) + its_interval * cost  # noqa: FURB136
        if its_full_at - now > its_depth:
            return limits.refuse(self, kind, "address", its_full_at - now - its_depth)
        if mine is FULL:
            mine = self.user.own()
        if its is FULL:
            its = self.address.own()
        mine[kind] = full_at
        its[kind] = its_full_at
        self.refused = 0
        if limits.sharing is not None:
            limits.sharing.note_both(self.user, self.address, kind, cost)
        return 0.0

    def refuses(self, kind: int) -> float:
        """The seconds to wait if one of both buckets is empty; then this counts as a refusal. 0.0: `take` may succeed; nothing is taken."""
        rule = self._rules[kind]
        if rule is None:
            return 0.0
        interval, depth, its_interval, its_depth = rule
        limits, now = self._limits, self._limits.clock()
        for account, each, most, whose in (
            (self.user, interval, depth, "user"),
            (self.address, its_interval, its_depth, "address"),
        ):
            full_at = account.full_at[kind]
            if full_at > now and (wait := full_at + each - now - most) > 0:
                return limits.refuse(self, kind, whose, wait)
        return 0.0

    def seconds_of(self, size: int) -> float:
        """The seconds for which a user has used up the rate of bytes with so many; 0.0 without a rate."""
        rule = self._rules[Kind.BYTES]
        return 0.0 if rule is None else rule[0] * size

    def used(self) -> dict[int, float]:
        """By kind, how much of a burst the user has used up just now: 1.0 is all of it. Without the kinds that have no limit."""
        full_at, now = self.user.full_at, self._limits.clock()
        rules = enumerate(self._rules)
        return {kind: max(0.0, full_at[kind] - now) / rule[1] for kind, rule in rules if rule and rule[1] > 0}

    def in_a_hurry(self) -> bool:
        """Whether the user has used up a quarter of a burst of changes, questions, joins or what is live."""
        rules, full_at = self._rules, self.user.full_at
        if full_at is FULL:  # as of most who join
            return False
        now = self._limits.clock()
        for kind in _QUICK:
            rule = rules[kind]
            if rule is not None and full_at[kind] - now > rule[1] / 4:
                return True
        return False

    def goes_on(self) -> bool:
        """After a refusal: whether the connection should not be read for a while, because its user goes on although there were several
        long rows of refusals. One row, however long, does not count: it ends by itself, or closes the connection."""
        return self.refused > 0 and self.refused % EACH == 0 and self._limits.goes_on(self)

    def flooded(self) -> None:
        """The connection is closed for too many refusals in a row."""
        self._limits.flooded(self)

    def pay(self, size: int) -> float:
        """Count the bytes in `unpaid`, which are a `LOT` or more; -> 0.0, or the seconds until a debt is paid: then the last
        frame, of so many bytes, must not be carried out, and does not count."""
        wait = self._limits.pay(self)
        if wait:
            self.unpaid -= size
        return wait


class Limits:
    """The limits of one worker."""

    def __init__(
        self,
        rates: Rates,
        *,
        take: Take | None = None,
        meter: Meter = SILENT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.clock = clock
        self.accounts = Accounts(clock)
        self.rules: list[Rule | None] = [None] * KINDS
        self.sharing: Sharing | None = None
        self.tenths, self.its_tenths = [inf] * KINDS, [inf] * KINDS
        """By kind: a tenth of what a bucket of a user holds, and of one of an address."""
        self._rates: list[Rate | None] = [None] * KINDS
        self._take = take
        self._meter = meter
        self.configure(rates)
        meter.watch(RATE_ACCOUNTS, lambda: len(self.accounts))

    def configure(self, rates: Rates) -> None:
        """Use these rates from now on, for connections that are open too."""
        for kind in Kind:
            rate = self._rates[kind] = rates.get(kind)
            self.rules[kind] = None if rate is None else _rule(rate)
            self.tenths[kind] = inf if rate is None else rate.burst / 10
            # There is no bucket of a user for failed proofs.
            self.its_tenths[kind] = self.tenths[kind] * (1 if kind is Kind.AUTH else PER_ADDRESS)

    def sweep(self) -> None:
        """Forget what is full again."""
        self.accounts.sweep()

    # ---- who it is ----

    def open(self, address: str) -> Allowance:
        """The allowance of a new connection, whose user is not known yet."""
        return Allowance(self, Account(""), self.accounts.hold(f"{ADDRESS}{network_of(address)}"))

    def identified(self, allowance: Allowance, user_id: str) -> None:
        """The connection is this user's."""
        key = f"{USER}{user_id}"
        if allowance.user.key == key:
            return
        self._release(allowance.user)
        allowance.user = self.accounts.hold(key)

    def closed(self, allowance: Allowance) -> None:
        """The connection or request is gone. Calling it again does nothing."""
        for account in (allowance.user, allowance.address):
            self._release(account)
        allowance.user = allowance.address = Account("")

    def _release(self, account: Account) -> None:
        if account.key:
            self.accounts.release(account)

    def without_connection(self, user_id: str) -> Allowance:
        """The allowance of a user who has no connection here. No address counts."""
        return Allowance(self, self.accounts.use(f"{USER}{user_id}"), Account(""))

    def of_request(self, user_id: str, address: str) -> Allowance:
        """The allowance of a user who sends a request without a connection. Call `closed` at its end."""
        network = f"{ADDRESS}{network_of(address)}"
        return Allowance(self, self.accounts.hold(f"{USER}{user_id}"), self.accounts.hold(network))

    # ---- actions ----

    async def take(self, allowance: Allowance, kind: Kind) -> float:
        """As `Allowance.take`. A rate below ten a second is shared by all workers, so the store decides too."""
        wait = allowance.take(kind)
        rate = self._rates[kind]
        if wait or rate is None or self._take is None or rate.per_second >= SHARED:
            return wait
        user = allowance.user
        try:
            wait = await self._take(f"rate.{kind.label}:{user.key}", rate.per_second, int(rate.burst))
        except Unavailable:
            return 0.0  # this worker's own buckets go on
        if not wait:
            return 0.0
        # Until then this worker refuses without asking.
        user.own()[kind] = self.clock() + rate.burst * rate.interval + wait - rate.interval
        return self.refuse(allowance, kind, "user", wait)

    def refuse(self, allowance: Allowance, kind: int, whose: str, wait: float) -> float:
        """Count a refusal."""
        allowance.refused += 1
        self._meter.add(RATE_REFUSALS, 1, _LABELS[kind], whose)
        return max(wait, 0.001)

    def pay(self, allowance: Allowance) -> float:
        """Count the bytes that are not counted yet, unless there is a debt; -> 0.0, or the seconds until it is paid."""
        rule = self.rules[Kind.BYTES]
        size, now = allowance.unpaid, self.clock()
        if rule is None:
            allowance.unpaid = 0
            return 0.0
        interval, depth, its_interval, its_depth = rule
        for account, whose, most in (
            (allowance.user, "user", depth),
            (allowance.address, "address", its_depth),
        ):
            debt = account.full_at[Kind.BYTES] - now - most
            if debt > 0:
                return self.refuse(allowance, Kind.BYTES, whose, debt)
        allowance.unpaid = 0
        for account, each in ((allowance.user, interval), (allowance.address, its_interval)):
            account.own()[Kind.BYTES] = max(account.full_at[Kind.BYTES], now) + each * size
            if self.sharing is not None:
                self.sharing.note(account, Kind.BYTES, size)
        return 0.0

    # ---- who goes on, and who comes back ----

    def goes_on(self, allowance: Allowance) -> bool:
        """See `Allowance.goes_on`."""
        if allowance.refused == ROW:
            self._note(allowance.user, ROWS, ROW_FORGIVEN, ROWS_MOST)
        return allowance.user.full_at[ROWS] - self.clock() > ROWS_OFTEN * ROW_FORGIVEN

    def flooded(self, allowance: Allowance) -> None:
        """Note that a connection is closed for too many refusals in a row."""
        for account in (allowance.user, allowance.address):
            self._note(account, FLOODS, FORGIVEN, MOST)

    def _note(self, account: Account, what: int, forgiven: float, most: int) -> None:
        now = self.clock()
        account.own()[what] = min(max(account.full_at[what], now) + forgiven, now + most * forgiven)

    def arrive(self, address: str, user_id: str | None, patience: float = PATIENCE) -> float:
        """A connection wants to come in, of this user, or of a new guest or of nobody yet: `user_id` is None. -> the seconds to wait
        before it does; 0.0, unless several of the user, or of the address, were closed for floods lately. Raises `RateLimited`
        if it would have to wait for more than `patience` seconds.
        """
        key = f"{ADDRESS}{network_of(address)}" if user_id is None else f"{USER}{user_id}"
        account, now = self.accounts.known(key), self.clock()
        if account is None or account.full_at[FLOODS] - now <= OFTEN * FORGIVEN or not any(self.rules):
            return 0.0
        wait = max(account.full_at[ARRIVALS] - now, 0.0)
        if wait > patience:
            raise RateLimited(retry_after=wait)
        account.own()[ARRIVALS] = now + wait + NEXT
        return wait

    # ---- proofs of identity ----

    def wait_to_prove(self, address: str) -> float:
        """Seconds until another proof of identity from this address may fail; 0.0 or less: one may now."""
        rule = self.rules[Kind.AUTH]
        account = self.accounts.known(f"{ADDRESS}{network_of(address)}")
        if rule is None or account is None:
            return 0.0
        interval, depth, _, _ = rule
        now = self.clock()
        return max(account.full_at[Kind.AUTH], now) + interval - now - depth

    def check_proofs(self, address: str) -> None:
        """Check that not too many proofs of identity from this address have failed. Raises `RateLimited`."""
        wait = self.wait_to_prove(address)
        if wait > 0:
            self._meter.add(RATE_REFUSALS, 1, Kind.AUTH.label, "address")
            raise refusal(Kind.AUTH, wait)

    def proof_failed(self, address: str) -> None:
        """A proof of identity from this address has failed."""
        rule = self.rules[Kind.AUTH]
        if rule is None:
            return
        account, now = self.accounts.use(f"{ADDRESS}{network_of(address)}"), self.clock()
        account.own()[Kind.AUTH] = max(account.full_at[Kind.AUTH], now) + rule[0]
        if self.sharing is not None:
            self.sharing.note(account, Kind.AUTH, 1.0)

    # ---- what other workers tell ----

    def used_elsewhere(self, key: str, kind: int, cost: float) -> None:
        """Another worker let this user or address do so much."""
        rule = self.rules[kind]
        if rule is not None:
            account, now = self.accounts.use(key), self.clock()
            interval = rule[0] if key.startswith(USER) or kind == Kind.AUTH else rule[2]
            account.own()[kind] = max(account.full_at[kind], now) + interval * cost


def _rule(rate: Rate) -> Rule:
    depth = rate.burst * rate.interval
    # Twenty times the rate and twenty times the burst: the same depth in seconds.
    return rate.interval, depth + EPSILON, rate.interval / PER_ADDRESS, depth + EPSILON


def refusal(kind: int, wait: float) -> RateLimited:
    """The error of a refusal."""
    return RateLimited(retry_after=wait, limit=Kind(kind).label)


UNLIMITED = Allowance(Limits({}), Account(""), Account(""))
"""May do everything."""
