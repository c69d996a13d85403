"""Key pairs as an identity provider has them, and tokens that they sign."""

from __future__ import annotations

import json
import time
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}


@cache
def private_key(kind: str, number: int = 1) -> Any:
    """A key of this kind: `RSA`, `RSA1024`, `ES256`, `ES384`, `ES512`, `ES256K`, `Ed25519`, `Ed448`."""
    if kind.startswith("RSA"):
        return rsa.generate_private_key(65537, int(kind[3:] or 2048))
    if kind == "ES256K":
        return ec.generate_private_key(ec.SECP256K1())
    if kind in CURVES:
        return ec.generate_private_key(CURVES[kind])
    return ed448.Ed448PrivateKey.generate() if kind == "Ed448" else ed25519.Ed25519PrivateKey.generate()


def pem(key: Any) -> str:
    """The public half of a key."""
    text: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return text.decode()


def jwk(key: Any, **about: Any) -> dict[str, Any]:
    """The public half of a key as a JSON Web Key."""
    makers: dict[str, Any] = {"RSA": RSAAlgorithm, "ECP": ECAlgorithm, "EllipticCurve": ECAlgorithm}
    public = key.public_key()
    okp: Any = OKPAlgorithm
    maker = next((made for name, made in makers.items() if name in type(key).__name__), okp)
    whole = {**json.loads(maker.to_jwk(public)), **about}
    return {name: value for name, value in whole.items() if value is not None}


def signed(
    key: Any, alg: str, *, kid: str | None = None, header: dict[str, Any] | None = None, **changes: Any
) -> str:
    """An access token of `u1`, with these changes of its claims; `...` leaves one out."""
    claims = {"sub": "u1", "name": "Ada", "exp": int(time.time()) + 3600, **changes}
    headers = {**({} if kid is None else {"kid": kid}), **(header or {})}
    return jwt.encode(
        {name: value for name, value in claims.items() if value is not ...}, key, alg, headers=headers
    )
