"""Users by JSON Web Tokens (RFC 7519) that the app's own login signs with a shared secret (HMAC)."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import jwt

from ..errors import ChatError, ConfigError, TokenExpired, Unauthenticated
from ..models import Credentials, Handshake, User
from ..support.user_ids import GUEST, MAX_USER_ID, check_user_id, is_text
from .base import Authenticator
from .names import shown_name

__all__ = [
    "LATEST",
    "MAX_PROOF_ID",
    "MAX_TOKEN",
    "JWTAuth",
    "hmac_key",
    "proof_id",
    "read_token",
    "token_type",
]

MAX_TOKEN: Final = 8192
"""Bytes in a token: what a request header can carry."""

MAX_PROOF_ID: Final = 256
"""Characters in a `jti` or a `sid`."""

_MAX_SCOPE = 256
"""Characters in one scope."""

LATEST = 253402300800
"""The year 10000, in Unix seconds; a later time is an error."""

# RFC 7518 §3.2: the key is at least as long as the hash.
KEY_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}
_ACCESS_TYPES = frozenset(("", "jwt", "at+jwt"))
# Where issuers say what a token is for, and what they call tokens that give no access: Keycloak (`typ`), Cognito
# (`token_use`), Flask-JWT-Extended (`type`), Simple JWT (`token_type`).
_USE_CLAIMS = ("typ", "token_use", "type", "token_type")
_OTHER_USES = frozenset(("refresh", "refresh_token", "offline", "id", "id_token", "logout"))
# Times, sub and jti are judged here: PyJWT reads exp "123" and true as numbers, and fails on an infinite one.
_PYJWT_LEAVES = {f"verify_{claim}": False for claim in ("exp", "nbf", "iat", "sub", "jti")}


class JWTAuth(Authenticator):
    """Accepts access tokens signed with `key` (HS256; HS384 and HS512 if `algorithms` names them).

    `previous_key` is accepted too, so that you can change the key without signing users out. `audience`, `issuer`: one
    value or several, of which a token must have one. Without `audience`, a token with an `aud` is refused, because it is
    meant for another service (RFC 7519 §4.1.3). Without `issuer`, any issuer is accepted. `leeway`: seconds, 0 to 60, by
    which the issuer's clock may be off.

    A token must have `exp` and the user claim; `iat` and `nbf` are checked if they are there. The header's `typ` is
    absent, `JWT` or `at+jwt` (RFC 9068). A token with `crit` is refused; `kid`, `jku`, `jwk`, `x5u` and `x5c` are ignored.
    Scopes come from `scope` (a string, RFC 8693 §4.2) and `scopes` (a list).

    Raises `ConfigError` for keys shorter than the hash (32, 48, 64 bytes; RFC 7518 §3.2), PEM text and other algorithms.
    """

    def __init__(
        self,
        key: str | bytes,
        *,
        previous_key: str | bytes | None = None,
        algorithms: Sequence[str] = ("HS256",),
        audience: str | Sequence[str] | None = None,
        issuer: str | Sequence[str] | None = None,
        leeway: float = 10.0,
        user_claim: str = "sub",
        name_claim: str = "name",
    ) -> None:
        self._algorithms = _checked_algorithms(algorithms)
        self._keys = [hmac_key("JWT_SECRET", key, self._algorithms)]
        if previous_key is not None:
            self._keys.append(hmac_key("JWT_PREVIOUS_SECRET", previous_key, self._algorithms))
        if not 0 <= leeway <= 60:
            raise ConfigError(f"JWT_LEEWAY is {leeway}: it must be 0 to 60 seconds")
        self._audience = _one_or_more("JWT_AUDIENCE", audience)
        self._issuer = _one_or_more("JWT_ISSUER", issuer)
        self._leeway = leeway
        self._user_claim, self._name_claim = user_claim, name_claim

    def __repr__(self) -> str:
        return f"JWTAuth(algorithms={self._algorithms}, audience={self._audience}, issuer={self._issuer})"

    async def authenticate(self, credentials: Credentials, handshake: Handshake) -> User:
        """The user of `credentials.token`. `expires_at` is the token's `exp`, `claims` has all of its claims.

        Raises `TokenExpired` for a token that was valid once, and `Unauthenticated` for any other. No message contains the
        token.
        """
        claims = read_token(
            credentials.token,
            self._keys,
            self._algorithms,
            types=_ACCESS_TYPES,
            audience=self._audience,
            issuer=self._issuer,
        )
        _check_use(claims)
        user_id = _user_id(claims, self._user_claim)
        _check_times(claims, self._leeway)
        return User(
            id=user_id,
            # A name that cannot be shown is no reason to refuse the user.
            name=shown_name(claims.get(self._name_claim), user_id),
            scopes=_scopes(claims),
            expires_at=float(claims["exp"]),
            claims=claims,
            amr=_amr(claims),
            jti=proof_id(claims, "jti"),
            sid=proof_id(claims, "sid"),
            issued_at=None if "iat" not in claims else float(claims["iat"]),
        )


def read_token(
    token: str | None,
    keys: Sequence[bytes],
    algorithms: Sequence[str],
    *,
    types: frozenset[str],
    audience: Sequence[str] | None = None,
    issuer: Sequence[str] | None = None,
) -> dict[str, Any]:
    """The claims of a token that one of `keys` signed, whose header's `typ` is one of `types` (lower case).

    `audience` and `issuer` are checked, times are not. Raises `Unauthenticated`.
    """
    if token_type(token) not in types:
        raise Unauthenticated("the token's typ is not one that is accepted here; send an access token")
    assert token is not None
    for key in keys:
        try:
            return _decode(token, key, algorithms, audience, issuer)
        except jwt.InvalidSignatureError:
            continue
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as exc:
            raise _refusal(exc) from None
    raise Unauthenticated("the token's signature does not fit; get a new token")


def token_type(token: str | None) -> str:
    """The `typ` in a token's header, in lower case, "" when it has none. Nothing is verified, so it only routes.

    Raises `Unauthenticated` for what is no token, is larger than 8 KiB, or has a `crit` header (RFC 7515 §4.1.11:
    it names what a reader must understand, and we understand nothing of that kind).
    """
    if token is None:
        raise Unauthenticated
    if len(token) > MAX_TOKEN:
        raise Unauthenticated(f"the token is larger than {MAX_TOKEN} bytes")
    header = _header(token)
    if "crit" in header:
        raise Unauthenticated("the token has a crit header that is not understood here")
    typ = header.get("typ", "")
    if not isinstance(typ, str):
        raise Unauthenticated("the token's typ is not a string")
    # RFC 7515 §4.1.9: a media type, whose prefix may be left out.
    return typ.lower().removeprefix("application/")


def hmac_key(name: str, key: str | bytes, algorithms: Sequence[str]) -> bytes:
    """A secret as bytes, or a `ConfigError` that names the setting and not the secret."""
    secret = key.encode() if isinstance(key, str) else bytes(key)
    least = max(KEY_BYTES[algorithm] for algorithm in algorithms)
    if len(secret) < least:
        raise ConfigError(
            f"{name} has {len(secret)} bytes: {', '.join(algorithms)} needs at least {least} random ones, "
            f"for example from `openssl rand -base64 {least}`"
        )
    try:
        return jwt.get_algorithm_by_name(algorithms[0]).prepare_key(secret)  # type: ignore[no-any-return]
    except jwt.InvalidKeyError:
        # Anyone with the public key could sign with it (RFC 8725 §2.1).
        raise ConfigError(f"{name} is a PEM or SSH key: it must be a shared secret") from None


def _header(token: str) -> dict[str, Any]:
    try:
        return jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise Unauthenticated("this is not a token (JWT)") from None


def _decode(
    token: str,
    key: bytes,
    algorithms: Sequence[str],
    audience: Sequence[str] | None,
    issuer: Sequence[str] | None,
) -> dict[str, Any]:
    return jwt.decode(token, key, list(algorithms), options=_PYJWT_LEAVES, audience=audience, issuer=issuer)  # type: ignore[arg-type]


_REFUSALS: tuple[tuple[type[Exception], str], ...] = (
    (jwt.InvalidAlgorithmError, "the token's algorithm is not accepted here"),
    (jwt.InvalidAudienceError, "the token is meant for another audience (aud)"),
    (jwt.InvalidIssuerError, "the token comes from another issuer (iss)"),
)


def _refusal(exc: Exception) -> Unauthenticated:
    # PyJWT's own texts may quote what is in the token.
    for kind, sentence in _REFUSALS:
        if isinstance(exc, kind):
            return Unauthenticated(sentence)
    if isinstance(exc, jwt.MissingRequiredClaimError):
        return Unauthenticated(f"the token lacks the claim {exc.claim}")
    return Unauthenticated("the token cannot be read")


def _check_use(claims: Mapping[str, Any]) -> None:
    uses = (claims.get(claim) for claim in _USE_CLAIMS)
    if any(isinstance(use, str) and use.lower() in _OTHER_USES for use in uses):
        raise Unauthenticated("this is a refresh or identity token; send an access token")


def _check_times(claims: Mapping[str, Any], leeway: float) -> None:
    now = time.time()
    exp, nbf, iat = (_time(claims, claim) for claim in ("exp", "nbf", "iat"))
    if exp is None:
        raise Unauthenticated("the token lacks the claim exp")
    if max(nbf or 0, iat or 0) > now + leeway:
        raise Unauthenticated("the token is not valid yet (nbf, iat); compare the clocks")
    if exp <= now - leeway:
        raise TokenExpired


def _time(claims: Mapping[str, Any], claim: str) -> float | None:
    # NumericDate (RFC 7519 §2) may have a fraction. The comparison is false for NaN and true for no infinity.
    value = claims.get(claim)
    if value is None and claim not in claims:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < LATEST:
        return value
    raise Unauthenticated(f"the token's {claim} is not a time in Unix seconds")


def _user_id(claims: Mapping[str, Any], claim: str) -> str:
    value = claims.get(claim)
    if not isinstance(value, str):
        # Not converted: 7 and "7" would be the same user, and an issuer may use both.
        raise Unauthenticated(
            f"the token's {claim} is missing or not a string; the issuer must write ids as strings"
        )
    try:
        check_user_id(value)
    except ChatError:
        raise Unauthenticated(
            f"the token's {claim} is not 1 to {MAX_USER_ID} characters without control characters"
        ) from None
    if value.startswith(GUEST):
        raise Unauthenticated(f"the token's {claim} begins with {GUEST!r}, as only the ids of guests do")
    return value


def _scopes(claims: Mapping[str, Any]) -> tuple[str, ...]:
    scope, scopes = claims.get("scope") or "", claims.get("scopes") or []
    words = scope.split() if isinstance(scope, str) else scope
    if not (isinstance(words, list) and isinstance(scopes, list)):
        raise Unauthenticated("the token's scope is not a string, or its scopes are not a list")
    if not all(_is_scope(word) for word in (*words, *scopes)):
        raise Unauthenticated(
            f"the token's scopes are not all strings of 1 to {_MAX_SCOPE} readable characters"
        )
    return tuple(dict.fromkeys((*words, *scopes)))


def _amr(claims: Mapping[str, Any]) -> tuple[str, ...]:
    # RFC 8176: a list. Some issuers write a single word.
    value = claims.get("amr") or []
    words = [value] if isinstance(value, str) else value
    if not (isinstance(words, list) and all(map(_is_scope, words))):
        raise Unauthenticated(
            f"the token's amr is not a list of words of 1 to {_MAX_SCOPE} readable characters"
        )
    return tuple(dict.fromkeys(words))


def proof_id(claims: Mapping[str, Any], claim: str) -> str | None:
    """The `jti` or `sid` of a token, by which it can be revoked. Raises `Unauthenticated`."""
    value = claims.get(claim)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**20:
        value = str(value)  # not as RFC 7519 has it, but unmistakable
    if value is None or (isinstance(value, str) and 0 < len(value) <= MAX_PROOF_ID and is_text(value)):
        return value
    raise Unauthenticated(f"the token's {claim} is not a string of 1 to {MAX_PROOF_ID} readable characters")


def _is_scope(word: object) -> bool:
    return isinstance(word, str) and 0 < len(word) <= _MAX_SCOPE and is_text(word)


def _checked_algorithms(algorithms: Sequence[str]) -> tuple[str, ...]:
    chosen = (algorithms,) if isinstance(algorithms, str) else tuple(algorithms)
    unknown = [algorithm for algorithm in chosen if algorithm not in KEY_BYTES]
    if unknown or not chosen:
        raise ConfigError(
            f"JWT_ALGORITHMS is {list(chosen)}: it must be one or more of {', '.join(KEY_BYTES)}"
        )
    return chosen


def _one_or_more(name: str, value: str | Sequence[str] | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    values = (value,) if isinstance(value, str) else tuple(value)
    if not values or not all(values):
        raise ConfigError(f"{name} is empty: leave it out, or name at least one")
    return values
