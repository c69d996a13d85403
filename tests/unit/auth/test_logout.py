"""Logout tokens of identity providers: what is one, and what is none."""

from __future__ import annotations

import time
from typing import Any

import pytest

from sanic_chatrooms.auth.jwt import JWTAuth
from sanic_chatrooms.auth.logout import read_logout
from sanic_chatrooms.errors import Unauthenticated
from tests.support.keys import pem, private_key, signed

KEY = private_key("ES256")
EVENT: dict[str, Any] = {"http://schemas.openid.net/event/backchannel-logout": {}}


def logout(*, typ: str = "logout+jwt", key: Any = KEY, **changes: Any) -> str:
    now = int(time.time())
    claims = {
        "iss": "https://login.example",
        "aud": "shop",
        "jti": "j1",
        "iat": now,
        "events": EVENT,
        "name": ...,
        **changes,
    }
    return signed(key, "ES256", header={"typ": typ}, **claims)


def auth(**about: Any) -> JWTAuth:
    return JWTAuth(public_key=pem(KEY), audience="shop", issuer="https://login.example", **about)


async def test_a_logout_names_the_sign_in_or_else_the_user() -> None:
    by_user = await read_logout(auth(), logout())
    by_sid = await read_logout(auth(), logout(sid="s1"))
    by_sid_alone = await read_logout(auth(), logout(sid="s1", sub=...))

    assert (by_user.user, by_user.sid) == ("u1", None)
    assert (by_sid.user, by_sid.sid) == (by_sid_alone.user, by_sid_alone.sid) == (None, "s1")
    assert by_user.id == "https://login.example j1"
    assert by_user.issued_at == pytest.approx(time.time(), abs=5)


async def test_the_id_of_the_client_may_be_another_than_the_audience_of_tokens() -> None:
    assert (await read_logout(auth(), logout(aud="client"), ["client"])).user == "u1"


@pytest.mark.parametrize(
    "changes",
    [
        {"typ": "JWT"}, {"typ": "at+jwt"}, {"typ": ""}, {"key": private_key("ES256", 2)}, {"aud": "elsewhere"}, {"aud": ...},
        {"iss": "https://evil.example"}, {"iss": ...}, {"events": ...}, {"events": {}}, {"events": [*EVENT]}, {"events": "x"},
        {"events": {next(iter(EVENT)): 1}}, {"nonce": "n"}, {"nonce": None}, {"jti": ...}, {"jti": ""}, {"jti": []},
        {"iat": ...}, {"iat": time.time() + 3600}, {"exp": ...}, {"exp": time.time() - 60}, {"exp": "never"},
        {"sub": ...}, {"sub": ""}, {"sub": 7}, {"sub": ..., "sid": 1.5}, {"sub": "guest-1"},
    ],
)  # fmt: skip
async def test_anything_else_is_none(changes: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated):
        await read_logout(auth(), logout(**changes))


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "x" * 9000])
async def test_nor_is_what_is_no_token(token: str) -> None:
    with pytest.raises(Unauthenticated):
        await read_logout(auth(), token)


async def test_a_sub_that_is_not_the_users_id_is_of_no_use() -> None:
    other = auth(user_claim="preferred_username")

    with pytest.raises(Unauthenticated, match="sid"):
        await read_logout(other, logout())
    assert (await read_logout(other, logout(sid="s1"))).sid == "s1"


async def test_a_logout_token_is_no_access_token_and_the_other_way_round() -> None:
    from sanic_chatrooms.models import Credentials, Handshake

    with pytest.raises(Unauthenticated):
        await auth().authenticate(Credentials(logout()), Handshake("/", {}, {}, {}, "127.0.0.1", secure=True))
