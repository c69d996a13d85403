"""What lets somebody in, how long it lasts, and what ends it; without a server."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import sqlite3
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pyotp
import pytest
from argon2 import PasswordHasher

from example_app.accounts import accounts as rules
from example_app.accounts.accounts import (
    Accounts,
    Lifetimes,
    Reused,
    SecondFactor,
    SignedIn,
    form_of,
    network,
)
from example_app.accounts.passwords import Passwords
from example_app.accounts.store import MAX_LOGINS, connect
from example_app.accounts.tokens import AUDIENCE, ISSUER, Tokens, kept_secret
from sanic_chatrooms import Conflict, InvalidField, JWTAuth, RateLimited, Unauthenticated, Unavailable
from sanic_chatrooms.models import Credentials, Handshake

PASSWORD = "correct horse battery"
HERE = "192.0.2.1"


class Time:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def accounts(tmp_path: Path, clock: Time) -> Iterator[Accounts]:
    accounts = Accounts(tmp_path / "accounts.sqlite3", Lifetimes(), clock)
    accounts.passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    accounts.start()
    yield accounts
    accounts.stop()


async def sign_up(accounts: Accounts, name: str = "Ada") -> SignedIn:
    return await accounts.sign_up(name, PASSWORD, HERE)


async def with_factor(accounts: Accounts, clock: Time) -> tuple[pyotp.TOTP, list[str]]:
    """Ada, who has a second factor whose first code was used, and her recovery codes."""
    account = (await sign_up(accounts)).account
    secret, _ = await accounts.propose_factor(account, PASSWORD, HERE)
    login = await accounts.by_access((await accounts.log_in("Ada", PASSWORD, "", HERE)).access)
    totp = pyotp.TOTP(secret)
    codes = await accounts.confirm_factor(login, totp.at(int(clock.now)))
    clock.now += 30
    return totp, codes


# ---- names ----


@pytest.mark.parametrize(
    "name", ["", "ab", "-ada", "a" * 33, "Ada Lovelace", "\u0430da", "a\u200bda", "ada\n"]
)
async def test_a_name_has_letters_and_digits_of_ascii(accounts: Accounts, name: str) -> None:
    with pytest.raises(InvalidField) as refused:
        await sign_up(accounts, name)

    assert refused.value.fields["field"] == "name"


@pytest.mark.parametrize("name", ["ada", "ADA", "A.d.a", "Adm1n", "Server", "gu-est"])
async def test_a_name_that_looks_like_anothers_is_taken(accounts: Accounts, name: str) -> None:
    await sign_up(accounts, "Ada")

    with pytest.raises(Conflict):
        await sign_up(accounts, name)


def test_names_are_compared_by_what_they_look_like() -> None:
    assert form_of("Bi11.O") == form_of("bill_0")
    assert form_of("ada") != form_of("adb")


# ---- log in ----


async def test_who_knows_the_password_gets_in_under_the_name_of_the_account(accounts: Accounts) -> None:
    first = await sign_up(accounts, "Ada")

    second = await accounts.log_in("ADA", PASSWORD, "", HERE)

    assert second.account.id == first.account.id
    assert second.account.name == "Ada"
    assert second.login != first.login


async def test_a_wrong_password_and_an_unknown_name_get_one_answer(accounts: Accounts) -> None:
    await sign_up(accounts)
    answers = set()
    for name in ("Ada", "nobody", "", "\u0430da"):
        with pytest.raises(Unauthenticated) as refused:
            await accounts.log_in(name, "wrong", "", HERE)
        answers.add(str(refused.value.payload()))

    assert len(answers) == 1


async def test_a_password_gets_a_hash_of_todays_parameters_at_the_next_log_in(accounts: Accounts) -> None:
    await sign_up(accounts)
    accounts.passwords.stop()
    accounts.passwords = Passwords(PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    accounts.passwords.start()

    await accounts.log_in("Ada", PASSWORD, "", HERE)
    account = (await accounts.log_in("Ada", PASSWORD, "", HERE)).account

    assert "m=16,t=2" in account.password


async def test_guesses_are_limited_by_place_and_the_right_password_costs_nothing(
    accounts: Accounts, clock: Time
) -> None:
    await sign_up(accounts)
    for _ in range(50):
        await accounts.log_in("Ada", PASSWORD, "", HERE)
    guesses = [accounts.log_in("Ada", f"guess {number}", "", HERE) for number in range(30)]

    answers = await asyncio.gather(*guesses, return_exceptions=True)  # side by side: none of them is free

    assert sum(type(one) is Unauthenticated for one in answers) == rules.LOG_IN_BY_BOTH.burst
    with pytest.raises(RateLimited) as refused:
        await accounts.log_in("Ada", PASSWORD, "", HERE)
    assert 0 < refused.value.fields["retryAfter"] <= rules.LOG_IN_BY_BOTH.interval
    await accounts.log_in("Ada", PASSWORD, "", "198.51.100.7")  # the owner, elsewhere, gets in
    clock.now += refused.value.fields["retryAfter"]
    await accounts.log_in("Ada", PASSWORD, "", HERE)


async def test_guesses_at_many_names_are_limited_by_place_too(accounts: Accounts) -> None:
    for number in range(rules.LOG_IN_BY_ADDRESS.burst):
        with pytest.raises(Unauthenticated):
            await accounts.log_in(f"user{number}", "guess", "", HERE)

    with pytest.raises(RateLimited):
        await accounts.log_in("another", "guess", "", HERE)


def test_a_network_of_the_sixth_version_is_one_place() -> None:
    assert network("2001:db8::1") == network("2001:db8::ffff") != network("2001:db8:0:1::1")
    assert network(HERE) == HERE
    assert network("unix:") == "unix:"


async def test_sign_ups_are_limited_by_place(accounts: Accounts) -> None:
    for number in range(rules.SIGN_UP.burst):
        await sign_up(accounts, f"user{number}x")

    with pytest.raises(RateLimited):
        await sign_up(accounts, "onemore")


# ---- access tokens ----


async def test_the_chat_takes_an_access_token_and_no_other_kind_of_token(
    accounts: Accounts, clock: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", clock)
    signed_in = await sign_up(accounts)
    auth = JWTAuth(accounts.tokens.key, audience=AUDIENCE, issuer=ISSUER)
    handshake = Handshake(
        path="/", headers={}, query={}, cookies={}, remote_ip="", secure=False, credentials=Credentials()
    )

    user = await auth.authenticate(Credentials(signed_in.access), handshake)

    assert (user.id, user.name, user.guest) == (signed_in.account.id, "Ada", False)
    assert user.expires_at == clock.now + 600
    assert user.claims["sid"] == signed_in.login
    with pytest.raises(Unauthenticated):
        await auth.authenticate(Credentials(signed_in.refresh), handshake)


async def test_an_access_token_is_worth_nothing_here_once_its_login_has_ended(accounts: Accounts) -> None:
    signed_in = await sign_up(accounts)
    assert (await accounts.by_access(signed_in.access)).account.name == "Ada"

    assert accounts.login_of(signed_in.refresh) == [signed_in.login]
    await accounts.end(signed_in.login)

    for token in (signed_in.access, signed_in.refresh, "", jwt.encode({"sid": signed_in.login}, "x" * 32)):
        with pytest.raises(Unauthenticated):
            await accounts.by_access(token)


async def test_a_token_says_by_what_its_login_has_proved_who_it_is(accounts: Accounts, clock: Time) -> None:
    def amr(signed_in: SignedIn) -> list[str]:
        claims = jwt.decode(signed_in.access, options={"verify_signature": False})
        return list(claims["amr"])

    without = await sign_up(accounts)
    secret, _ = await accounts.propose_factor(without.account, PASSWORD, HERE)
    confirming = await accounts.log_in("Ada", PASSWORD, "", HERE)
    login = await accounts.by_access(confirming.access)
    codes = await accounts.confirm_factor(login, pyotp.TOTP(secret).at(int(clock.now)))
    with_code = await accounts.log_in("Ada", PASSWORD, codes[0], HERE)

    assert [amr(one) for one in (without, confirming, with_code)] == [["pwd"], ["pwd"], ["pwd", "otp"]]
    later = [amr(await accounts.refresh(one.refresh)) for one in (without, confirming, with_code)]
    assert later == [["pwd"], ["pwd", "otp"], ["pwd", "otp"]]


# ---- refresh tokens ----


async def test_a_refresh_token_is_replaced_each_time(accounts: Accounts, clock: Time) -> None:
    signed_in = await sign_up(accounts)
    seen = {signed_in.refresh}
    for _ in range(5):
        clock.now += 600
        signed_in = await accounts.refresh(signed_in.refresh)
        seen.add(signed_in.refresh)

    assert len(seen) == 6


async def test_a_refresh_token_that_was_replaced_ends_the_login_for_whoever_has_it(
    accounts: Accounts, clock: Time
) -> None:
    stolen = await sign_up(accounts)
    other = await accounts.log_in("Ada", PASSWORD, "", HERE)
    clock.now += 11
    owner = await accounts.refresh(stolen.refresh)
    clock.now += 11

    with pytest.raises(Reused) as ended:
        await accounts.refresh(stolen.refresh)

    assert ended.value.login == stolen.login
    assert ended.value.payload()["code"] == "unauthenticated"
    with pytest.raises(Unauthenticated):
        await accounts.by_access(owner.access)
    with pytest.raises(Reused):  # until the app has ended it
        await accounts.refresh(owner.refresh)
    await accounts.end(stolen.login)
    with pytest.raises(Unauthenticated):
        await accounts.refresh(owner.refresh)
    await accounts.refresh(other.refresh)  # another device is not concerned


async def test_tabs_that_ask_one_after_the_other_with_what_they_had_get_the_same_token(
    accounts: Accounts, clock: Time
) -> None:
    first = await sign_up(accounts)
    clock.now += 600

    both = await asyncio.gather(*(accounts.refresh(first.refresh) for _ in range(8)))
    clock.now += 9
    second = await accounts.refresh(both[0].refresh)  # a tab that has had the answer already
    late = await accounts.refresh(first.refresh)  # and one whose request was on its way for long

    assert {one.refresh for one in both} == {second.refresh} == {late.refresh}
    clock.now += 600
    assert (await accounts.refresh(late.refresh)).refresh != late.refresh


async def test_after_that_moment_the_token_before_is_a_stolen_one(accounts: Accounts, clock: Time) -> None:
    first = await sign_up(accounts)
    clock.now += 600
    await accounts.refresh(first.refresh)
    clock.now += 10

    with pytest.raises(Reused):
        await accounts.refresh(first.refresh)


@pytest.mark.parametrize("change", ["number", "signature", "login", "text"])
async def test_what_we_did_not_sign_ends_nothing(accounts: Accounts, change: str) -> None:
    signed_in = await sign_up(accounts)
    login, number, signature = signed_in.refresh.split(".")
    forged = {
        "number": f"{login}.7.{signature}",
        "signature": f"{login}.{number}.{'0' * 64}",
        "login": f"{login[:-1]}.{number}.{signature}",
        "text": "\ud800.٣.é",
    }[change]

    with pytest.raises(Unauthenticated) as refused:
        await accounts.refresh(forged)

    assert not isinstance(refused.value, Reused)
    await accounts.refresh(signed_in.refresh)


async def test_a_login_lasts_thirty_days_however_often_it_is_refreshed(
    accounts: Accounts, clock: Time
) -> None:
    signed_in = await sign_up(accounts)
    clock.now += 29 * 86400
    signed_in = await accounts.refresh(signed_in.refresh)
    clock.now += 86400

    with pytest.raises(Unauthenticated):
        await accounts.refresh(signed_in.refresh)


async def test_a_login_too_many_ends_the_one_that_was_used_longest_ago(
    accounts: Accounts, clock: Time
) -> None:
    first = await sign_up(accounts)
    clock.now += 11
    second = await accounts.log_in("Ada", PASSWORD, "", HERE)
    clock.now += 11
    first = await accounts.refresh(first.refresh)
    for _ in range(MAX_LOGINS - 1):
        clock.now += 11
        await accounts.log_in("Ada", PASSWORD, "", HERE)

    assert await accounts.is_signed_in(first.login)
    assert not await accounts.is_signed_in(second.login)
    await accounts.refresh(first.refresh)
    with pytest.raises(Unauthenticated):
        await accounts.refresh(second.refresh)


async def test_who_logs_out_everywhere_is_logged_out_on_all_devices(accounts: Accounts) -> None:
    devices = [await sign_up(accounts), await accounts.log_in("Ada", PASSWORD, "", HERE)]
    bob = await sign_up(accounts, "Bob")

    logins = await accounts.logins_of(devices[0].account)
    for login in logins:
        await accounts.end(login)

    assert set(logins) == {device.login for device in devices}
    for device in devices:
        with pytest.raises(Unauthenticated):
            await accounts.refresh(device.refresh)
    await accounts.refresh(bob.refresh)


# ---- another password ----


async def change(accounts: Accounts, signed_in: SignedIn, old: str = PASSWORD, new: str = "staple") -> None:
    hashed = await accounts.check_change(signed_in.account, old, new, HERE)
    await accounts.set_password(signed_in.account, hashed)


async def test_from_then_on_the_new_password_counts(accounts: Accounts) -> None:
    await change(accounts, await sign_up(accounts), new="battery staple")

    with pytest.raises(Unauthenticated):
        await accounts.log_in("Ada", PASSWORD, "", HERE)
    await accounts.log_in("Ada", "battery staple", "", HERE)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("wrong", "battery staple", "password"),
        (PASSWORD, "short", "newPassword"),
        (PASSWORD, "adaadaada11", "newPassword"),
        (PASSWORD, PASSWORD, "newPassword"),
    ],
)
async def test_the_old_password_is_asked_for_and_the_new_one_must_be_a_good_one(
    accounts: Accounts, old: str, new: str, field: str
) -> None:
    signed_in = await sign_up(accounts)

    with pytest.raises(InvalidField) as refused:
        await change(accounts, signed_in, old, new)

    assert refused.value.fields["field"] == field
    await accounts.log_in("Ada", PASSWORD, "", HERE)


async def test_guesses_at_the_old_password_are_limited_as_at_the_door(accounts: Accounts) -> None:
    signed_in = await sign_up(accounts)
    for _ in range(rules.LOG_IN_BY_BOTH.burst):
        with pytest.raises(InvalidField):
            await change(accounts, signed_in, "guess", "battery staple")

    with pytest.raises(RateLimited):
        await change(accounts, signed_in, PASSWORD, "battery staple")


async def test_no_login_begins_with_a_password_that_was_changed_meanwhile(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed_in = await sign_up(accounts)
    verify = accounts.passwords.verify

    async def slowly(password: str, hashed: str | None) -> bool:
        right = await verify(password, hashed)
        monkeypatch.undo()
        await change(accounts, signed_in, PASSWORD, "battery staple")
        return right

    monkeypatch.setattr(accounts.passwords, "verify", slowly)
    with pytest.raises(Unavailable):
        await accounts.log_in("Ada", PASSWORD, "", HERE)

    assert await accounts.logins_of(signed_in.account) == [signed_in.login]


async def test_of_two_who_change_it_at_once_one_is_told_that_it_was_changed(accounts: Accounts) -> None:
    signed_in = await sign_up(accounts)

    answers = await asyncio.gather(
        *(change(accounts, signed_in, PASSWORD, f"battery staple {n}") for n in range(2)),
        return_exceptions=True,
    )

    assert [type(one) for one in answers if one is not None] == [Conflict]


# ---- names of guests ----


@pytest.mark.parametrize("name", ["Ada", "ADA", "A d a", "\u0410da", "Ad\u00e1 \N{BLACK HEART SUIT}", "@da"])
async def test_a_name_like_that_of_an_account_is_found(accounts: Accounts, name: str) -> None:
    assert not await accounts.looks_like_one(name)
    await sign_up(accounts)

    assert await accounts.looks_like_one(name)
    assert not await accounts.looks_like_one("Grace")


# ---- second factor ----


async def test_with_a_second_factor_the_password_is_not_enough(accounts: Accounts, clock: Time) -> None:
    totp, _ = await with_factor(accounts, clock)

    with pytest.raises(SecondFactor):
        await accounts.log_in("Ada", PASSWORD, "", HERE)
    with pytest.raises(Unauthenticated):  # who does not know the password is not told that there is a factor
        await accounts.log_in("Ada", "wrong", "", HERE)
    with pytest.raises(InvalidField):
        await accounts.log_in("Ada", PASSWORD, "000000", HERE)
    await accounts.log_in("Ada", PASSWORD, totp.at(int(clock.now)), HERE)


async def test_a_code_is_good_once_also_for_two_who_use_it_at_the_same_moment(
    accounts: Accounts, clock: Time
) -> None:
    totp, _ = await with_factor(accounts, clock)
    code = totp.at(int(clock.now))

    answers = await asyncio.gather(
        *(accounts.log_in("Ada", PASSWORD, code, HERE) for _ in range(4)), return_exceptions=True
    )

    assert sum(isinstance(one, SignedIn) for one in answers) == 1
    with pytest.raises(InvalidField):  # nor one from before
        await accounts.log_in("Ada", PASSWORD, totp.at(int(clock.now - 30)), HERE)


async def test_a_recovery_code_is_good_once(accounts: Accounts, clock: Time) -> None:
    _, codes = await with_factor(accounts, clock)

    await accounts.log_in("Ada", PASSWORD, codes[3].upper(), HERE)
    with pytest.raises(InvalidField):
        await accounts.log_in("Ada", PASSWORD, codes[3], HERE)
    await accounts.log_in("Ada", PASSWORD, codes[4], HERE)


async def test_wrong_codes_are_limited_as_wrong_passwords_are(accounts: Accounts, clock: Time) -> None:
    await with_factor(accounts, clock)
    for number in range(rules.LOG_IN_BY_BOTH.burst):
        with pytest.raises(InvalidField):
            await accounts.log_in("Ada", PASSWORD, f"x{number}", HERE)

    with pytest.raises(RateLimited):
        await accounts.log_in("Ada", PASSWORD, "x", HERE)


async def test_a_factor_counts_from_its_first_code_on(accounts: Accounts, clock: Time) -> None:
    account = (await sign_up(accounts)).account
    with pytest.raises(InvalidField, match="password"):
        await accounts.propose_factor(account, "wrong", HERE)

    await accounts.propose_factor(account, PASSWORD, HERE)
    await accounts.log_in("Ada", PASSWORD, "", HERE)
    login = await accounts.by_access((await accounts.log_in("Ada", PASSWORD, "", HERE)).access)
    with pytest.raises(InvalidField, match="code"):
        await accounts.confirm_factor(login, "000000")
    await accounts.log_in("Ada", PASSWORD, "", HERE)


async def test_a_factor_is_turned_off_with_password_and_code(accounts: Accounts, clock: Time) -> None:
    totp, codes = await with_factor(accounts, clock)
    account = (await accounts.log_in("Ada", PASSWORD, codes[0], HERE)).account
    with pytest.raises(Conflict):
        await accounts.propose_factor(account, PASSWORD, HERE)
    with pytest.raises(InvalidField, match="password"):
        await accounts.drop_factor(account, "wrong", codes[1], HERE)
    with pytest.raises(InvalidField, match="code"):
        await accounts.drop_factor(account, PASSWORD, "", HERE)

    await accounts.drop_factor(account, PASSWORD, totp.at(int(clock.now)), HERE)

    await accounts.log_in("Ada", PASSWORD, "", HERE)


# ---- what is kept ----


async def test_a_file_of_an_earlier_version_is_brought_up_to_date(tmp_path: Path, clock: Time) -> None:
    old = """
    CREATE TABLE accounts (
      id TEXT PRIMARY KEY, form TEXT NOT NULL UNIQUE, name TEXT NOT NULL, password TEXT NOT NULL,
      secret TEXT, proposed TEXT, step INTEGER NOT NULL DEFAULT 0);
    CREATE TABLE logins (
      id TEXT PRIMARY KEY, account TEXT NOT NULL REFERENCES accounts ON DELETE CASCADE,
      number INTEGER NOT NULL, rotated REAL NOT NULL, expires REAL NOT NULL);
    """
    hashed = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    path = tmp_path / "accounts.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(old)
        row = ("user-1", form_of("Ada"), "Ada", hashed)
        connection.execute("INSERT INTO accounts (id, form, name, password) VALUES (?, ?, ?, ?)", row)
        connection.execute("INSERT INTO logins VALUES ('old', 'user-1', 0, ?, ?)", (clock.now, 2 * clock.now))
    accounts = Accounts(path, Lifetimes(), clock)
    accounts.start()

    kept = await accounts.refresh(accounts.tokens.refresh("old", 0))
    again = await accounts.log_in("Ada", PASSWORD, "", HERE)

    assert kept.account.id == again.account.id == "user-1"
    assert await accounts.looks_like_one("\u0410da")
    accounts.stop()


def contents(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in directory.glob("accounts.sqlite3*"))


async def test_neither_passwords_nor_tokens_nor_recovery_codes_are_in_the_file(
    accounts: Accounts, clock: Time, tmp_path: Path
) -> None:
    _, codes = await with_factor(accounts, clock)
    signed_in = await accounts.log_in("Ada", PASSWORD, codes[0], HERE)
    accounts.stop()

    kept = contents(tmp_path)
    accounts.start()
    for secret in (
        PASSWORD,
        signed_in.access,
        signed_in.refresh,
        signed_in.refresh[-64:],
        accounts.tokens.key,
        *codes,
    ):
        assert secret.encode() not in kept


def test_the_secret_is_made_once_by_many_and_nobody_else_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    kept: list[str] = []
    threads = [threading.Thread(target=lambda: kept.append(kept_secret(path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {*kept, kept_secret(path)} == {path.read_text()}
    assert len(path.read_text()) >= 48
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["secret"]


def test_the_accounts_of_two_workers_are_the_same(tmp_path: Path) -> None:
    async def both() -> None:
        one, two = Accounts(tmp_path / "a.sqlite3"), Accounts(tmp_path / "a.sqlite3")
        for accounts in (one, two):
            accounts.start()
        signed_in = await sign_up(one)
        refreshed = await two.refresh(signed_in.refresh)
        assert (await one.by_access(refreshed.access)).account.id == signed_in.account.id
        for accounts in (one, two):
            accounts.stop()

    asyncio.run(both())
    assert stat.S_IMODE((tmp_path / "a.sqlite3").stat().st_mode) == 0o600


def open_all(folder: Path, together: Any) -> None:
    for n in range(60):
        together.wait(30)
        connect(folder / f"{n}.db").close()


def test_two_workers_open_a_new_file_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(2)
    workers = [context.Process(target=open_all, args=(tmp_path, together)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)

    assert [worker.exitcode for worker in workers] == [0, 0]


def test_a_refresh_token_names_nobody() -> None:
    token = Tokens("k" * 48).refresh("some-login", 3)

    assert Tokens("k" * 48).read_refresh(token) == ("some-login", 3)
    assert Tokens("j" * 48).read_refresh(token) is None


async def test_accounts_are_found_by_the_beginning_of_their_names_a_few_at_a_time(
    accounts: Accounts, clock: Time
) -> None:
    ada = (await sign_up(accounts)).account
    for number in range(3):
        await accounts.sign_up(f"bob{number}", PASSWORD, f"10.0.0.{number}")

    assert await accounts.people(ada, "AD") == [(ada.id, "Ada")]
    assert [name for _, name in await accounts.people(ada, "b")] == [
        "bob2",
        "bob1",
        "bob0",
    ]  # as if "1" were "i", and "0" "o"
    assert len(await accounts.people(ada, "")) == 4
    assert await accounts.people(ada, "%") == []
    for _ in range(56):
        await accounts.people(ada, "b")
    with pytest.raises(RateLimited):
        await accounts.people(ada, "b")
