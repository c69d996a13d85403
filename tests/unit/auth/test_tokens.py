"""Plain tokens are accepted without PyJWT, and every verdict is the one that PyJWT gives."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Any

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sanic_chatrooms.auth import tokens
from sanic_chatrooms.auth.keys import Key
from sanic_chatrooms.auth.tokens import read_header, verify
from sanic_chatrooms.errors import Unauthenticated
from tests.unit.auth.test_guests import SECRET, forged
from tests.unit.auth.test_jwt import ACCEPTED, HASHES, KEY, LONG_KEY, OTHER_KEY, REFUSED, b64, sign, token

KEYS = [
    *(Key(key.encode(), frozenset(("HS256",))) for key in (OTHER_KEY, KEY, SECRET)),
    Key(LONG_KEY.encode(), frozenset(HASHES)),
]
HEADERS = (
    '{"alg":"HS256"}', '{"alg":"HS256","b64":false}', '{"alg":"HS256","b64":true}', '{"alg":"HS256","kid":"k"}',
    '{"alg":"HS256","kid":7}', '{"alg":"none"}', "[]", '{"alg":"HS256","crit":["b64"],"b64":false}',
)  # fmt: skip
PAYLOADS: tuple[bytes, ...] = (
    b"", b"{}", b"[]", b"null", b'""', b"1", b"{", b'{"sub":"u1"} ', b'\xef\xbb\xbf{"sub":"u1"}', b'{"a":NaN}',
    b'{"a":1e400,"b":-0,"c":-0.0,"d":1E2,"e":123456789012345678901234567890}', b'{"a":"\\ud800"}', b'{"a":1,"a":2}',
    b'{"a":"\xff"}', b'{"a":"\xed\xa0\x80"}', b'{"a":"\x00"}', b'{"a":"\xc3\xa9"}', b"{'a':1}", b'{"a":1,}', b'{"a":01}',
    b'{"exp":' + b"1" * 5000 + b"}", b'{"a":' + b"[" * 3000, '{"sub":"u1"}'.encode("utf-16"), '{"sub":"u1"}'.encode("utf-32"),
    b'{"aud":null}', b'{"aud":""}', b'{"aud":[]}', b'{"aud":"a"}', b'{"aud":["a","z"]}', b'{"aud":["z"]}', b'{"aud":{"a":1}}',
    b'{"aud":7,"iss":7}', b'{"iss":"i"}', b'{"iss":["i"]}', b'{"iss":"j","aud":"a"}', b'{"iss":"i","aud":"a"}',
)  # fmt: skip


SPELLINGS = (
    "e30=",
    "e30==",
    "e30===",
    "e31",
    "e3",
    "e",
    "",
    "e30.",
    ".e30",
    "e3 0",
    "e3\n0",
    "e30\n",
    "e+/0",
    "é",
    "e30%3D",
)
"""Payloads in base64 that is not as it should be."""


def signed(header: str, payload: str) -> str:
    """A token with any text as its payload."""
    text = f"{b64(header.encode())}.{payload}"
    return f"{text}.{b64(hmac.digest(KEY.encode(), text.encode(), 'sha256'))}"


def corpus() -> list[str]:
    """Sound tokens first, then odd and hostile ones."""
    sound = [
        token(),
        token(key=OTHER_KEY),
        token(key=LONG_KEY, alg="HS512"),
        token(key=LONG_KEY, alg="HS384"),
        forged(),
    ]
    made = [text for make in (*ACCEPTED.values(), *REFUSED.values()) if (text := make()) is not None]
    return [
        *sound,
        *made,
        *(signed(header, text) for header in HEADERS for text in (*map(b64, PAYLOADS), *SPELLINGS)),
    ]


CORPUS = corpus()
Verdict = tuple[Any, ...]


def verdict(text: str, audience: Sequence[str] | None = None, issuer: Sequence[str] | None = None) -> Verdict:
    """What is said of a token, word for word."""
    try:
        header = read_header(text)
        if header.get("alg") not in tuple(HASHES):
            return ("another algorithm", repr(header))
        return ("accepted", repr(header), repr(verify(text, header, KEYS, audience=audience, issuer=issuer)))
    except Unauthenticated as problem:
        return (type(problem), problem.message, getattr(problem, "final", None))


def by_pyjwt(monkeypatch: pytest.MonkeyPatch, text: str, *meant: Sequence[str] | None) -> Verdict:
    """The same, when PyJWT does everything."""
    with monkeypatch.context() as patched:
        patched.setattr(tokens, "_header_of", jwt.get_unverified_header)
        patched.setattr(tokens, "_plainly_signed", lambda *_: None)
        return verdict(text, *meant)


@pytest.mark.parametrize(("audience", "issuer"), [(None, None), (("a", "b"), ("i", "k"))])
def test_every_verdict_is_that_of_pyjwt(
    monkeypatch: pytest.MonkeyPatch, audience: Sequence[str] | None, issuer: Sequence[str] | None
) -> None:
    for text in CORPUS:
        expected = by_pyjwt(monkeypatch, text, audience, issuer)

        assert verdict(text, audience, issuer) == expected, text


SPLICES = st.text("=.-_+/AQgwEI09 \n\0é\ud800", max_size=5)


@settings(deadline=None)
@given(st.sampled_from(CORPUS), st.data())
def test_so_is_that_of_a_token_that_was_tampered_with(text: str, data: st.DataObject) -> None:
    # Mostly at the end of a part, where padding and spare bits are.
    ends = [0, *(at for at, char in enumerate(text) if char == "."), len(text)]
    low = data.draw(st.sampled_from(ends) | st.integers(0, len(text)))
    cut = data.draw(st.integers(-3, 3))
    start, stop = sorted((max(0, low), max(0, low + cut)))
    changed = text[:start] + data.draw(SPLICES) + text[stop:]

    with pytest.MonkeyPatch.context() as monkeypatch:
        assert verdict(changed) == by_pyjwt(monkeypatch, changed)


@pytest.mark.parametrize("text", CORPUS[:5])
def test_plain_token_is_accepted_without_pyjwt(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    assert verdict(text)[0] == "accepted"
    monkeypatch.setattr(jwt, "decode", None)
    monkeypatch.setattr(jwt, "get_unverified_header", None)

    assert verdict(text)[0] == "accepted"


def test_header_of_a_token_is_the_callers_own() -> None:
    read_header(sign('{"alg":"HS256"}', "{}"))["alg"] = "none"

    assert read_header(sign('{"alg":"HS256"}', "{}")) == {"alg": "HS256"}


@pytest.mark.parametrize("algorithm", HASHES)
@settings(deadline=None)
@given(key=st.binary(min_size=1, max_size=300), text=st.binary(max_size=300))
def test_the_mac_of_a_token_is_its_hmac(algorithm: str, key: bytes, text: bytes) -> None:
    assert tokens._mac(key, algorithm)(text) == hmac.digest(key, text, HASHES[algorithm]().name)
