"""Tokens that public keys verify: each algorithm with its own kind of key, and with no other."""

from __future__ import annotations

import datetime as dt
import hmac
import importlib
import json
import time
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sanic_chatrooms.auth.jwt import JWTAuth
from sanic_chatrooms.auth.keys import ASYMMETRIC
from sanic_chatrooms.auth.public_keys import jwk_keys
from sanic_chatrooms.errors import ConfigError, TokenExpired, Unauthenticated
from sanic_chatrooms.models import Credentials, Handshake, User
from tests.support.keys import jwk, pem, private_key, signed
from tests.unit.auth.test_jwt import b64

HANDSHAKE = Handshake("/chat/ws", {}, {}, {}, "127.0.0.1", secure=True)
KIND = {
    **dict.fromkeys(["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"], "RSA"),
    "ES256": "ES256",
    "ES384": "ES384",
    "ES512": "ES512",
    "EdDSA": "Ed25519",
}


async def ask(auth: JWTAuth, token: str) -> User:
    return await auth.authenticate(Credentials(token), HANDSHAKE)


@pytest.mark.parametrize("alg", ASYMMETRIC)
async def test_each_algorithm_is_accepted_with_a_key_of_its_kind(alg: str) -> None:
    key = private_key(KIND[alg])

    assert (await ask(JWTAuth(public_key=pem(key)), signed(key, alg))).id == "u1"
    assert (await ask(JWTAuth(public_key=pem(key), algorithms=[alg]), signed(key, alg))).id == "u1"


async def test_ed448_is_an_eddsa_too() -> None:
    key = private_key("Ed448")

    assert (await ask(JWTAuth(public_key=pem(key)), signed(key, "EdDSA"))).id == "u1"


@pytest.mark.parametrize("alg", ASYMMETRIC)
async def test_a_key_of_another_pair_is_refused(alg: str) -> None:
    key, other = private_key(KIND[alg]), private_key(KIND[alg], 2)

    with pytest.raises(Unauthenticated):
        await ask(JWTAuth(public_key=pem(key)), signed(other, alg))


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
async def test_the_public_key_as_a_shared_secret_is_refused(alg: str) -> None:
    """RFC 8725 §2.1."""
    text = pem(private_key("RSA"))
    head = b64(json.dumps({"alg": alg, "typ": "JWT"}).encode())
    body = b64(json.dumps({"sub": "admin", "exp": time.time() + 60}).encode())
    for secret in (text, text.strip(), text.replace("\n", "\\n")):
        name = alg.replace("HS", "sha")
        mac = hmac.digest(secret.encode(), f"{head}.{body}".encode(), name)

        with pytest.raises(Unauthenticated):
            await ask(JWTAuth(public_key=text), f"{head}.{body}.{b64(mac)}")


@pytest.mark.parametrize("said", ["ES256", "ES384", "RS256", "PS256", "EdDSA", "none"])
async def test_an_algorithm_of_another_kind_is_refused(said: str) -> None:
    key = private_key("ES512")
    _, body, mac = signed(key, "ES512").split(".")
    head = b64(json.dumps({"alg": said, "typ": "JWT"}).encode())

    with pytest.raises(Unauthenticated):
        await ask(JWTAuth(public_key=pem(key)), f"{head}.{body}.{mac}")


async def test_an_algorithm_that_is_not_configured_is_refused() -> None:
    key = private_key("RSA")

    with pytest.raises(Unauthenticated):
        await ask(JWTAuth(public_key=pem(key), algorithms=["PS256"]), signed(key, "RS256"))


async def test_several_keys_in_one_text_are_all_accepted() -> None:
    old, new = private_key("RSA"), private_key("ES256")
    auth = JWTAuth(public_key=(pem(old) + "\n" + pem(new)).replace("\n", "\\n"))

    assert (await ask(auth, signed(old, "RS256"))).id == "u1"
    assert (await ask(auth, signed(new, "ES256"))).id == "u1"


async def test_a_certificate_is_as_good_as_its_key() -> None:
    key, name = private_key("ES256"), x509.Name([])
    now = dt.datetime.now(dt.UTC)
    whole = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now).not_valid_after(now + dt.timedelta(days=1)).sign(key, hashes.SHA256())
    )  # fmt: skip

    auth = JWTAuth(public_key=whole.public_bytes(Encoding.PEM))

    assert (await ask(auth, signed(key, "ES256"))).id == "u1"


async def test_an_expired_token_says_so() -> None:
    key = private_key("ES256")

    with pytest.raises(TokenExpired):
        await ask(JWTAuth(public_key=pem(key)), signed(key, "ES256", exp=int(time.time()) - 60))


async def test_what_must_be_in_amr_is_all_of_it() -> None:
    key = private_key("ES256")
    auth = JWTAuth(public_key=pem(key), required_amr=["pwd", "otp"])

    assert (await ask(auth, signed(key, "ES256", amr=["otp", "pwd", "mfa"]))).amr == ("otp", "pwd", "mfa")
    for amr in (["pwd"], [], ..., "otp"):
        with pytest.raises(Unauthenticated, match="amr lacks"):
            await ask(auth, signed(key, "ES256", amr=amr))


# ---- configuration ----


def test_exactly_one_kind_of_key_is_given() -> None:
    text = pem(private_key("ES256"))
    several: list[dict[str, Any]] = [
        {},
        {"key": "k" * 32, "public_key": text},
        {"public_key": text, "jwks_url": "https://a/k"},
    ]
    for keys in several:
        with pytest.raises(ConfigError, match="exactly one"):
            JWTAuth(**keys)


@pytest.mark.parametrize("algorithms", [["HS256"], ["RS256", "HS256"], ["none"], [], "HS512", ["ES256K"]])
def test_other_algorithms_with_public_keys_are_a_config_error(algorithms: Any) -> None:
    text = pem(private_key("RSA"))

    with pytest.raises(ConfigError, match="JWT_ALGORITHMS"):
        JWTAuth(public_key=text, algorithms=algorithms)
    with pytest.raises(ConfigError, match="JWT_ALGORITHMS"):
        JWTAuth(jwks_url="https://login.example/keys", algorithms=algorithms)


def test_algorithms_that_do_not_fit_the_key_are_a_config_error() -> None:
    with pytest.raises(ConfigError, match="algorithms of this key are ES256"):
        JWTAuth(public_key=pem(private_key("ES256")), algorithms=["RS256", "ES384"])


@pytest.mark.parametrize("kind", ["RSA1024", "ES256K"])
def test_weak_and_odd_keys_are_a_config_error(kind: str) -> None:
    with pytest.raises(ConfigError, match="2048"):
        JWTAuth(public_key=pem(private_key(kind)))


def test_a_private_key_is_a_config_error_that_does_not_show_it() -> None:
    text = private_key("ES256").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    with pytest.raises(ConfigError, match="holds a private key") as caught:
        JWTAuth(public_key=text)

    assert all(line not in str(caught.value) for line in text.splitlines())


@pytest.mark.parametrize("text", ["", "secret", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"])
def test_what_is_no_key_is_a_config_error(text: str) -> None:
    with pytest.raises(ConfigError, match="JWT_PUBLIC_KEY"):
        JWTAuth(public_key=text)


def test_without_cryptography_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError("No module named 'cryptography'")

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ConfigError, match=r"pip install \"sanic-chatrooms\[crypto\]\""):
        JWTAuth(public_key=pem(private_key("ES256")))


# ---- keys of a set ----

ALL = frozenset(ASYMMETRIC)


@pytest.mark.parametrize(
    "entry",
    [
        jwk(private_key("RSA"), use="enc"),
        jwk(private_key("RSA"), key_ops=["encrypt"]),
        jwk(private_key("RSA"), alg="RSA-OAEP"),
        jwk(private_key("RSA"), alg="ES256"),
        jwk(private_key("RSA"), alg="HS256"),
        jwk(private_key("RSA"), alg=7),
        jwk(private_key("RSA"), kid=7),
        jwk(private_key("RSA"), n="AQAB"),
        jwk(private_key("RSA"), n=None),
        jwk(private_key("RSA"), d="AQAB"),
        jwk(private_key("RSA1024")),
        jwk(private_key("ES256K")),
        jwk(private_key("ES256"), crv="P-384"),
        jwk(private_key("ES256"), x="AAAA"),
        jwk(private_key("Ed25519"), crv="X25519"),
        {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA", "kid": "a", "alg": "HS256"},
        {"kty": ["RSA"]},
        {},
        [],
        None,
        "RSA",
    ],
)
def test_keys_that_verify_no_signature_here_are_left_out(entry: Any) -> None:
    sound = jwk(private_key("ES256"), kid="b")

    assert [key.id for key in jwk_keys([entry, sound], ALL)] == ["b"]


def test_the_alg_of_a_key_is_its_only_one() -> None:
    [key] = jwk_keys([jwk(private_key("RSA"), alg="PS384", kid="a", use="sig", key_ops=["verify"])], ALL)

    assert (key.id, key.algorithms) == ("a", frozenset(("PS384",)))


def test_a_key_has_no_algorithm_that_is_not_accepted() -> None:
    [key] = jwk_keys([jwk(private_key("RSA"))], frozenset(("RS256", "ES256")))

    assert key.algorithms == {"RS256"}
    assert jwk_keys([jwk(private_key("RSA"))], frozenset(("ES256",))) == []
