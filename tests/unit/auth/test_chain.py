"""Which authenticator of a chain decides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from sanic_chatrooms.auth.asking import Unseen
from sanic_chatrooms.auth.base import Authenticator
from sanic_chatrooms.auth.chain import Chain
from sanic_chatrooms.auth.host_session import HostSession
from sanic_chatrooms.auth.jwt import JWTAuth
from sanic_chatrooms.auth.tickets import Tickets
from sanic_chatrooms.errors import (
    ChatError,
    ConfigError,
    Forbidden,
    TokenExpired,
    Unauthenticated,
    Unavailable,
)
from sanic_chatrooms.models import Credentials, Handshake, User
from tests.unit.auth.test_jwt import token

HANDSHAKE = Handshake("/chat/ws", {}, {}, {}, "127.0.0.1", secure=True, request="r")
ONE, TWO = "one-secret-of-thirty-two-bytes-or-more", "two-secret-of-thirty-two-bytes-or-more"


class Says(Authenticator):
    def __init__(self, answer: User | Exception, *, reads_tokens: bool = True) -> None:
        self.answer = answer
        self.reads_tokens = reads_tokens  # type: ignore[misc]
        self.asked = 0
        self.stopped = False

    async def authenticate(self, credentials: Credentials, handshake: Handshake) -> User:
        self.asked += 1
        if isinstance(self.answer, User):
            return self.answer
        raise self.answer

    async def stop(self) -> None:
        self.stopped = True


ADA, BOB = User("ada", "Ada"), User("bob", "Bob")


async def ask(chain: Chain, shown: str | None) -> User:
    return await chain.authenticate(Credentials(shown), HANDSHAKE)


async def test_the_first_that_knows_the_credentials_decides() -> None:
    third = Says(BOB)

    assert await ask(Chain(Says(Unauthenticated()), Says(ADA), third), "t") == ADA
    assert third.asked == 0


@pytest.mark.parametrize("final", [TokenExpired(), Forbidden(), ChatError("no"), KeyError("bug")])
async def test_every_other_error_is_final(final: Exception) -> None:
    with pytest.raises(type(final)):
        await ask(Chain(Says(final), Says(ADA)), "t")


async def test_who_cannot_tell_now_is_not_in_the_way_of_others() -> None:
    assert await ask(Chain(Says(Unavailable()), Says(ADA)), "t") == ADA
    with pytest.raises(Unavailable):
        await ask(Chain(Says(Unavailable()), Says(Unauthenticated())), "t")


async def test_a_token_is_not_made_good_by_a_cookie() -> None:
    session = HostSession(lambda request: ADA)

    with pytest.raises(Unauthenticated):
        await ask(Chain(session, JWTAuth(ONE)), "nonsense")
    with pytest.raises(Unauthenticated):
        await ask(Chain(session), "nonsense")
    assert await ask(Chain(JWTAuth(ONE), session), None) == ADA


async def test_tokens_of_two_issuers_find_their_own() -> None:
    chain = Chain(JWTAuth(ONE), JWTAuth(TWO))

    assert (await ask(chain, token(key=ONE, sub="a"))).id == "a"
    assert (await ask(chain, token(key=TWO, sub="b"))).id == "b"
    with pytest.raises(Unauthenticated):
        await ask(chain, token(key="3" * 32))


FINAL: dict[str, Callable[[], str]] = {
    "another audience": lambda: token(key=ONE, aud="elsewhere"),
    "a refresh token": lambda: token(key=ONE, typ="Refresh"),
    "no exp": lambda: token(key=ONE, exp=...),
    "the id of a guest": lambda: token(key=ONE, sub="guest-1"),
    "no mfa": lambda: token(key=ONE),
    "expired": lambda: token(key=ONE, exp=1),
}


@pytest.mark.parametrize("name", FINAL)
async def test_a_refusal_is_final_where_the_token_was_made_for_the_one_that_refuses(name: str) -> None:
    second = Says(BOB)

    with pytest.raises(Unauthenticated):
        await ask(Chain(JWTAuth(ONE, required_amr=["mfa"]), second), FINAL[name]())
    assert second.asked == 0


async def test_without_a_token_it_is_known_whether_one_would_help() -> None:
    for chain, helps in ((Chain(HostSession(lambda r: None)), False), (Chain(Tickets(), JWTAuth(ONE)), True)):
        nothing = Unseen()
        with pytest.raises(Unauthenticated):
            await chain.authenticate(nothing, HANDSHAKE)
        assert bool(nothing.looked) is helps


async def test_a_chain_in_a_chain_is_as_its_members() -> None:
    inner = Chain(Tickets(), HostSession(lambda r: ADA))
    chain = Chain(JWTAuth(ONE), inner)

    assert [type(one) for one in chain.members] == [JWTAuth, Tickets, HostSession]
    assert (inner.reads_tokens, chain.reads_tokens) == (False, True)
    assert await ask(chain, None) == ADA


async def test_all_are_stopped() -> None:
    parts = [Says(ADA), Says(BOB)]
    await Chain(*parts).stop()

    assert all(part.stopped for part in parts)


@pytest.mark.parametrize("wrong", [(), ("x",), (JWTAuth,), (JWTAuth(ONE), None)])
def test_anything_else_is_a_config_error(wrong: Any) -> None:
    with pytest.raises(ConfigError, match="Chain"):
        Chain(*wrong)


# ---- the session of the app ----


class Request:
    ctx: ClassVar[dict[str, User]] = {"user": ADA}


async def test_the_session_of_the_app_is_asked_with_the_request() -> None:
    asked = []

    async def load(request: Any) -> User | None:
        asked.append(request)
        return ADA

    assert await HostSession(load).authenticate(Credentials(), HANDSHAKE) == ADA
    assert asked == ["r"]


async def test_nobody_signed_in_is_refused_and_no_token_would_help() -> None:
    nothing = Unseen()
    with pytest.raises(Unauthenticated, match="sign in"):
        await HostSession(lambda request: None).authenticate(nothing, HANDSHAKE)
    assert not nothing.looked


async def test_without_a_request_nobody_is_signed_in() -> None:
    bare = Handshake("/chat/ws", {}, {}, {}, "127.0.0.1", secure=True)

    with pytest.raises(Unauthenticated):
        await HostSession(lambda request: ADA).authenticate(Credentials(), bare)


def test_load_must_be_a_function() -> None:
    with pytest.raises(ConfigError, match="load"):
        HostSession("load")  # type: ignore[arg-type]
