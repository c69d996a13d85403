"""Public keys from PEM text and from JSON Web Keys (RFC 7517). Needs `cryptography`."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from ..errors import ConfigError
from .keys import Key

__all__ = ["jwk_keys", "pem_keys"]

_RSA: Final = frozenset(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"))
_RSA_BITS = range(2048, 8193)
"""RFC 7518 §3.3 asks for 2048 bits; with more than 8192, one verification takes milliseconds."""
_CURVES: Final = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
_FROM_JWK: Final = {"RSA": RSAAlgorithm, "EC": ECAlgorithm, "OKP": OKPAlgorithm}
_UNREADABLE = (ValueError, TypeError, KeyError, UnsupportedAlgorithm, jwt.PyJWTError)


def pem_keys(name: str, text: str | bytes, algorithms: Iterable[str]) -> list[Key]:
    """The public keys and certificates in a PEM text, for these algorithms.

    Raises `ConfigError` that names the setting, for private keys and for keys that none of the algorithms fits, too.
    """
    data = text.encode() if isinstance(text, str) else bytes(text)
    blocks = list(_PEM.finditer(data.replace(b"\\n", b"\n")))  # as files of variables write line ends
    if not blocks:
        raise ConfigError(f"{name} holds no public key: it must be PEM text, -----BEGIN PUBLIC KEY-----")
    return [_pem_key(name, block, frozenset(algorithms)) for block in blocks]


def _pem_key(name: str, block: "re.Match[bytes]", algorithms: frozenset[str]) -> Key:
    if b"PRIVATE" in block[1]:
        raise ConfigError(f"{name} holds a private key: whoever verifies tokens needs the public key only")
    try:
        certificate = block[1] == b"CERTIFICATE"
        key = (
            load_pem_x509_certificate(block[0]).public_key() if certificate else load_pem_public_key(block[0])
        )
    except _UNREADABLE:
        raise ConfigError(f"{name} holds a key that cannot be read") from None
    fitting = _algorithms_of(key) & algorithms
    if not fitting:
        known = (
            ", ".join(sorted(_algorithms_of(key)))
            or "none: RSA needs 2048 to 8192 bits, curves are P-256, P-384, P-521"
        )
        raise ConfigError(
            f"{name} and JWT_ALGORITHMS ({', '.join(sorted(algorithms))}) do not fit: algorithms of this key are {known}"
        )
    return Key(key, fitting)


def jwk_keys(entries: Iterable[Any], algorithms: frozenset[str]) -> list[Key]:
    """The keys of a JSON Web Key Set that verify signatures by one of these algorithms. All others are left out."""
    return [key for entry in entries if (key := _jwk_key(entry, algorithms)) is not None]


def _jwk_key(entry: Any, algorithms: frozenset[str]) -> Key | None:
    if not isinstance(entry, Mapping) or not _signs(entry):
        return None
    kid, alg = entry.get("kid"), entry.get("alg")
    try:
        key: Any = _FROM_JWK[entry["kty"]].from_jwk(dict(entry))  # type: ignore[attr-defined]
        fitting = _algorithms_of(key) & algorithms
    except _UNREADABLE:
        return None
    if alg is not None:
        fitting &= {alg} if isinstance(alg, str) else frozenset()
    if not fitting or not (kid is None or isinstance(kid, str)):
        return None
    return Key(key, fitting, kid)


def _signs(entry: Mapping[str, Any]) -> bool:
    # A key with "d" is a private one, which is secret no longer.
    ops = entry.get("key_ops")
    return (
        "d" not in entry
        and entry.get("use", "sig") == "sig"
        and (ops is None or (isinstance(ops, list) and "verify" in ops))
    )


def _algorithms_of(key: object) -> frozenset[str]:
    if isinstance(key, RSAPublicKey):
        return _RSA if key.key_size in _RSA_BITS else frozenset()
    if isinstance(key, EllipticCurvePublicKey):
        return frozenset((_CURVES[key.curve.name],)) if key.curve.name in _CURVES else frozenset()
    return frozenset(("EdDSA",)) if isinstance(key, Ed25519PublicKey | Ed448PublicKey) else frozenset()
