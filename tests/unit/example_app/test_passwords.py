from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Literal

import pytest
from argon2 import PasswordHasher

from example_app.accounts.passwords import AT_A_TIME, MAX_WAITING, Passwords, check_password
from sanic_chatrooms import InvalidField, Unavailable

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class Slow(PasswordHasher):
    """Hashes when the test says so, and counts how many do at once."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.go, self.full = threading.Event(), threading.Event()
        self.now = self.most = 0
        self._lock = threading.Lock()

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
            if self.now == AT_A_TIME:
                self.full.set()
        self.go.wait(60)
        with self._lock:
            self.now -= 1
        return super().verify(hash, password)


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    passwords = Passwords(QUICK)
    passwords.start()
    yield passwords
    passwords.stop()


@pytest.fixture
def slow() -> Iterator[tuple[Passwords, Slow]]:
    hasher = Slow()
    passwords = Passwords(hasher)
    passwords.start()
    yield passwords, hasher
    hasher.go.set()
    passwords.stop()


async def test_only_the_right_password_fits(passwords: Passwords) -> None:
    hashed = await passwords.hash("correct horse")

    assert hashed.startswith("$argon2id$")
    assert await passwords.verify("correct horse", hashed)
    assert not await passwords.verify("Correct horse", hashed)
    assert not await passwords.verify("correct horse", "no hash at all")


async def test_a_password_is_the_same_from_a_system_that_writes_its_letters_otherwise(
    passwords: Passwords,
) -> None:
    hashed = await passwords.hash("caf\u00e9 au lait")

    assert await passwords.verify("cafe\u0301 au lait", hashed)


async def test_a_name_that_is_unknown_costs_one_hash_with_the_same_parameters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    verified: list[str] = []

    class Noting(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
            verified.append(str(hash).rpartition("$")[0].rpartition("$")[0])
            return super().verify(hash, password)

    passwords = Passwords(Noting(time_cost=1, memory_cost=8, parallelism=1))
    passwords.start()
    known = await passwords.hash("correct horse")

    assert not await passwords.verify("wrong", known)
    assert not await passwords.verify("wrong", None)
    assert verified[0] == verified[1]
    passwords.stop()


async def test_the_hash_of_nobody_fits_nobodys_password(slow: tuple[Passwords, Slow]) -> None:
    passwords, hasher = slow
    hasher.go.set()

    assert not await passwords.verify("", None)


async def test_two_hashes_are_made_at_a_time_and_the_loop_goes_on(slow: tuple[Passwords, Slow]) -> None:
    passwords, hasher = slow
    asked = [asyncio.create_task(passwords.verify("x", None)) for _ in range(6)]
    assert await asyncio.to_thread(hasher.full.wait, 10)

    hasher.go.set()
    await asyncio.gather(*asked)

    assert hasher.most == AT_A_TIME == 2


async def test_what_comes_when_the_queue_is_full_is_told_when_to_come_again(
    slow: tuple[Passwords, Slow],
) -> None:
    passwords, hasher = slow
    asked = [asyncio.create_task(passwords.verify("x", None)) for _ in range(AT_A_TIME + MAX_WAITING)]
    await asyncio.sleep(0)

    with pytest.raises(Unavailable) as refused:
        await passwords.verify("x", None)

    assert refused.value.fields == {"retryAfter": 1}
    asked[-1].cancel()  # somebody hangs up: the place is free again
    await asyncio.wait(asked[-1:])
    hasher.go.set()
    assert await passwords.verify("x", None) is False
    await asyncio.gather(*asked[:-1])


def test_hashes_of_weaker_parameters_are_outdated() -> None:
    today = Passwords()

    assert today.is_outdated(QUICK.hash("correct horse"))
    assert not today.is_outdated("$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$" + "A" * 43)


@pytest.mark.parametrize(
    "password",
    [
        "123456789",
        "qwertyuiop",
        "aaaaaaaaaaaa",
        "ada lovelace",
        "Password123",
        "password1234",
        "!Welcome2026",
    ],
)
def test_passwords_that_are_easy_to_guess_are_refused(password: str) -> None:
    with pytest.raises(InvalidField) as refused:
        check_password(password, "Ada")

    assert refused.value.fields["field"] == "password"
    assert password not in refused.value.message


def test_a_long_password_needs_no_digits_and_signs() -> None:
    check_password("correct horse battery", "Ada")
