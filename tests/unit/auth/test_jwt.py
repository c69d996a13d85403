import base64
import hashlib
import hmac
import json
import logging
import time
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from sanic_chatrooms.auth.jwt import JWTAuth
from sanic_chatrooms.errors import ConfigError, TokenExpired, Unauthenticated
from sanic_chatrooms.models import Credentials, Handshake, User

KEY = "a-secret-of-thirty-two-bytes-or-more"
OTHER_KEY = "another-secret-of-thirty-two-bytes-or-more"
LONG_KEY = "k" * 64
PEM = (
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEVs/o5+uQbTjL3chynL4wXgUg2R9\n"
    "q9UU8I5mEovUf86QZ7kOBIjJwqnzD1omageEHWwHdBO6B+dFabmdT9POxg==\n"
    "-----END PUBLIC KEY-----\n"
)
HANDSHAKE = Handshake("/chat/ws", {}, {}, {}, "127.0.0.1", secure=False)
HASHES = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(header: str, payload: str, key: str = KEY, alg: str = "HS256") -> str:
    """A token of any header and payload, sound JSON or not."""
    text = f"{b64(header.encode())}.{b64(payload.encode())}"
    return f"{text}.{b64(hmac.digest(key.encode(), text.encode(), HASHES[alg]().name))}"


def claims(**changes: Any) -> dict[str, Any]:
    """Sound claims with these changes; `...` leaves one out."""
    whole = {"sub": "u1", "name": "Ada", "exp": time.time() + 3600, **changes}
    return {name: value for name, value in whole.items() if value is not ...}


def token(*, header: dict[str, Any] | None = None, key: str = KEY, alg: str = "HS256", **changes: Any) -> str:
    return sign(
        json.dumps({"alg": alg, "typ": "JWT", **(header or {})}), json.dumps(claims(**changes)), key, alg
    )


async def ask(auth: JWTAuth, text: str | None) -> User:
    return await auth.authenticate(Credentials(text), HANDSHAKE)


async def refused(auth: JWTAuth, text: str | None) -> Unauthenticated:
    with pytest.raises(Unauthenticated) as caught:
        await ask(auth, text)
    return caught.value


def at_exp(text: str) -> str:
    """A token whose `exp` is written exactly so."""
    return sign('{"alg":"HS256"}', f'{{"sub":"u1","exp":{text}}}')


# ---- what is accepted ----


async def test_user_is_what_the_claims_say() -> None:
    exp = int(time.time()) + 60

    user = await ask(
        JWTAuth(KEY), token(exp=exp, scope="read  write", scopes=["write", "admin"], tenant="t1")
    )

    assert (user.id, user.name, user.guest) == ("u1", "Ada", False)
    assert user.scopes == ("read", "write", "admin")
    assert user.expires_at == exp
    assert isinstance(user.expires_at, float)
    assert user.claims["tenant"] == "t1"


async def test_user_has_what_a_revocation_names() -> None:
    iat = int(time.time()) - 5

    user = await ask(JWTAuth(KEY), token(jti="t1", sid="s1", iat=iat, amr=["pwd", "otp"]))
    bare = await ask(JWTAuth(KEY), token())

    assert (user.jti, user.sid, user.issued_at, user.amr) == ("t1", "s1", float(iat), ("pwd", "otp"))
    assert (bare.jti, bare.sid, bare.issued_at, bare.amr) == (None, None, None, ())


async def test_one_word_as_amr_and_a_number_as_jti_are_taken_as_they_are_meant() -> None:
    user = await ask(JWTAuth(KEY), token(jti=7, amr="pwd"))

    assert (user.jti, user.amr) == ("7", ("pwd",))


ACCEPTED: dict[str, Callable[[], str]] = {
    "no typ": lambda: sign('{"alg":"HS256"}', json.dumps(claims())),
    "typ jwt": lambda: token(header={"typ": "jwt"}),
    "typ at+jwt": lambda: token(header={"typ": "at+jwt"}),
    "typ application/at+jwt": lambda: token(header={"typ": "application/AT+JWT"}),
    "exp with a fraction": lambda: token(exp=time.time() + 60.5),
    "expired within the leeway": lambda: token(exp=time.time() - 5),
    "nbf ahead within the leeway": lambda: token(nbf=time.time() + 5),
    "iat now": lambda: token(iat=time.time()),
    "issuer that nobody asked for": lambda: token(iss="https://login.example"),
    "embedded key, not looked at": lambda: token(header={"jwk": {"kty": "oct", "k": b64(b"x" * 32)}}),
    "key address, not looked at": lambda: token(
        header={"jku": "http://127.0.0.1:1/keys", "x5u": "file:///etc"}
    ),
    "kid that climbs": lambda: token(header={"kid": "../../../../dev/null"}),
    "kid with SQL": lambda: token(header={"kid": "' OR 1=1 --"}),
    "numeric jti": lambda: token(jti=7),
    "access by token_use": lambda: token(token_use="access"),
    "access by typ claim": lambda: token(typ="Bearer"),
    "other claims of any depth": lambda: token(realm_access={"roles": [["a"], {"b": None}]}),
}


@pytest.mark.parametrize("name", ACCEPTED)
async def test_token_is_accepted(name: str) -> None:
    user = await ask(JWTAuth(KEY), ACCEPTED[name]())

    assert user.id == "u1"


async def test_previous_key_still_verifies() -> None:
    auth = JWTAuth(OTHER_KEY, previous_key=KEY)

    assert (await ask(auth, token(key=KEY))).id == "u1"
    assert (await ask(auth, token(key=OTHER_KEY))).id == "u1"


@pytest.mark.parametrize("alg", ["HS384", "HS512"])
async def test_longer_hashes_where_configured(alg: str) -> None:
    auth = JWTAuth(LONG_KEY, algorithms=[alg])

    assert (await ask(auth, token(key=LONG_KEY, alg=alg))).id == "u1"
    assert "algorithm" in (await refused(auth, token(key=LONG_KEY))).message


async def test_user_and_name_claims_can_have_other_names() -> None:
    auth = JWTAuth(KEY, user_claim="uid", name_claim="nickname")

    user = await ask(auth, token(sub=..., uid="u9", nickname="Grace"))

    assert (user.id, user.name) == ("u9", "Grace")


@pytest.mark.parametrize(
    ("claim", "name"),
    [
        (..., "u1"),
        (None, "u1"),
        (7, "u1"),
        ("", "u1"),
        ("\u200b\u202e", "u1"),
        ("\ud800", "u1"),
        ("  Ada\u202e \n Lovelace ", "Ada Lovelace"),
        ("x" * 70, "x" * 64),
    ],
)
async def test_name_is_cleaned_and_never_a_reason_to_refuse(claim: object, name: str) -> None:
    assert (await ask(JWTAuth(KEY), token(name=claim))).name == name


# ---- what is refused ----

NONE = "e30"  # {}
REFUSED: dict[str, Callable[[], str | None]] = {
    "nothing": lambda: None,
    "empty": lambda: "",
    "no JWT": lambda: "hello",
    "two parts": lambda: "a.b",
    "three dots": lambda: "...",
    "no ASCII": lambda: "é.é.é",
    "lone surrogate": lambda: "\ud800.a.b",
    "NUL": lambda: token() + "\0",
    "header is no object": lambda: sign("[]", json.dumps(claims())),
    "header is no JSON": lambda: sign("{", json.dumps(claims())),
    "header nests without end": lambda: f"{b64(b'[' * 4000)}.{NONE}.{NONE}",
    "header with a number of 5,000 digits": lambda: f"{b64(b'1' * 5000)}.{NONE}.{NONE}",
    "payload is no object": lambda: sign('{"alg":"HS256"}', "[]"),
    "payload is no JSON": lambda: sign('{"alg":"HS256"}', "{"),
    "payload nests without end": lambda: sign('{"alg":"HS256"}', "[" * 4000),
    "payload with a number of 5,000 digits": lambda: sign(
        '{"alg":"HS256"}', '{"sub":"u1","exp":%s}' % ("1" * 5000)
    ),
    "8 KiB and more": lambda: token(fill="x" * 8192),
    "alg none, unsigned": lambda: token(header={"alg": "none"}).rsplit(".", 1)[0] + ".",
    "alg none, signed": lambda: token(header={"alg": "none"}),
    "alg None": lambda: token(header={"alg": "None"}).rsplit(".", 1)[0] + ".",
    "alg nOnE": lambda: token(header={"alg": "nOnE"}).rsplit(".", 1)[0] + ".",
    "alg empty": lambda: token(header={"alg": ""}),
    "alg absent": lambda: sign("{}", json.dumps(claims())),
    "alg null": lambda: token(header={"alg": None}),
    "alg a list": lambda: token(header={"alg": ["HS256"]}),
    "alg an object": lambda: token(header={"alg": {}}),
    "alg in lower case": lambda: token(header={"alg": "hs256"}),
    "alg HS512, not configured": lambda: token(key=LONG_KEY, alg="HS512"),
    "alg RS256": lambda: token(header={"alg": "RS256"}),
    "no signature": lambda: token().rsplit(".", 1)[0] + ".",
    "signature cut": lambda: token()[:-4],
    "another key": lambda: token(key=OTHER_KEY),
    "payload exchanged": lambda: ".".join(
        (token().split(".")[0], b64(json.dumps(claims()).encode()), "AAAA")
    ),
    "unknown crit": lambda: token(header={"crit": ["x"], "x": 1}),
    "crit b64": lambda: token(header={"crit": ["b64"], "b64": True}),
    "crit empty": lambda: token(header={"crit": []}),
    "crit null": lambda: token(header={"crit": None}),
    "detached payload": lambda: token(header={"b64": False}),
    "kid a number": lambda: token(header={"kid": 7}),
    "typ of a guest token": lambda: token(header={"typ": "guest+jwt"}),
    "typ of a logout token": lambda: token(header={"typ": "logout+jwt"}),
    "typ a number": lambda: token(header={"typ": 1}),
    "refresh by typ claim": lambda: token(typ="Refresh"),
    "offline by typ claim": lambda: token(typ="Offline"),
    "identity by typ claim": lambda: token(typ="ID"),
    "identity by token_use": lambda: token(token_use="id"),
    "refresh by type": lambda: token(type="refresh"),
    "refresh by token_type": lambda: token(token_type="refresh"),
    "exp absent": lambda: token(exp=...),
    "exp null": lambda: token(exp=None),
    "exp a string": lambda: token(exp=str(int(time.time()) + 60)),
    "exp true": lambda: token(exp=True),
    "exp a list": lambda: token(exp=[1]),
    "exp negative": lambda: token(exp=-1),
    "exp 1e20": lambda: at_exp("1e20"),
    "exp of 400 digits": lambda: at_exp("9" * 400),
    "exp infinite": lambda: at_exp("1e999"),
    "exp Infinity": lambda: at_exp("Infinity"),
    "exp NaN": lambda: at_exp("NaN"),
    "nbf in the future": lambda: token(nbf=time.time() + 60),
    "nbf a string": lambda: token(nbf="0"),
    "nbf null": lambda: token(nbf=None),
    "iat in the future": lambda: token(iat=time.time() + 60),
    "iat a string": lambda: token(iat="yesterday"),
    "iat negative": lambda: token(iat=-5),
    "sub absent": lambda: token(sub=...),
    "sub empty": lambda: token(sub=""),
    "sub null": lambda: token(sub=None),
    "sub a number": lambda: token(sub=7),
    "sub a list": lambda: token(sub=["u1"]),
    "sub with a NUL": lambda: token(sub="u1\0"),
    "sub with a line end": lambda: token(sub="u1\nadmin"),
    "sub with a lone surrogate": lambda: token(sub="\udfff"),
    "sub of 129 characters": lambda: token(sub="u" * 129),
    "aud, none configured": lambda: token(aud="shop"),
    "scope a number": lambda: token(scope=7),
    "scopes a string": lambda: token(scopes="read write"),
    "sub of a guest": lambda: token(sub="guest-9fjV"),
    "sub of a guest and nothing more": lambda: token(sub="guest-"),
    "sub true": lambda: token(sub=True),
    "sub an object": lambda: token(sub={"id": "u1"}),
    "sub with an escape": lambda: token(sub="u1\x1b[2J"),
    "sub with both halves of an emoji": lambda: token(sub="\ud83d\ude00x\ud800"),
    "scopes of numbers": lambda: token(scopes=[1]),
    "scopes of null": lambda: token(scopes=[None]),
    "scopes of lists": lambda: token(scopes=[["a"]]),
    "scopes of objects": lambda: token(scopes=[{}]),
    "scopes an object": lambda: token(scopes={"a": 1}),
    "scopes a number": lambda: token(scopes=7),
    "scopes true": lambda: token(scopes=True),
    "scopes with a lone surrogate": lambda: token(scopes=["\ud800"]),
    "scopes with a lone surrogate among others": lambda: token(scopes=["a", "b\udc80"]),
    "scopes with a NUL": lambda: token(scopes=["a\0"]),
    "scopes with a line end": lambda: token(scopes=["a\nb"]),
    "scopes with an empty one": lambda: token(scopes=[""]),
    "scopes with a long one": lambda: token(scopes=["a" * 257]),
    "scope with a lone surrogate": lambda: token(scope="a \ud800"),
    "scope with a NUL": lambda: token(scope="a\0 b"),
    "scope of numbers in a list": lambda: token(scope=[7]),
    "scope with a lone surrogate in a list": lambda: token(scope=["\udfff"]),
    "scope an object": lambda: token(scope={"chat:write": True}),
    "claims that nest without end": lambda: sign('{"alg":"HS256"}', '{"sub":"u1","x":' + "[" * 3000),
    "typ with a lone surrogate": lambda: token(header={"typ": "\ud800"}),
    "jti a list": lambda: token(jti=["a"]),
    "jti true": lambda: token(jti=True),
    "jti empty": lambda: token(jti=""),
    "jti of 257 characters": lambda: token(jti="x" * 257),
    "sid with a NUL": lambda: token(sid="a\0"),
    "amr a number": lambda: token(amr=7),
    "amr of numbers": lambda: token(amr=[7]),
    "amr with a lone surrogate": lambda: token(amr=["\ud800"]),
    "zip": lambda: token(header={"crit": ["zip"], "zip": "DEF"}),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_token_is_refused(name: str) -> None:
    error = await refused(JWTAuth(KEY), REFUSED[name]())

    assert error.code == "unauthenticated"
    assert not isinstance(error, TokenExpired)


async def test_no_token_asks_for_one() -> None:
    assert "auth with a token" in (await refused(JWTAuth(KEY), None)).message


async def test_number_as_user_is_refused_in_words_that_help() -> None:
    assert "ids as strings" in (await refused(JWTAuth(KEY), token(sub=7))).message


async def test_expired_token_says_so() -> None:
    with pytest.raises(TokenExpired):
        await ask(JWTAuth(KEY), token(exp=time.time() - 11))


async def test_leeway_is_as_configured() -> None:
    with pytest.raises(TokenExpired):
        await ask(JWTAuth(KEY, leeway=0), token(exp=time.time() - 1))
    assert (await ask(JWTAuth(KEY, leeway=60), token(exp=time.time() - 50))).id == "u1"


async def test_expired_token_of_somebody_else_is_not_told_that_it_expired() -> None:
    error = await refused(JWTAuth(KEY), token(key=OTHER_KEY, exp=time.time() - 60))

    assert not isinstance(error, TokenExpired)


@pytest.mark.parametrize(
    ("configured", "claim", "accepted"),
    [
        ("shop", "shop", True),
        ("shop", ["desk", "shop"], True),
        (["shop", "desk"], "desk", True),
        ("shop", "sho", False),
        ("shop", "shopping", False),
        ("shop", ["desk"], False),
        ("shop", [], False),
        ("shop", ..., False),
        ("shop", None, False),
        ("shop", 7, False),
        ("shop", [7, "shop"], False),
        ("shop", {"shop": 1}, False),
    ],
)
async def test_audience_must_be_named(configured: str | list[str], claim: object, accepted: bool) -> None:
    auth = JWTAuth(KEY, audience=configured)

    if accepted:
        assert (await ask(auth, token(aud=claim))).id == "u1"
    else:
        await refused(auth, token(aud=claim))


@pytest.mark.parametrize(
    ("configured", "claim", "accepted"),
    [
        ("abc", "abc", True),
        (["abc", "xyz"], "xyz", True),
        ("abc", "ab", False),
        ("abc", "abcd", False),
        ("abc", "", False),
        ("abc", ..., False),
        ("abc", None, False),
        ("abc", ["abc"], False),
        ("abc", 7, False),
    ],
)
async def test_issuer_must_be_the_one(configured: str | list[str], claim: object, accepted: bool) -> None:
    auth = JWTAuth(KEY, issuer=configured)

    if accepted:
        assert (await ask(auth, token(iss=claim))).id == "u1"
    else:
        await refused(auth, token(iss=claim))


async def test_public_key_is_no_shared_secret() -> None:
    """RFC 8725 §2.1: HS256 signed with the public half of an RS256 or ES256 pair."""
    with pytest.raises(ConfigError, match="shared secret"):
        JWTAuth(PEM)


@pytest.mark.parametrize("name", REFUSED)
async def test_refusal_shows_neither_token_nor_key(name: str, caplog: pytest.LogCaptureFixture) -> None:
    text = REFUSED[name]()
    caplog.set_level(logging.DEBUG)

    error = await refused(JWTAuth(KEY), text)

    seen = "".join(traceback.format_exception_only(error)) + repr(error.payload()) + caplog.text
    assert KEY not in seen
    assert error.__cause__ is None
    for part in (text or "").split("."):
        assert len(part) < 8 or part not in seen


# ---- configuration ----


@pytest.mark.parametrize("key", ["secret", "", "x" * 31, b"x" * 31])
def test_short_key_is_a_config_error(key: str | bytes) -> None:
    with pytest.raises(ConfigError, match="at least 32") as caught:
        JWTAuth(key)

    assert not key or str(key) not in str(caught.value)


@pytest.mark.parametrize(("alg", "least"), [("HS384", 48), ("HS512", 64)])
def test_key_is_as_long_as_the_hash(alg: str, least: int) -> None:
    JWTAuth("x" * least, algorithms=["HS256", alg])

    with pytest.raises(ConfigError, match=f"at least {least}"):
        JWTAuth("x" * (least - 1), algorithms=["HS256", alg])


def test_previous_key_is_checked_too() -> None:
    with pytest.raises(ConfigError, match="JWT_PREVIOUS_SECRET"):
        JWTAuth(KEY, previous_key="short")


@pytest.mark.parametrize("algorithms", [(), ["none"], ["RS256"], ["HS256", "ES256"], ["hs256"], "none"])
def test_other_algorithms_are_a_config_error(algorithms: Any) -> None:
    with pytest.raises(ConfigError, match="JWT_ALGORITHMS"):
        JWTAuth(KEY, algorithms=algorithms)


@pytest.mark.parametrize("leeway", [-1, 61, float("nan"), float("inf")])
def test_leeway_is_bounded(leeway: float) -> None:
    with pytest.raises(ConfigError, match="JWT_LEEWAY"):
        JWTAuth(KEY, leeway=leeway)


@pytest.mark.parametrize("empty", ["", [], ["shop", ""]])
def test_empty_audience_or_issuer_is_a_config_error(empty: Any) -> None:
    with pytest.raises(ConfigError, match="JWT_AUDIENCE"):
        JWTAuth(KEY, audience=empty)
    with pytest.raises(ConfigError, match="JWT_ISSUER"):
        JWTAuth(KEY, issuer=empty)


def test_repr_hides_the_keys() -> None:
    text = repr(JWTAuth(KEY, previous_key=OTHER_KEY, audience="shop"))

    assert "shop" in text
    assert KEY not in text
    assert OTHER_KEY not in text
