"""When keys of an identity provider are asked for, and when a login does not wait for that."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sanic_chatrooms.auth.fetch import Fetched, Fetcher
from sanic_chatrooms.auth.jwks import ASK_AGAIN, REFRESH, STALE, Jwks
from sanic_chatrooms.auth.jwt import JWTAuth
from sanic_chatrooms.auth.keys import ASYMMETRIC, Key
from sanic_chatrooms.auth.public_keys import jwk_keys
from sanic_chatrooms.errors import ConfigError, Unauthenticated, Unavailable
from sanic_chatrooms.models import Credentials, Handshake, User
from tests.support.keys import jwk, private_key, signed

HANDSHAKE = Handshake("/chat/ws", {}, {}, {}, "127.0.0.1", secure=True)
ALL = frozenset(ASYMMETRIC)


class Provider(Fetcher):
    """An identity provider in memory."""

    def __init__(self) -> None:
        super().__init__("https://login.example/keys")
        self.kids: list[str] = ["a"]
        self.asked: list[str | None] = []
        self.down: Exception | None = None
        self.extra: Any = None
        self.gate: Callable[[], Awaitable[None]] | None = None

    async def get(self, etag: str | None) -> Fetched:
        self.asked.append(etag)
        document, tag = self.document(), f'"{",".join(self.kids)}"'
        if self.gate is not None:
            await self.gate()
        if self.down is not None:
            raise self.down
        if etag == tag:
            return Fetched(None, tag)
        return Fetched(document, tag)

    def document(self) -> bytes:
        if self.extra is not None:
            return json.dumps(self.extra).encode()
        return json.dumps({"keys": [jwk(key_of(kid), kid=kid) for kid in self.kids]}).encode()


def key_of(kid: str) -> Any:
    return private_key("Ed25519", hash(kid))


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def jwks(provider: Provider, clock: Clock) -> Jwks:
    return Jwks(
        "https://login.example/keys",
        lambda entries: jwk_keys(entries, ALL),
        fetcher=provider,
        clock=clock,
    )


async def ids(jwks: Jwks, kid: str | None, algorithm: str = "EdDSA") -> list[str | None]:
    return [key.id for key in await jwks.fitting(kid, algorithm)]


async def background(jwks: Jwks) -> None:
    while jwks._flight is not None:
        await asyncio.wait([jwks._flight])


async def test_the_first_token_fetches_the_keys_and_the_next_do_not(jwks: Jwks, provider: Provider) -> None:
    assert await ids(jwks, "a") == ["a"]
    assert await ids(jwks, "a") == ["a"]

    assert provider.asked == [None]


async def test_all_who_come_at_once_wait_for_one_request(jwks: Jwks, provider: Provider) -> None:
    found = await asyncio.gather(*(ids(jwks, "a") for _ in range(1000)))

    assert found == [["a"]] * 1000
    assert len(provider.asked) == 1


async def test_ten_thousand_unknown_keys_are_one_request_in_thirty_seconds(
    jwks: Jwks, provider: Provider, clock: Clock
) -> None:
    await ids(jwks, "a")
    for _ in range(10):
        found = await asyncio.gather(*(ids(jwks, f"{random.random()}") for _ in range(1000)))
        assert found == [[]] * 1000
        clock.now += 2.9
    assert len(provider.asked) == 2

    clock.now += ASK_AGAIN
    await asyncio.gather(*(ids(jwks, f"{random.random()}") for _ in range(1000)))
    assert len(provider.asked) == 3


async def test_unknown_keys_from_the_start_are_one_request_too(jwks: Jwks, provider: Provider) -> None:
    assert await asyncio.gather(*(ids(jwks, f"{n}") for n in range(1000))) == [[]] * 1000

    assert len(provider.asked) == 1
    assert await ids(jwks, "a") == ["a"]
    assert len(provider.asked) == 1


async def test_no_valid_token_is_refused_while_keys_are_rotated_under_load(
    jwks: Jwks, provider: Provider, clock: Clock
) -> None:
    refused = 0
    for n in range(20):  # each a second after the one before
        provider.kids = [f"k{n - 1}", f"k{n}"]
        clock.now += 1
        for found in await asyncio.gather(*(ids(jwks, kid) for kid in provider.kids * 25)):
            refused += not found

    assert refused == 0
    assert len(provider.asked) == 20


async def test_a_key_that_is_newer_than_the_request_under_way_is_asked_for_once_more(
    jwks: Jwks, provider: Provider
) -> None:
    opened = asyncio.Event()
    provider.gate = opened.wait  # type: ignore[assignment]
    first = asyncio.ensure_future(ids(jwks, "a"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    provider.kids = ["a", "b"]
    provider.gate = None
    second = asyncio.ensure_future(ids(jwks, "b"))
    await asyncio.sleep(0)
    opened.set()

    assert (await first, await second) == (["a"], ["b"])
    assert len(provider.asked) == 2


async def test_known_keys_are_refreshed_in_the_background(
    jwks: Jwks, provider: Provider, clock: Clock
) -> None:
    await ids(jwks, "a")
    clock.now += REFRESH
    provider.gate = asyncio.Event().wait  # type: ignore[assignment]

    assert await asyncio.wait_for(ids(jwks, "a"), 30) == ["a"]

    assert jwks._flight is not None
    await jwks.stop()


async def test_a_refresh_says_what_is_known_already(jwks: Jwks, provider: Provider, clock: Clock) -> None:
    await ids(jwks, "a")
    clock.now += REFRESH
    await ids(jwks, "a")
    await background(jwks)

    assert provider.asked == [None, '"a"']
    assert await ids(jwks, "a") == ["a"]


async def test_a_key_that_the_provider_withdrew_is_gone_with_the_next_refresh(
    jwks: Jwks, provider: Provider, clock: Clock
) -> None:
    await ids(jwks, "a")
    version = jwks.version
    provider.kids = ["b"]
    clock.now += REFRESH
    await ids(jwks, "a")
    await background(jwks)

    assert await ids(jwks, "a") == []
    assert jwks.version == version + 1


@pytest.mark.parametrize("down", [OSError("status 500"), TimeoutError(), ValueError("x"), RuntimeError("?")])
async def test_who_has_a_known_key_gets_in_while_the_provider_is_down(
    jwks: Jwks, provider: Provider, clock: Clock, down: Exception
) -> None:
    await ids(jwks, "a")
    provider.down = down
    for _ in range(60):
        clock.now += 60
        assert await ids(jwks, "a") == ["a"]
        await background(jwks)

    provider.down = None
    clock.now += 60
    await ids(jwks, "a")
    await background(jwks)
    assert jwks._retry == 1


async def test_stale_keys_are_good_for_a_day(jwks: Jwks, provider: Provider, clock: Clock) -> None:
    await ids(jwks, "a")
    provider.down = OSError("status 503")
    clock.now += STALE - 1
    assert await ids(jwks, "a") == ["a"]
    await background(jwks)

    clock.now += ASK_AGAIN
    with pytest.raises(Unavailable):
        await ids(jwks, "a")


async def test_without_any_key_nobody_is_told_that_their_token_is_wrong(
    jwks: Jwks, provider: Provider, clock: Clock
) -> None:
    provider.down = OSError("status 500")
    for _ in range(100):
        with pytest.raises(Unavailable):
            await ids(jwks, "a")
    assert len(provider.asked) == 1

    provider.down = None
    clock.now += 1.1
    assert await ids(jwks, "a") == ["a"]


async def test_failures_are_asked_again_less_and_less_often(
    jwks: Jwks, provider: Provider, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    provider.down = OSError("status 500")
    for _ in range(300):
        with pytest.raises(Unavailable):
            await ids(jwks, "a")
        clock.now += 1

    assert len(provider.asked) <= 15
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "status 500" in record.getMessage()


@pytest.mark.parametrize(
    "document",
    [
        [], None, {}, {"keys": None}, {"keys": []}, {"keys": {}}, {"keys": [{"kty": "oct", "k": "AAAA"}]},
        {"keys": [jwk(key_of(str(n)), kid=str(n)) for n in range(33)]},
    ],
)  # fmt: skip
async def test_a_document_that_is_no_key_set_changes_nothing(
    jwks: Jwks, provider: Provider, clock: Clock, document: Any
) -> None:
    await ids(jwks, "a")
    provider.extra, provider.kids = document if document is not None else 7, ["b"]
    clock.now += REFRESH
    await ids(jwks, "a")
    await background(jwks)

    assert await ids(jwks, "a") == ["a"]
    assert await ids(jwks, "b") == []


async def test_a_token_without_kid_is_tried_with_a_few_keys(jwks: Jwks, provider: Provider) -> None:
    provider.kids = [f"k{n}" for n in range(9)]

    assert len(await ids(jwks, None)) == 4


async def test_two_keys_of_one_name_are_both_tried(jwks: Jwks, provider: Provider) -> None:
    provider.extra = {"keys": [jwk(private_key("RSA"), kid="a"), jwk(private_key("RSA", 2), kid="a")]}

    assert await ids(jwks, "a", "RS256") == ["a", "a"]


async def test_it_stops_while_a_request_is_under_way_and_can_be_asked_again(
    jwks: Jwks, provider: Provider
) -> None:
    provider.gate = asyncio.Event().wait  # type: ignore[assignment]
    waiting = asyncio.ensure_future(ids(jwks, "a"))
    await asyncio.sleep(0)

    await jwks.stop()
    with pytest.raises(Unavailable):
        await waiting

    provider.gate = None
    assert await ids(jwks, "a") == ["a"]


@pytest.mark.parametrize(
    "url",
    [
        "http://login.example/keys", "ftp://login.example/keys", "file:///etc/passwd", "https://", "login.example",
        "https://ada:pw@login.example/k", "https://login.example:port/k", "http://127.0.0.1.example/k", "",
        "http://10.0.0.1/k", "https://login.example/k#x", "https://[::1/k", "//login.example/k",
    ],
)  # fmt: skip
def test_only_https_is_asked_and_http_on_this_machine(url: str) -> None:
    with pytest.raises(ConfigError, match="JWT_JWKS_URL"):
        JWTAuth(jwks_url=url)


@pytest.mark.parametrize(
    "url",
    ["https://a/k", "http://127.0.0.1:8/k", "http://[::1]/k", "http://localhost/k", "http://127.9.9.9/k"],
)
def test_these_are(url: str) -> None:
    JWTAuth(jwks_url=url)


# ---- an authenticator on top of it ----


def auth_with(jwks: Jwks, **about: Any) -> JWTAuth:
    auth = JWTAuth(jwks_url="https://login.example/keys", **about)
    auth._keys = jwks
    return auth


async def ask(auth: JWTAuth, token: str) -> User:
    return await auth.authenticate(Credentials(token), HANDSHAKE)


async def test_a_token_is_verified_with_the_key_that_it_names(jwks: Jwks, provider: Provider) -> None:
    provider.kids = ["a", "b"]
    auth = auth_with(jwks)

    assert (await ask(auth, signed(key_of("b"), "EdDSA", kid="b"))).id == "u1"
    with pytest.raises(Unauthenticated):
        await ask(auth, signed(key_of("b"), "EdDSA", kid="a"))
    assert (await ask(auth, signed(key_of("b"), "EdDSA"))).id == "u1"


async def test_a_known_token_of_a_withdrawn_key_is_refused(
    jwks: Jwks, provider: Provider, clock: Clock
) -> None:
    auth, token = auth_with(jwks), signed(key_of("a"), "EdDSA", kid="a")
    await ask(auth, token)
    provider.kids = ["b"]
    clock.now += REFRESH
    await ids(jwks, "a")
    await background(jwks)

    with pytest.raises(Unauthenticated):
        await ask(auth, token)


async def test_a_known_token_gets_in_long_after_the_last_answer_of_the_provider(
    jwks: Jwks, provider: Provider, clock: Clock
) -> None:
    auth, token = auth_with(jwks), signed(key_of("a"), "EdDSA", kid="a")
    await ask(auth, token)
    provider.down = OSError("status 500")
    clock.now += 3600

    assert (await ask(auth, token)).id == "u1"
    assert (await ask(auth, signed(key_of("a"), "EdDSA", kid="a", sub="u2"))).id == "u2"
    await background(jwks)


@pytest.mark.parametrize("shown", ["HS256", "iss"])
async def test_a_token_that_cannot_be_from_there_asks_the_provider_nothing(
    jwks: Jwks, provider: Provider, shown: str
) -> None:
    auth = auth_with(jwks, issuer="https://login.example")
    token = (
        signed("s" * 32, "HS256", kid="x", iss="https://login.example")
        if shown == "HS256"
        else signed(key_of("a"), "EdDSA", kid="a", iss="https://evil.example")
    )

    with pytest.raises(Unauthenticated):
        await ask(auth, token)
    assert provider.asked == []


def test_two_providers_share_no_keys() -> None:
    one, two = (JWTAuth(jwks_url=f"https://{name}.example/k") for name in ("a", "b"))

    assert one._keys is not two._keys


def test_keys_show_no_material() -> None:
    assert repr(Key(b"secret", frozenset(("HS256",)), "a")) == "Key('a', ['HS256'])"
