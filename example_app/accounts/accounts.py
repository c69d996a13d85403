"""The rules: who gets in, for how long, and what ends it."""

import ipaddress
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sanic_chatrooms import ChatError, Conflict, InvalidField, RateLimited, Unauthenticated, Unavailable

from . import totp
from .passwords import Passwords, check_password
from .store import Account, AccountStore, Limit, Login, Refusal
from .tokens import Tokens, kept_secret

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{2,31}")
# One letter for all that look like it: "Ada.1" and "adal" would be taken for each other.
ALIKE = str.maketrans({"0": "o", "1": "i", "l": "i", ".": "", "_": "", "-": ""})
RESERVED = ("admin", "administrator", "moderator", "server", "support", "system", "guest", "assistant")
LOG_IN_BY_ADDRESS = Limit(interval=6, burst=20)
LOG_IN_BY_NAME = Limit(interval=36, burst=100)
# Few from one place, so that nobody far away can keep the owner out.
LOG_IN_BY_BOTH = Limit(interval=30, burst=10)
SIGN_UP = Limit(interval=360, burst=10)
SEARCH = Limit(interval=1, burst=60)
FOUND = 20  # accounts in an answer


class SecondFactor(ChatError):
    """The password is right, and the account wants a code too."""

    code = "second_factor"
    http_status = 401
    default = "Enter the code of your authenticator app."


class Reused(Unauthenticated):
    """A refresh token came twice: one of the two who have it has stolen it. The login is to end for both."""

    def __init__(self, login: str) -> None:
        super().__init__("Sign in again.")
        self.login = login


@dataclass(frozen=True)
class Lifetimes:
    """Seconds."""

    access: float = 600
    login: float = 30 * 86400
    grace: float = 10
    """After a refresh token was replaced: so long it is answered too, and its successor is not replaced."""


@dataclass(frozen=True)
class SignedIn:
    account: Account
    login: str
    access: str
    refresh: str


class Accounts:
    """`path`: the SQLite file; the secret is beside it."""

    def __init__(
        self, path: Path, lifetimes: Lifetimes | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.tokens = Tokens(kept_secret(path.with_suffix(".secret")))
        self.passwords = Passwords()
        self.lifetimes = lifetimes or Lifetimes()
        self._store = AccountStore(path)
        self._clock = clock

    def start(self) -> None:
        self._store.open()
        self.passwords.start()

    def stop(self) -> None:
        self.passwords.stop()
        self._store.close()

    # ---- coming ----

    async def sign_up(self, name: str, password: str, ip: str) -> SignedIn:
        if not NAME.fullmatch(name):
            raise InvalidField(
                "must have 3 to 32 letters, digits, dots, hyphens or underscores", field="name"
            )
        if form_of(name) in map(form_of, RESERVED):
            raise Conflict("This name, or one that looks like it, is taken. Choose another one.")
        check_password(password, name)
        await self._count([(f"sign-up {network(ip)}", SIGN_UP)])
        account = Account(f"user-{secrets.token_urlsafe(12)}", name, await self.passwords.hash(password))
        if not await self._store.add(account, form_of(name)):
            raise Conflict("This name, or one that looks like it, is taken. Choose another one.")
        return await self._begin(account)

    async def log_in(self, name: str, password: str, code: str, ip: str) -> SignedIn:
        """Counted before the password is looked at, and given back to whoever knows it: so guesses that are made side by
        side count too. An unknown name costs and answers the same."""
        attempts = await self._count_log_in(form_of(name), network(ip))
        account = await self._store.find(form_of(name))
        try:
            right = await self.passwords.verify(password, account.password if account else None)
        except Unavailable:
            await self._store.give_back(attempts)  # nobody has looked at it
            raise
        if account is None or not right:
            raise Unauthenticated("The name or the password is wrong.")
        if account.secret and code:
            await self._check_code(account, account.secret, code)
        await self._store.give_back(attempts)
        if account.secret and not code:
            raise SecondFactor
        signed_in = await self._begin(account, with_code=account.secret is not None)
        if self.passwords.is_outdated(account.password):
            await self._store.set_password(account, await self.passwords.hash(password))
        return signed_in

    async def _begin(self, account: Account, *, with_code: bool = False) -> SignedIn:
        login, now = Login(secrets.token_urlsafe(15), account, with_code), self._clock()
        if not await self._store.add_login(login, now, now + self.lifetimes.login):
            raise Unavailable("Your account has just been changed. Try again.", retry_after=1)
        return self._signed_in(login, 0)

    def _signed_in(self, login: Login, number: int) -> SignedIn:
        access = self.tokens.access(login, self._clock(), self.lifetimes.access)
        return SignedIn(login.account, login.id, access, self.tokens.refresh(login.id, number))

    async def _count_log_in(self, form: str, place: str) -> list[tuple[str, Limit]]:
        attempts = [
            (f"address {place}", LOG_IN_BY_ADDRESS),
            (f"name {form}", LOG_IN_BY_NAME),
            (f"name {form} {place}", LOG_IN_BY_BOTH),
        ]
        await self._count(attempts)
        return attempts

    async def _count(self, attempts: list[tuple[str, Limit]]) -> None:
        wait = await self._store.take(attempts, self._clock())
        if wait > 0:
            raise RateLimited(f"Too many attempts. Try again in {round(wait + 0.5)} s.", retry_after=wait)

    # ---- staying ----

    async def refresh(self, token: str) -> SignedIn:
        """The next pair of tokens. Raises `Unauthenticated`, and `Reused` for a refresh token that was replaced before."""
        read = self.tokens.read_refresh(token)
        if read is None:
            raise Unauthenticated("Sign in again.")
        login, number = read
        newest = await self._store.rotate(login, number, self._clock(), self.lifetimes.grace)
        if newest is Refusal.REUSED:
            raise Reused(login)
        known = await self._store.login(login, self._clock())
        if known is None or newest is Refusal.UNKNOWN:
            raise Unauthenticated("Sign in again.")
        return self._signed_in(known, newest)

    async def by_access(self, access: str) -> Login:
        """The login of an access token, if it has not ended. Raises `Unauthenticated`."""
        now = self._clock()
        login = await self._store.login(self.tokens.login_of(access, now), now)
        if login is None:
            raise Unauthenticated("Sign in again.")
        return login

    async def is_signed_in(self, login: str) -> bool:
        """Whether this login has not ended."""
        return await self._store.login(login, self._clock()) is not None

    # ---- leaving ----

    def login_of(self, token: str) -> list[str]:
        """The login of a refresh token; none if the token is not ours."""
        read = self.tokens.read_refresh(token)
        return [read[0]] if read else []

    async def logins_of(self, account: Account) -> list[str]:
        return await self._store.logins_of(account.id)

    async def end(self, login: str) -> None:
        """From now on, none of its tokens is good here. What the chat thinks of them is the caller's."""
        await self._store.end_login(login)

    # ---- name and password ----

    async def looks_like_one(self, name: str) -> bool:
        """Whether somebody could take a guest of this name for one who has an account."""
        return await self._store.looks_like_one(name)

    async def people(self, account: Account, letters: str) -> list[tuple[str, str]]:
        """Id and name of accounts whose names begin so, for one that asks. Raises `RateLimited`."""
        await self._count([(f"search {account.id}", SEARCH)])
        return await self._store.called(form_of(letters), FOUND)

    async def check_change(self, account: Account, old: str, new: str, ip: str) -> str:
        """The hash of the new password, if the account may have it. Raises `InvalidField`, `RateLimited`."""
        check_password(new, account.name, "newPassword")
        await self._check_password(account, old, ip)
        if new == old:
            raise InvalidField("must be another one", field="newPassword")
        return await self.passwords.hash(new)

    async def set_password(self, account: Account, hashed: str) -> None:
        """From now on, no login begins with the old one. Raises `Conflict` if somebody else was faster."""
        if not await self._store.set_password(account, hashed):
            raise Conflict("Your password was changed elsewhere. Sign in again.")

    # ---- second factor ----

    async def propose_factor(self, account: Account, password: str, ip: str) -> tuple[str, str]:
        """A secret and its address for an authenticator app; it counts from the first code on."""
        await self._check_password(account, password, ip)
        if account.secret:
            raise Conflict("There is a second factor already. Turn it off first.")
        secret = totp.new_secret()
        await self._store.propose(account.id, secret)
        return secret, totp.address(secret, account.name)

    async def confirm_factor(self, login: Login, code: str) -> list[str]:
        """The recovery codes, which nobody can ask for again. This login counts as one with a code from now on."""
        account = login.account
        await self._count([(f"code {account.id}", LOG_IN_BY_BOTH)])
        step = totp.step_of(code, account.proposed, self._clock()) if account.proposed else None
        codes = totp.new_recovery_codes()
        if step is None or not await self._store.turn_on(
            login, account.proposed or "", step, [totp.recovery_hash(one) for one in codes]
        ):
            raise InvalidField("does not fit; enter the newest one", field="code")
        return codes

    async def drop_factor(self, account: Account, password: str, code: str, ip: str) -> None:
        await self._check_password(account, password, ip)
        if account.secret:
            await self._check_code(account, account.secret, code)
        await self._store.turn_off(account.id)

    async def _check_password(self, account: Account, password: str, ip: str) -> None:
        attempts = await self._count_log_in(form_of(account.name), network(ip))
        if not await self.passwords.verify(password, account.password):
            raise InvalidField("is wrong", field="password")
        await self._store.give_back(attempts)

    async def _check_code(self, account: Account, secret: str, code: str) -> None:
        """Each code is good once. Wrong ones count as attempts do."""
        step = totp.step_of(code, secret, self._clock())
        used = step is not None and await self._store.use_step(account.id, step)
        if not used and not await self._store.use_recovery(account.id, totp.recovery_hash(code)):
            raise InvalidField("does not fit, or was used before; enter the newest one", field="code")


def form_of(name: str) -> str:
    """In which names are compared, so that nobody can take one that looks like another's."""
    return name.lower().translate(ALIKE)


def network(ip: str) -> str:
    """An address as attempts are counted by: a customer has whole networks of the sixth version."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return ip[:64]
    return str(ipaddress.ip_network((ip, 64), strict=False)) if address.version == 6 else ip
