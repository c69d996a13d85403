"""Tests of the contract `sanic_chatrooms.auth.base.Authenticator`, to run on your authenticator.

    import pytest
    pytest.register_assert_rewrite("sanic_chatrooms.testing")  # so that a failing assert shows its values

    from sanic_chatrooms import Credentials, User
    from sanic_chatrooms.testing import AuthenticatorSuite
    from shop.chat import SessionAuth

    class TestSessionAuth(AuthenticatorSuite):
        async def make(self) -> SessionAuth:
            return SessionAuth()

        async def known(self) -> tuple[Credentials, Handshake]:
            return Credentials(), self.handshake(cookies={"session": "3f1c9a"})

With pytest-asyncio in its auto mode, you need nothing else. The suite itself needs no test runner. The number in a test's
name is that of the sentence in the contract.
"""
# ruff: noqa: D102 - a test's name is its sentence

import asyncio
from abc import abstractmethod
from collections.abc import Mapping

from ..auth.asking import Asking, Unseen
from ..auth.base import Authenticator
from ..errors import TokenExpired, Unauthenticated
from ..models import Credentials, Handshake, User

__all__ = ["AuthenticatorSuite"]

HOSTILE = (
    "", " ", "x", "null", "a.b.c", "..", "é", "\U0001f600", "x" * 4096, "-1", "' OR 1=1 --",
    "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.", "guest-1",
)  # fmt: skip
"""Tokens that nobody has made."""


class AuthenticatorSuite:
    """Tests of the contract of an authenticator. Derive a test class from it and implement `make` and `known`."""

    single_use = False
    """What `known` returns is accepted once only, as a ticket is."""

    @abstractmethod
    async def make(self) -> Authenticator:
        """A new authenticator."""

    @abstractmethod
    async def known(self) -> tuple[Credentials, Handshake]:
        """What a user shows whom the authenticator knows."""

    async def expired(self) -> tuple[Credentials, Handshake] | None:
        """What was valid once and has expired; None: nothing expires."""
        return None

    def handshake(
        self, headers: Mapping[str, str] | None = None, cookies: Mapping[str, str] | None = None
    ) -> Handshake:
        """A request with these headers (lower-case names) and cookies."""
        return Handshake("/chat/ws", headers or {}, {}, cookies or {}, "127.0.0.1", secure=True)

    # ---- 1: users and refusals ----

    async def test_1_a_known_user_is_returned(self) -> None:
        user = await (await self.make()).authenticate(*await self.known())

        assert isinstance(user, User)

    async def test_1_who_shows_nothing_known_is_refused_or_a_guest(self) -> None:
        user = await _asked(await self.make(), Credentials(), self.handshake())

        assert user is None or user.guest

    async def test_1_what_has_expired_is_refused_as_that(self) -> None:
        shown = await self.expired()
        if shown is None:
            return
        problem: Exception | None = None
        try:
            await (await self.make()).authenticate(*shown)
        except Exception as exc:  # noqa: BLE001 - it is what the test is about
            problem = exc

        assert isinstance(problem, TokenExpired)

    # ---- 2: nothing else comes out ----

    async def test_2_the_user_is_one_that_the_chat_takes(self) -> None:
        authenticator, shown = await self.make(), await self.known()

        taken = await Asking().ask(authenticator, *shown)

        if not self.single_use:
            assert taken.id == (await authenticator.authenticate(*shown)).id

    async def test_2_tokens_that_nobody_made_are_refused_and_raise_nothing_else(self) -> None:
        authenticator = await self.make()
        for token in HOSTILE:
            assert await _asked(authenticator, Credentials(token), self.handshake()) is None, token

    async def test_2_a_known_token_is_refused_when_it_was_changed(self) -> None:
        authenticator, (credentials, handshake) = await self.make(), await self.known()
        token = credentials.token
        if token is None:
            return
        for changed in (token[:-1], token[1:], token + "x", token[: len(token) // 2]):
            assert await _asked(authenticator, Credentials(changed), handshake) is None, changed

    # ---- 3: at any time ----

    async def test_3_the_same_credentials_are_the_same_user_again(self) -> None:
        authenticator, shown = await self.make(), await self.known()

        users = [await _asked(authenticator, *shown) for _ in range(3)]

        known = [user.id for user in users if user is not None]
        assert len(known) == (1 if self.single_use else 3)
        assert len(set(known)) == 1

    async def test_3_many_can_be_asked_for_at_once(self) -> None:
        authenticator, shown = await self.make(), await self.known()

        users = await asyncio.gather(*(_asked(authenticator, *shown) for _ in range(10)))

        known = [user.id for user in users if user is not None]
        assert len(known) == (1 if self.single_use else 10)
        assert len(set(known)) == 1

    # ---- 4: without a token ----

    async def test_4_a_request_is_refused_without_a_look_at_its_token_only_if_no_token_would_help(
        self,
    ) -> None:
        authenticator, (credentials, handshake) = await self.make(), await self.known()
        without = Unseen()
        if await _asked(authenticator, without, handshake) is None and credentials.token is not None:
            assert without.looked


async def _asked(authenticator: Authenticator, credentials: Credentials, handshake: Handshake) -> User | None:
    """The user; None if the authenticator refuses. Raises whatever else it raises."""
    try:
        return await authenticator.authenticate(credentials, handshake)
    except Unauthenticated:
        return None
