"""How often somebody may do something."""

from __future__ import annotations

import pytest

from sanic_chatrooms.access.limits.kinds import Kind
from sanic_chatrooms.access.limits.limits import (
    LOT,
    OFTEN,
    ROW,
    ROWS_MOST,
    ROWS_OFTEN,
    UNLIMITED,
    Allowance,
    Limits,
)
from sanic_chatrooms.access.limits.rate import parse_rate
from sanic_chatrooms.errors import RateLimited, Unavailable
from sanic_chatrooms.observe.instruments import RATE_REFUSALS
from sanic_chatrooms.testing import RecordingMeter
from sanic_chatrooms.testing.clock import Clock

RATES = {
    Kind.MESSAGE: parse_rate("10/s burst 30"),
    Kind.CHANGE: parse_rate("1/s burst 20"),
    Kind.AUTH: parse_rate("10/min"),
    Kind.BYTES: parse_rate("256 KiB/s burst 2 MiB"),
}
HOME = "192.0.2.1"


@pytest.fixture
def clock() -> Clock:
    return Clock(1_000.0)  # as the monotonic clock: the time of day has too few decimals


@pytest.fixture
def limits(clock: Clock) -> Limits:
    return Limits(RATES, clock=clock)


def of(limits: Limits, user: str, address: str = HOME) -> Allowance:
    allowance = limits.open(address)
    limits.identified(allowance, user)
    return allowance


def passed(allowance: Allowance, kind: Kind, tries: int) -> int:
    return sum(not allowance.take(kind) for _ in range(tries))


def received(allowance: Allowance, size: int) -> float:
    """What a session does with a frame of this size."""
    allowance.unpaid += size
    return allowance.pay(size) if allowance.unpaid >= LOT else 0.0


# ---- a user ----


def test_a_burst_passes_and_then_the_rate(limits: Limits, clock: Clock) -> None:
    ada = of(limits, "ada")

    assert passed(ada, Kind.MESSAGE, 100) == 30
    for _ in range(50):
        clock.advance(0.1)
        assert passed(ada, Kind.MESSAGE, 5) == 1
    clock.advance(60)
    assert passed(ada, Kind.MESSAGE, 100) == 30


def test_a_refusal_says_when_to_come_back_and_takes_nothing(limits: Limits, clock: Clock) -> None:
    ada = of(limits, "ada")
    passed(ada, Kind.MESSAGE, 30)

    waits = [ada.take(Kind.MESSAGE) for _ in range(3)]

    assert waits == pytest.approx([0.1] * 3, abs=1e-5)
    clock.advance(waits[0])
    assert not ada.take(Kind.MESSAGE)


def test_kinds_have_buckets_of_their_own(limits: Limits) -> None:
    ada = of(limits, "ada")
    passed(ada, Kind.MESSAGE, 99)

    assert passed(ada, Kind.CHANGE, 99) == 20
    assert passed(ada, Kind.READ, 99) == 99  # which has no rate here


def test_connections_of_a_user_share_a_bucket_and_those_of_others_do_not(limits: Limits) -> None:
    one, other, bob = of(limits, "ada"), of(limits, "ada"), of(limits, "bob")

    assert passed(one, Kind.MESSAGE, 20) + passed(other, Kind.MESSAGE, 20) == 30
    assert passed(bob, Kind.MESSAGE, 99) == 30


def test_who_comes_back_has_the_same_bucket(limits: Limits) -> None:
    ada = of(limits, "ada")
    passed(ada, Kind.MESSAGE, 30)
    limits.closed(ada)
    limits.closed(ada)  # a second time does nothing

    assert passed(of(limits, "ada"), Kind.MESSAGE, 5) == 0


# ---- an address ----


def test_an_address_may_do_as_much_as_twenty_users(limits: Limits) -> None:
    guests = [of(limits, f"guest-{n}") for n in range(30)]

    assert sum(passed(guest, Kind.MESSAGE, 30) for guest in guests) == 20 * 30
    assert passed(of(limits, "ada", "192.0.2.2"), Kind.MESSAGE, 30) == 30


def test_new_guests_from_one_network_do_not_get_new_buckets_for_it(limits: Limits) -> None:
    total = 0
    for n in range(100):
        guest = of(limits, f"guest-{n}", f"2001:db8::{n:x}")
        total += passed(guest, Kind.MESSAGE, 30)
        limits.closed(guest)

    assert total == 20 * 30


# ---- bytes ----


def test_bytes_pass_up_to_the_burst_and_then_by_the_rate(limits: Limits, clock: Clock) -> None:
    ada, size = of(limits, "ada"), 64 * 1024

    passed = sum(not received(ada, size) for _ in range(100))
    assert 2 * 1024 * 1024 <= passed * size <= 2 * 1024 * 1024 + size + LOT

    clock.advance(4)
    passed = sum(not received(ada, size) for _ in range(100))
    assert abs(passed * size - 4 * 256 * 1024) <= 2 * size + LOT


def test_small_frames_are_counted_in_lots(limits: Limits) -> None:
    ada = of(limits, "ada")

    passed = sum(not received(ada, 100) for _ in range(30_000))

    assert abs(passed * 100 - 2 * 1024 * 1024) <= 2 * LOT


# ---- who goes on ----


def row(allowance: Allowance, refusals: int) -> list[bool]:
    """So many refusals, after one command that passes."""
    allowance.refused = 0
    told = []
    for _ in range(refusals):
        allowance._limits.refuse(allowance, Kind.MESSAGE, "user", 1.0)
        told.append(allowance.goes_on())
    return told


def test_it_tells_how_much_of_a_burst_is_used_up(limits: Limits, clock: Clock) -> None:
    ada = of(limits, "ada")

    passed(ada, Kind.MESSAGE, 15)
    passed(ada, Kind.CHANGE, 1)

    used = ada.used()
    assert (round(used[Kind.MESSAGE], 2), round(used[Kind.CHANGE], 2), used[Kind.BYTES]) == (0.5, 0.05, 0.0)
    assert Kind.READ not in used  # it has no limit here
    clock.now += 60
    assert set(ada.used().values()) == {0.0}


def test_a_user_is_in_a_hurry_while_a_quarter_of_a_burst_is_used_up(limits: Limits, clock: Clock) -> None:
    ada, bob = of(limits, "ada"), of(limits, "bob")
    passed(ada, Kind.MESSAGE, 30)  # messages do not count: they have a turn of their own
    passed(ada, Kind.CHANGE, 5)
    assert not ada.in_a_hurry()

    passed(ada, Kind.CHANGE, 1)

    assert (ada.in_a_hurry(), bob.in_a_hurry(), UNLIMITED.in_a_hurry()) == (True, False, False)
    clock.advance(1.0)
    assert not ada.in_a_hurry()


def test_one_row_of_refusals_slows_nobody_down_however_long(limits: Limits) -> None:
    assert not any(row(of(limits, "ada"), 1_000))


def test_after_several_long_rows_every_tenth_refusal_slows_the_user_down(
    limits: Limits, clock: Clock
) -> None:
    ada = of(limits, "ada")
    for _ in range(ROWS_OFTEN):
        assert not any(row(ada, ROW))

    row(ada, ROW)

    assert [number for number, slow in enumerate(row(of(limits, "ada"), 40), 1) if slow] == [10, 20, 30, 40]
    assert not any(row(of(limits, "bob"), 40))
    clock.advance(ROWS_MOST * 2.0)
    assert not any(row(ada, 40))


def test_short_rows_slow_nobody_down(limits: Limits) -> None:
    ada = of(limits, "ada")

    assert not any(any(row(ada, ROW - 1)) for _ in range(100))


# ---- who comes back ----


def flood(limits: Limits, user: str, times: int) -> None:
    for _ in range(times):
        allowance = of(limits, user)
        allowance.flooded()
        limits.closed(allowance)


def test_after_several_floods_guests_of_the_address_come_in_one_after_the_other(limits: Limits) -> None:
    flood(limits, "guest-1", OFTEN)
    assert [limits.arrive(HOME, None) for _ in range(10)] == [0.0] * 10

    flood(limits, "guest-2", 1)

    assert [limits.arrive(HOME, None) for _ in range(4)] == pytest.approx([0.0, 0.25, 0.5, 0.75])
    assert [limits.arrive(HOME, None) for _ in range(5)] == pytest.approx([1.0, 1.25, 1.5, 1.75, 2.0])
    with pytest.raises(RateLimited) as refused:
        limits.arrive(HOME, None)
    assert refused.value.fields["retryAfter"] == pytest.approx(2.25)


def test_an_address_does_not_stop_those_who_show_who_they_are(limits: Limits) -> None:
    flood(limits, "guest-1", 9)

    assert [limits.arrive(HOME, "ada") for _ in range(10)] == [0.0] * 10
    assert [limits.arrive("192.0.2.2", None) for _ in range(10)] == [0.0] * 10


def test_a_user_who_floods_comes_in_slowly_from_every_address(limits: Limits) -> None:
    flood(limits, "ada", OFTEN + 1)

    assert limits.arrive("192.0.2.2", "ada") == 0.0
    assert limits.arrive("192.0.2.3", "ada") == pytest.approx(0.25)


def test_floods_are_forgotten_however_many_they_were(limits: Limits, clock: Clock) -> None:
    flood(limits, "guest-1", 1_000)

    clock.advance(29)
    assert [limits.arrive(HOME, None), limits.arrive(HOME, None)] == pytest.approx([0.0, 0.25])
    clock.advance(2)
    assert [limits.arrive(HOME, None) for _ in range(10)] == [0.0] * 10
    clock.advance(60)
    limits.sweep()
    assert len(limits.accounts) == 0


def test_without_rates_nobody_waits_for_floods_that_were(limits: Limits) -> None:
    flood(limits, "guest-1", 9)

    limits.configure({})

    assert [limits.arrive(HOME, None) for _ in range(10)] == [0.0] * 10


# ---- off ----


def test_without_rates_everything_passes() -> None:
    ada = of(Limits({}), "ada")

    assert passed(ada, Kind.MESSAGE, 1_000) == 1_000
    assert not any(received(ada, LOT) for _ in range(1_000))
    assert passed(UNLIMITED, Kind.CHANGE, 1_000) == 1_000


def test_other_rates_hold_for_open_connections_at_once(limits: Limits) -> None:
    ada = of(limits, "ada")
    passed(ada, Kind.MESSAGE, 30)

    limits.configure({})
    assert passed(ada, Kind.MESSAGE, 100) == 100
    limits.configure({Kind.MESSAGE: parse_rate("1/s burst 5")})
    assert passed(of(limits, "bob"), Kind.MESSAGE, 100) == 5


# ---- proofs of identity ----


def test_after_ten_failed_proofs_an_address_has_to_wait(limits: Limits, clock: Clock) -> None:
    for _ in range(10):
        limits.check_proofs(HOME)
        limits.proof_failed(HOME)

    with pytest.raises(RateLimited) as refused:
        limits.check_proofs(HOME)
    limits.check_proofs("192.0.2.2")

    assert refused.value.fields == {"limit": "auth", "retryAfter": pytest.approx(6.0, abs=0.01)}
    clock.advance(6.1)
    limits.check_proofs(HOME)


# ---- slow rates are the store's ----


class Shop:
    """`take` of a store, with so many left."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.asked: list[str] = []

    async def take(self, key: str, rate: float, burst: int) -> float:
        self.asked.append(key)
        self.left -= 1
        if self.left < -100:
            raise Unavailable
        return 0.0 if self.left >= 0 else 5.0


async def test_a_slow_rate_is_asked_of_the_store_until_it_refuses(clock: Clock) -> None:
    shop = Shop(3)
    limits = Limits(RATES, take=shop.take, clock=clock)
    ada = of(limits, "ada")

    waits = [await limits.take(ada, Kind.CHANGE) for _ in range(6)]

    assert waits == [0, 0, 0, 5.0, pytest.approx(5.0), pytest.approx(5.0)]
    assert shop.asked == ["rate.change:user:ada"] * 4
    clock.advance(5.1)
    shop.left = 1
    assert not await limits.take(ada, Kind.CHANGE)


async def test_a_fast_rate_never_asks_the_store(clock: Clock) -> None:
    shop = Shop(0)
    limits = Limits(RATES, take=shop.take, clock=clock)

    assert not await limits.take(of(limits, "ada"), Kind.MESSAGE)
    assert not shop.asked


async def test_while_the_store_is_away_a_worker_goes_by_its_own_buckets(clock: Clock) -> None:
    limits = Limits(RATES, take=Shop(-101).take, clock=clock)
    ada = of(limits, "ada")

    waits = [await limits.take(ada, Kind.CHANGE) for _ in range(25)]

    assert waits.count(0.0) == 20


# ---- counted ----


def test_refusals_are_counted_by_limit_and_by_whose_it_is(clock: Clock) -> None:
    meter = RecordingMeter()
    limits = Limits(RATES, meter=meter, clock=clock)
    ada = of(limits, "ada")

    passed(ada, Kind.MESSAGE, 35)
    for n in range(30):
        passed(of(limits, f"guest-{n}"), Kind.MESSAGE, 30)

    assert meter.value(RATE_REFUSALS, "message", "user") == 5
    assert meter.value(RATE_REFUSALS, "message", "address") > 0
    assert ada.refused == 5
