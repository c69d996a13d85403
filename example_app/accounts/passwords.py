"""Passwords: hashed with Argon2id, beside the event loop, and so that nobody learns which names exist."""

import asyncio
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from string import digits, punctuation
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from sanic_chatrooms import InvalidField, Unavailable

T = TypeVar("T")

SHORTEST, LONGEST = 10, 200
"""Characters. A hash takes as long as it takes; without an upper bound, reading the password would take longer."""
AT_A_TIME = 2
"""Hashes that a worker makes at a time: each takes 20 ms and 19 MiB."""
MAX_WAITING = 16
"""Above that many, the next one is told to come again: a flood of log-ins slows down log-ins and nothing else."""
EASY = frozenset(
    {
        "password",
        "passwordpassword",
        "qwertyuiop",
        "qwerty",
        "iloveyou",
        "letmein",
        "welcome",
        "football",
        "1234567890",
        "0123456789",
    }
)
"""Also with digits and signs before and after."""


class Passwords:
    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._under_way = 0

    def start(self) -> None:
        self._threads = ThreadPoolExecutor(AT_A_TIME, "passwords")
        self._nobodys = self._hasher.hash(secrets.token_urlsafe())

    def stop(self) -> None:
        self._threads.shutdown()

    async def hash(self, password: str) -> str:
        return await self._beside(lambda: self._hasher.hash(_same_text(password)))

    async def verify(self, password: str, hashed: str | None) -> bool:
        """Is this the password? `hashed` None: there is no such account, which takes as long to find out."""
        right = await self._beside(lambda: self._fits(hashed or self._nobodys, password))
        return right and hashed is not None

    def is_outdated(self, hashed: str) -> bool:
        """Made with other parameters than today's: make a new one when the password is at hand."""
        return self._hasher.check_needs_rehash(hashed)

    def _fits(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, _same_text(password))
        except (VerificationError, InvalidHashError):
            return False

    async def _beside(self, work: Callable[[], T]) -> T:
        if self._under_way >= AT_A_TIME + MAX_WAITING:
            raise Unavailable("Too many people sign in at once. Try again in a moment.", retry_after=1)
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._under_way -= 1


def check_password(password: str, name: str, field: str = "password") -> None:
    """Raises `InvalidField` for one that is too easy to guess. Length counts; which characters it has does not."""
    if len(password) < SHORTEST:
        raise InvalidField(f"must have at least {SHORTEST} characters", field=field)
    simple = password.casefold()
    if (
        not EASY.isdisjoint({simple, simple.strip(digits + punctuation)})
        or len(set(simple)) < 4
        or name.casefold() in simple
    ):
        raise InvalidField("is too easy to guess", field=field)


def _same_text(password: str) -> str:
    # The same keys give other code points on other systems.
    return unicodedata.normalize("NFKC", password)
