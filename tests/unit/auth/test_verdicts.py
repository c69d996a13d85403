"""Which verified tokens are remembered, and for how long."""

from __future__ import annotations

import time

import pytest

from sanic_chatrooms.auth import verdicts as module
from sanic_chatrooms.auth.jwt import JWTAuth
from sanic_chatrooms.auth.verdicts import Verdicts
from sanic_chatrooms.errors import TokenExpired, Unauthenticated
from sanic_chatrooms.models import Credentials, Handshake, User
from tests.support.keys import pem, private_key, signed

ADA = User("u1", "Ada")
HANDSHAKE = Handshake("/chat/ws", {}, {}, {}, "127.0.0.1", secure=True)


def test_a_verdict_is_remembered_until_its_time() -> None:
    now = [100.0]
    verdicts = Verdicts(lambda: now[0])
    verdicts.put("t", 0, ADA, 110.0)

    assert verdicts.get("t", 0) is ADA
    assert verdicts.get("T", 0) is None
    now[0] = 110.0
    assert verdicts.get("t", 0) is None
    assert len(verdicts) == 0


def test_a_verdict_ends_with_the_keys() -> None:
    verdicts = Verdicts(lambda: 0.0)
    verdicts.put("t", 0, ADA, 110.0)

    assert verdicts.get("t", 1) is None
    assert len(verdicts) == 0


def test_the_least_recently_shown_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_VERDICTS", 2)
    verdicts = Verdicts(lambda: 0.0)
    for token in "ab":
        verdicts.put(token, 0, ADA, 1.0)
    assert verdicts.get("a", 0)
    verdicts.put("c", 0, ADA, 1.0)

    assert [verdicts.get(token, 0) is not None for token in "abc"] == [True, False, True]


def test_large_tokens_are_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 100)
    verdicts = Verdicts(lambda: 0.0)
    for token in ("a" * 60, "b" * 60, "c" * 30, "c" * 30):
        verdicts.put(token, 0, ADA, 1.0)

    assert len(verdicts) == 2


async def test_a_token_is_verified_once(monkeypatch: pytest.MonkeyPatch) -> None:
    key = private_key("ES256")
    auth, token = JWTAuth(public_key=pem(key)), signed(key, "ES256")
    first = await auth.authenticate(Credentials(token), HANDSHAKE)
    monkeypatch.setattr("sanic_chatrooms.auth.jwt.verify", None)  # whoever calls it fails

    assert await auth.authenticate(Credentials(token), HANDSHAKE) == first


async def test_the_times_of_a_known_token_are_looked_at_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    key = private_key("ES256")
    auth, token = JWTAuth(public_key=pem(key), leeway=0), signed(key, "ES256", exp=int(time.time()) + 60)
    await auth.authenticate(Credentials(token), HANDSHAKE)
    later = time.time() + 61
    monkeypatch.setattr(time, "time", lambda: later)

    with pytest.raises(TokenExpired):
        await auth.authenticate(Credentials(token), HANDSHAKE)


async def test_refusals_are_not_remembered() -> None:
    key = private_key("ES256")
    auth = JWTAuth(public_key=pem(key))
    with pytest.raises(Unauthenticated):
        await auth.authenticate(Credentials(signed(private_key("ES256", 2), "ES256")), HANDSHAKE)

    assert auth._verdicts is not None
    assert len(auth._verdicts) == 0
