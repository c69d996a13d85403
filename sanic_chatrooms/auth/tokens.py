"""Reading JSON Web Tokens: the header, the signature, and what every token must keep to.

PyJWT judges tokens, which takes 50 µs for each. So the most common ones are accepted without it: those whose header it has
read before, and whose HMAC fits. It refuses, and it accepts whatever is not as plain as that.
"""

import functools
import hashlib
import hmac
import json
import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import jwt
import msgspec

from ..errors import Unauthenticated
from .keys import Key

__all__ = ["MAX_TOKEN", "Refused", "issuer_of", "read_header", "read_token", "type_of", "verify"]

MAX_TOKEN: Final = 8192
"""Bytes in a token: what a request header can carry."""

# Times, sub and jti are judged in `claims`: PyJWT reads exp "123" and true as numbers, and fails on an infinite one.
_PYJWT_LEAVES = {f"verify_{claim}": False for claim in ("exp", "nbf", "iat", "sub", "jti")}
_UNREADABLE = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)
_HASHES = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}
_TO_URL, _FROM_URL = bytes.maketrans(b"+/", b"-_"), bytes.maketrans(b"-_", b"+/")
_decode_json = msgspec.json.Decoder().decode
_PART = "(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-][AQgw]|[A-Za-z0-9_-]{2}[AEIMQUYcgkosw048])?"
_PLAIN = re.compile(rf"{_PART}\.{_PART}")
"""A payload and a signature in base64url, without padding, and without bits that belong to no byte."""


class Refused(Unauthenticated):
    """A token that is not accepted. The message is for the log: clients get the same answer for every token.

    `final`: the token was made for this authenticator, one of whose keys signed it. No other one in a `Chain` is asked.
    """

    def __init__(self, message: str | None = None, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


def read_token(
    token: str | None,
    keys: Sequence[Key],
    algorithms: Sequence[str],
    *,
    types: frozenset[str],
    issuer: Sequence[str],
) -> dict[str, Any]:
    """The claims of a token that one of `keys` signed, whose header's `typ` is one of `types` (lower case).

    `issuer` is checked, times are not. Raises `Refused`.
    """
    header = read_header(token)
    if type_of(header) not in types:
        raise Refused("the token's typ is not one that is accepted here; send an access token")
    if header.get("alg") not in algorithms:
        raise Refused("the token's algorithm is not accepted here")
    assert token is not None
    return verify(token, header, keys, issuer=issuer)


def read_header(token: str | None) -> dict[str, Any]:
    """The header of a token. Nothing is verified.

    Raises `Refused` for what is no token, is larger than 8 KiB, or has a `crit` header (RFC 7515 §4.1.11: it names what a
    reader must understand, and we understand nothing of that kind).
    """
    if token is None:
        raise Unauthenticated
    if len(token) > MAX_TOKEN:
        raise Refused(f"the token is larger than {MAX_TOKEN} bytes")
    try:
        header = _header_of(token)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise Refused("this is not a token (JWT)") from None
    if "crit" in header:
        raise Refused("the token has a crit header that is not understood here")
    return header


def _header_of(token: str) -> dict[str, Any]:
    head, _, rest = token.partition(".")
    if _PLAIN.fullmatch(rest) and "b64" not in (header := _read(head)):
        return header.copy()
    return jwt.get_unverified_header(token)


@functools.lru_cache(maxsize=64)
def _mac(key: bytes, algorithm: str) -> Callable[[bytes], bytes]:
    """HMAC (RFC 2104) with this key. The blocks that depend on the key alone are hashed once, and OpenSSL does not look for the algorithm
    again for every token, which takes several times as long as hashing one."""
    new = _HASHES[algorithm]
    size = new().block_size
    block = (key if len(key) <= size else new(key).digest()).ljust(size, b"\0")
    inner, outer = (new(block.translate(bytes(byte ^ pad for byte in range(256)))) for pad in (0x36, 0x5C))

    def digest(text: bytes) -> bytes:
        inside, outside = inner.copy(), outer.copy()
        inside.update(text)
        outside.update(inside.digest())
        return outside.digest()

    return digest


@functools.lru_cache(maxsize=64)
def _read(head: str) -> dict[str, Any]:
    """A header, as PyJWT reads it: all tokens of an issuer have the same one."""
    return jwt.get_unverified_header(f"{head}..")


def type_of(header: Mapping[str, Any]) -> str:
    """The `typ` in a header, in lower case, "" when it has none. Raises `Refused`."""
    typ = header.get("typ", "")
    if not isinstance(typ, str):
        raise Refused("the token's typ is not a string")
    # RFC 7515 §4.1.9: a media type, whose prefix may be left out.
    return typ.lower().removeprefix("application/")


def issuer_of(token: str) -> object:
    """The `iss` that a token claims. Nothing is verified, so it only routes."""
    try:
        claims = json.loads(jwt.utils.base64url_decode(token.split(".")[1]))
    except (ValueError, IndexError, RecursionError):
        return None
    return claims.get("iss") if isinstance(claims, dict) else None


def verify(
    token: str,
    header: Mapping[str, Any],
    keys: Sequence[Key],
    *,
    audience: Sequence[str] | None = None,
    issuer: Sequence[str] | None = None,
) -> dict[str, Any]:
    """The claims of a token that one of `keys` signed, by an algorithm that belongs to that key. Raises `Refused`."""
    algorithm = header["alg"]
    fitting = [key for key in keys if algorithm in key.algorithms]
    claims = _plainly_signed(token, fitting, algorithm) if algorithm in _HASHES else None
    if claims is not None and _is_plainly_meant(claims, audience, issuer):
        return claims
    for key in fitting:
        try:
            return _decode(token, key, algorithm, audience, issuer)
        except jwt.InvalidSignatureError:
            continue
        except _UNREADABLE as exc:
            raise _refusal(exc) from None
    raise Refused("the token's signature does not fit; get a new token")


def _plainly_signed(token: str, keys: Sequence[Key], algorithm: str) -> dict[str, Any] | None:
    """The claims of a token whose HMAC fits; None: PyJWT has to say what is wrong with it, if anything is."""
    signed, _, signature = token.encode().rpartition(b".")
    for key in keys:
        digest = _mac(key.material, algorithm)(signed)
        if hmac.compare_digest(b2a_base64(digest, newline=False).translate(_TO_URL).rstrip(b"="), signature):
            try:
                # Whatever the two decoders read otherwise, this one refuses, and PyJWT reads.
                claims = _decode_json(a2b_base64(signed.partition(b".")[2].translate(_FROM_URL) + b"=="))
            except (ValueError, RecursionError):
                return None
            return claims if isinstance(claims, dict) else None
    return None


def _is_plainly_meant(
    claims: Mapping[str, Any], audience: Sequence[str] | None, issuer: Sequence[str] | None
) -> bool:
    aud = claims.get("aud")
    meant = not aud if audience is None else isinstance(aud, str) and aud in audience
    return meant and (issuer is None or claims.get("iss") in issuer)


def _decode(
    token: str, key: Key, algorithm: str, audience: Sequence[str] | None, issuer: Sequence[str] | None
) -> dict[str, Any]:
    return jwt.decode(  # type: ignore[no-any-return, unused-ignore]
        token,
        key.material,
        [algorithm],
        options=_PYJWT_LEAVES,  # type: ignore[arg-type]
        audience=audience,
        issuer=issuer,
    )


_REFUSALS: tuple[tuple[type[Exception], str], ...] = (
    (jwt.InvalidAudienceError, "the token is meant for another audience (aud)"),
    (jwt.InvalidIssuerError, "the token comes from another issuer (iss)"),
)


def _refusal(exc: Exception) -> Refused:
    # PyJWT's own texts may quote what is in the token. It looks at claims after the signature, which fits then.
    for kind, sentence in _REFUSALS:
        if isinstance(exc, kind):
            return Refused(sentence, final=True)
    if isinstance(exc, jwt.MissingRequiredClaimError):
        return Refused(f"the token lacks the claim {exc.claim}", final=True)
    return Refused("the token cannot be read")
