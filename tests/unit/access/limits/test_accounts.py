"""The table of buckets: bounded, and without those that are full."""

from __future__ import annotations

from sanic_chatrooms.access.limits.accounts import FULL, Accounts
from sanic_chatrooms.testing.clock import Clock


def test_connections_of_one_user_hold_the_same_buckets() -> None:
    accounts = Accounts(Clock())

    assert accounts.hold("user:u1") is accounts.hold("user:u1")
    assert len(accounts) == 1


def test_an_account_that_is_full_is_forgotten_with_its_last_connection() -> None:
    accounts = Accounts(Clock())
    account = accounts.hold("user:u1")
    accounts.hold("user:u1")

    accounts.release(account)
    assert len(accounts) == 1
    accounts.release(account)

    assert len(accounts) == 0


def test_an_account_that_is_not_full_outlives_its_connection_until_it_is() -> None:
    clock = Clock()
    accounts = Accounts(clock)
    account = accounts.hold("user:u1")
    account.own()[0] = clock() + 3

    accounts.release(account)
    accounts.sweep()
    assert accounts.known("user:u1") is account
    assert accounts.hold("user:u1") is account

    accounts.release(account)
    clock.advance(3)
    accounts.sweep()
    assert accounts.known("user:u1") is None
    assert len(accounts) == 0


def test_above_the_limit_the_account_that_was_used_least_recently_is_forgotten() -> None:
    clock = Clock()
    accounts = Accounts(clock, limit=2)
    for key in ("a", "b"):
        accounts.use(key).own()[0] = clock() + 9
    held = accounts.hold("held")
    accounts.use("a")

    accounts.use("c")

    assert accounts.known("b") is None
    assert accounts.known("a") is not None
    assert accounts.known("c") is not None
    assert accounts.known("held") is held


def test_an_account_of_a_connection_that_is_full_again_keeps_no_buckets() -> None:
    clock = Clock()
    accounts = Accounts(clock)
    account, busy = accounts.hold("user:u1"), accounts.hold("user:u2")
    account.own()[0] = clock() + 3
    busy.own()[0] = clock() + 9

    clock.advance(3)
    accounts.sweep()

    assert account.full_at is FULL
    assert busy.full_at[0] == clock() + 6
    assert accounts.hold("user:u1") is account
    account.own()[0] = clock() + 1
    assert max(FULL) == 0
