"""More than a hundred hostile tokens: one and the same answer, to the byte."""

from __future__ import annotations

import base64
import hmac
import json
import time
from typing import Any

import pytest
from sanic import Sanic

from sanic_chatrooms import Chain, JWTAuth
from tests.support.fixtures import Connect, Live
from tests.support.keys import jwk, pem, private_key, signed
from tests.support.wire import mount
from tests.unit.auth.test_guests import forged
from tests.unit.auth.test_jwt import KEY, REFUSED, b64
from tests.unit.auth.test_jwt import token as hs_token

App = Sanic[Any, Any]
RSA, OTHER = private_key("RSA"), private_key("RSA", 2)


def by_public_key() -> dict[str, str]:
    """Tokens that look as if the public key had signed them."""
    whole = signed(RSA, "RS256")
    head, body, mac = whole.split(".")
    text = pem(RSA)
    hs = b64(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    admin = b64(json.dumps({"sub": "admin", "exp": time.time() + 600}).encode())
    confused = hmac.digest(text.encode(), f"{hs}.{admin}".encode(), "sha256")
    embedded = {"jwk": jwk(OTHER), "jku": "http://127.0.0.1:9/keys", "x5u": "http://127.0.0.1:9/cert"}
    return {
        "HS256 with the public key": f"{hs}.{admin}.{b64(confused)}",
        "another key": signed(OTHER, "RS256"),
        "another key, embedded": signed(OTHER, "RS256", header=embedded),
        "a claim exchanged": f"{head}.{admin}.{mac}",
        "the algorithm exchanged": ".".join((b64(b'{"alg":"PS256"}'), body, mac)),
        "ES256 with another curve": signed(private_key("ES256"), "ES256"),
        "EdDSA": signed(private_key("Ed25519"), "EdDSA"),
        "kid that climbs, of another key": signed(OTHER, "RS256", kid="../../../../dev/null"),
        "kid with SQL, of another key": signed(OTHER, "RS256", kid="' OR 1=1 --"),
        "a refresh token": signed(RSA, "RS256", typ="Refresh"),
        "an identity token": signed(RSA, "RS256", token_use="id"),
        "a logout token": signed(RSA, "RS256", header={"typ": "logout+jwt"}),
        "crit": signed(RSA, "RS256", header={"crit": ["exp"]}),
        "another audience": signed(RSA, "RS256", aud="elsewhere"),
        "no exp": signed(RSA, "RS256", exp=...),
        "exp 1e20": signed(RSA, "RS256", exp=1e20),
        "sub empty": signed(RSA, "RS256", sub=""),
        "sub of a guest": signed(RSA, "RS256", sub="guest-1"),
        "amr of numbers": signed(RSA, "RS256", amr=[1]),
        "signature empty": f"{head}.{body}.",
        "signature of zeros": f"{head}.{body}.{b64(bytes(256))}",
        "padded": f"{head}=.{body}.{mac}",
        "a guest token of another secret": forged(key="x" * 40),
        "not valid yet": signed(RSA, "RS256", nbf=int(time.time()) + 600),
        "issued in the future": signed(RSA, "RS256", iat=int(time.time()) + 600),
    }


def tokens() -> dict[str, str]:
    of_secret = {name: text for name, make in REFUSED.items() if (text := make()) is not None}
    return {**of_secret, **by_public_key()}


@pytest.fixture
def chat(app: App) -> Any:
    return mount(app, guests=True, auth=Chain(JWTAuth(KEY), JWTAuth(public_key=pem(RSA))))


def fits_a_header(text: str) -> bool:
    return text.isascii() and text.isprintable() and 0 < len(text) < 7000 and text.strip() == text


async def test_the_valid_ones_are_accepted(chat: Any, connect: Connect) -> None:
    for shown in (hs_token(), signed(RSA, "RS256"), signed(RSA, "PS512")):
        await (await connect(token=shown)).expect("welcome")


async def test_every_hostile_token_gets_the_same_answer_in_the_handshake(
    chat: Any, connect: Connect, live: Live
) -> None:
    await live()
    hostile = {name: text for name, text in tokens().items() if fits_a_header(text)}
    answers = set()
    for text in hostile.values():
        answer = await connect.refused(token=text)
        headers = tuple((key, value) for key, value in answer.headers.items() if key != "date")
        answers.add((answer.status, headers, answer.body))

    assert len(hostile) >= 100
    assert len(answers) == 1
    [(status, _, body)] = answers
    assert status == 401
    told = json.loads(body)
    assert (told["code"], told["detail"]) == (
        "unauthenticated",
        "this token is not accepted here; get a new one",
    )


async def test_every_hostile_token_gets_the_same_answer_to_auth(app: App, connect: Connect) -> None:
    mount(app, guests=False, auth=Chain(JWTAuth(KEY), JWTAuth(public_key=pem(RSA))))
    hostile = {name: text for name, text in tokens().items() if _is_unicode(text) and text}
    answers = set()
    for text in hostile.values():
        client = await connect()
        error = await client.error("auth", payload={"token": text})
        answers.add((json.dumps(error, sort_keys=True), await client.closed()))

    assert len(hostile) >= 100
    assert len(answers) == 1
    assert {code for _, (code, _) in answers} == {4500}


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text  # a frame with it is refused as such


def test_there_are_enough_of_them() -> None:
    assert len(tokens()) >= 120
    assert len({base64.b64encode(text.encode(errors="replace")) for text in tokens().values()}) >= 110
