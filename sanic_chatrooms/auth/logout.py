"""Logout tokens, by which an identity provider says that somebody has signed out (OpenID Connect Back-Channel Logout 1.0)."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from .claims import check_times, proof_id, time_of, user_id
from .jwt import JWTAuth
from .tokens import MAX_TOKEN, Refused, read_header

__all__ = ["Logout", "read_logout"]

_TYPES: Final = frozenset(("logout+jwt",))
_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"


class Logout(NamedTuple):
    """Who has signed out: the sign-in `sid`, or else the user `sub` with all that was issued until `issued_at`."""

    id: str
    """The token's issuer and `jti`."""
    user: str | None
    sid: str | None
    issued_at: float
    expires_at: float


async def read_logout(auth: JWTAuth, token: str, audience: Sequence[str] | None = None) -> Logout:
    """What a logout token says that was signed with a key of this authenticator, for `audience` (None: that of `auth`).

    Raises `Refused`, `TokenExpired`, and `Unavailable` while no key is known.
    """
    if len(token) > MAX_TOKEN:
        raise Refused(f"the token is larger than {MAX_TOKEN} bytes")
    claims = await auth.verified(token, read_header(token), _TYPES, audience or auth.audience)
    _check(claims)
    check_times(claims, auth.leeway)
    jti, sid = proof_id(claims, "jti"), proof_id(claims, "sid")
    user = user_id(claims, "sub") if "sub" in claims and auth.user_claim == "sub" else None
    issued_at, expires_at = time_of(claims, "iat"), time_of(claims, "exp")
    if jti is None or issued_at is None or expires_at is None:
        raise Refused("a logout token needs jti, iat and exp")
    if user is None and sid is None:
        raise Refused("a logout token needs sub or sid; where users have another id than sub, sid")
    return Logout(f"{claims.get('iss')} {jti}", None if sid else user, sid, issued_at, expires_at)


def _check(claims: dict[str, Any]) -> None:
    events = claims.get("events")
    if not (isinstance(events, dict) and isinstance(events.get(_EVENT), dict)):
        raise Refused("this token reports no logout (events)")
    if "nonce" in claims:
        raise Refused("a logout token has no nonce: this is an identity token")
    if "aud" not in claims:
        raise Refused("a logout token names its audience (aud)")
