"""What the claims of a token say, checked. Every function raises `Refused` for a claim that is malformed."""

import time
from collections.abc import Mapping
from typing import Any, Final

from ..errors import ChatError, TokenExpired
from ..support.user_ids import GUEST, MAX_USER_ID, check_user_id, is_text
from .tokens import Refused

__all__ = [
    "LATEST",
    "MAX_PROOF_ID",
    "amr_of",
    "check_times",
    "check_use",
    "proof_id",
    "scopes_of",
    "time_of",
    "user_id",
]

MAX_PROOF_ID: Final = 256
"""Characters in a `jti` or a `sid`."""
LATEST: Final = 253402300800
"""The year 10000, in Unix seconds; a later time is an error."""

_MAX_SCOPE = 256
"""Characters in one scope."""
# Where issuers say what a token is for, and what they call tokens that give no access: Keycloak (`typ`), Cognito
# (`token_use`), Flask-JWT-Extended (`type`), Simple JWT (`token_type`).
_USE_CLAIMS = ("typ", "token_use", "type", "token_type")
_OTHER_USES = frozenset(("refresh", "refresh_token", "offline", "id", "id_token", "logout"))


def _refused(message: str) -> Refused:
    return Refused(message, final=True)  # claims are looked at when the signature fits


def check_use(claims: Mapping[str, Any]) -> None:
    """Check that a token does not say it is for something else than access."""
    if claims.keys().isdisjoint(_USE_CLAIMS):  # as nearly always
        return
    uses = (claims.get(claim) for claim in _USE_CLAIMS)
    if any(isinstance(use, str) and use.lower() in _OTHER_USES for use in uses):
        raise _refused("this is a refresh or identity token; send an access token")


def check_times(claims: Mapping[str, Any], leeway: float) -> None:
    """Check that a token is valid now. Raises `TokenExpired`, too."""
    now = time.time()
    exp, nbf, iat = time_of(claims, "exp"), time_of(claims, "nbf"), time_of(claims, "iat")
    if exp is None:
        raise _refused("the token lacks the claim exp")
    if max(nbf or 0, iat or 0) > now + leeway:
        raise _refused("the token is not valid yet (nbf, iat); compare the clocks")
    if exp <= now - leeway:
        raise TokenExpired


def time_of(claims: Mapping[str, Any], claim: str) -> float | None:
    """A claim that is a time, in Unix seconds; None: the token has none."""
    # NumericDate (RFC 7519 §2) may have a fraction. The comparison is false for NaN and true for no infinity.
    value: Any = claims.get(claim)
    if value is None and claim not in claims:
        return None
    if type(value) in (int, float) and 0 <= value < LATEST:  # a bool is neither
        return value  # type: ignore[no-any-return]
    raise _refused(f"the token's {claim} is not a time in Unix seconds")


def user_id(claims: Mapping[str, Any], claim: str) -> str:
    """The id of the user."""
    value = claims.get(claim)
    if not isinstance(value, str):
        # Not converted: 7 and "7" would be the same user, and an issuer may use both.
        raise _refused(
            f"the token's {claim} is missing or not a string; the issuer must write ids as strings"
        )
    try:
        check_user_id(value)
    except ChatError:
        raise _refused(
            f"the token's {claim} is not 1 to {MAX_USER_ID} characters without control characters"
        ) from None
    if value.startswith(GUEST):
        raise _refused(f"the token's {claim} begins with {GUEST!r}, as only the ids of guests do")
    return value


def scopes_of(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """What `scope` (a string, RFC 8693 §4.2) and `scopes` (a list) name, each once."""
    scope, scopes = claims.get("scope") or "", claims.get("scopes") or []
    if not (scope or scopes):  # as mostly
        return ()
    words = scope.split() if isinstance(scope, str) else scope
    if not (isinstance(words, list) and isinstance(scopes, list)):
        raise _refused("the token's scope is not a string, or its scopes are not a list")
    if not all(_is_word(word) for word in (*words, *scopes)):
        raise _refused(f"the token's scopes are not all strings of 1 to {_MAX_SCOPE} readable characters")
    return tuple(dict.fromkeys((*words, *scopes)))


def amr_of(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """How the user signed in, by `amr` (RFC 8176)."""
    value = claims.get("amr")
    if not value:
        return ()
    words = [value] if isinstance(value, str) else value  # some issuers write a single word
    if not (isinstance(words, list) and all(map(_is_word, words))):
        raise _refused(f"the token's amr is not a list of words of 1 to {_MAX_SCOPE} readable characters")
    return tuple(dict.fromkeys(words))


def proof_id(claims: Mapping[str, Any], claim: str) -> str | None:
    """The `jti` or `sid` of a token, by which it can be revoked; None: it has none."""
    value = claims.get(claim)
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**20:
        value = str(value)  # not as RFC 7519 has it, but unmistakable
    if isinstance(value, str) and 0 < len(value) <= MAX_PROOF_ID and is_text(value):
        return value
    raise _refused(f"the token's {claim} is not a string of 1 to {MAX_PROOF_ID} readable characters")


def _is_word(word: object) -> bool:
    return isinstance(word, str) and 0 < len(word) <= _MAX_SCOPE and is_text(word)
