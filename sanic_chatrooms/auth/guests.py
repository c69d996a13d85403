"""Guests: users without an account. A signed token makes a guest who comes back the same guest."""

import hmac
import logging
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec

from ..errors import ChatError, ConfigError, InvalidField, TokenExpired, Unauthenticated, Unavailable
from ..models import Credentials, Handshake, User
from ..support.user_ids import GUEST, check_user_id
from .base import Authenticator
from .claims import LATEST, proof_id
from .keys import hmac_key
from .names import clean_name
from .skeleton import ReservedNames
from .tokens import Refused, read_header, read_token, type_of

__all__ = ["GUEST_LIFETIME", "Guests", "IsReserved"]

logger = logging.getLogger("sanic_chatrooms.verbs.identity")

IsReserved = Callable[[str], Awaitable[bool]]
"""The app's own answer to whether guests may not have a name."""

GUEST_LIFETIME: Final = 30 * 86400.0
"""Seconds for which a guest token is valid, by default."""


def _base64(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


_TYPE = "guest+jwt"
_ALGORITHMS = ("HS256",)
_HEADER: Final = _base64(msgspec.json.encode({"typ": _TYPE, "alg": _ALGORITHMS[0]}))
_UNREADABLE = "the guest token cannot be read; connect without it to be a new guest"


@lru_cache(maxsize=64)
def _is_guest_head(head: str) -> bool:
    """Whether the header of a token says that it is a guest token: all tokens of an issuer have the same one."""
    return type_of(read_header(f"{head}..")) == _TYPE


class Guests(Authenticator):
    """Lets everyone in: as a new guest without a token, and as the same guest with a guest token.

    `secret`: 32 bytes or more, the same in all workers. `instance`: the name of the `ChatRooms`; tokens are valid only
    there. `lifetime`: seconds for which a token is valid. `reserved`: names that guests may not have, and neither may they
    have names that look like them. `also_reserved`: functions that are asked about every other name.

    A guest token is a JWT (HS256) with its own `typ`, `guest+jwt`. So `JWTAuth` refuses guest tokens, and guests cannot use
    other tokens, even if both use the same secret.
    """

    def __init__(
        self,
        secret: str,
        *,
        instance: str,
        lifetime: float = GUEST_LIFETIME,
        reserved: Iterable[str] = (),
        also_reserved: Sequence[IsReserved] = (),
    ) -> None:
        self._key = hmac_key("GUEST_SECRET", secret, _ALGORITHMS)
        if not 0 < lifetime < float("inf"):
            raise ConfigError(f"the lifetime of guests is {lifetime}: it must be a number of seconds above 0")
        self.lifetime = lifetime
        self._reserved = ReservedNames(reserved)
        self._also_reserved = also_reserved
        self._instance = instance
        self._issuer = f"chatrooms-guest:{instance}"

    def __repr__(self) -> str:
        return f"Guests(instance={self._instance!r}, lifetime={self.lifetime})"

    async def authenticate(self, credentials: Credentials, handshake: Handshake) -> User:
        """A new guest, or the guest of a token that `token` made. `credentials.name` is their name if it is given.

        The user has no `expires_at`: a guest's connection outlives the token. Raises `TokenExpired`, `Unauthenticated` for
        any other token, `InvalidField` or `InvalidText` for a name that cannot be shown or is reserved, and `Unavailable` if
        the app cannot say whether it is.
        """
        guest = self._new() if credentials.token is None else await self._known(credentials.token)
        return guest if credentials.name is None else await self.rename(guest, credentials.name)

    def token(self, user: User) -> str:
        """The `guestToken` of a guest, valid for `lifetime` seconds from now.

        {"typ": "guest+jwt", "alg": "HS256"}
        {"iss": "chatrooms-guest:default", "sub": "guest-…", "name": "Guest 4821", "jti": "…", "iat": 1712050800,
         "exp": 1714642800}

        Raises `ValueError` for a user who is no guest: a guest token would outlive their own.
        """
        if not user.guest:
            raise ValueError("only guests have guest tokens")
        now = time.time()
        claims = {
            "iss": self._issuer,
            "sub": user.id,
            "name": user.name,
            # Kept from token to token: who revokes one revokes those that came of it.
            "jti": user.jti or _any_id(),
            "iat": int(now if user.issued_at is None else user.issued_at),
            "exp": int(now + self.lifetime),
        }
        # Not by PyJWT: it looks anew what kind of key this is for each token, a tenth of what a guest costs who comes in.
        signed = _HEADER + b"." + _base64(msgspec.json.encode(claims))
        return (signed + b"." + _base64(hmac.digest(self._key.material, signed, "sha256"))).decode()

    @staticmethod
    def is_guest_token(token: str) -> bool:
        """Does a token say that it is a guest token, of any instance? It is not verified."""
        try:
            return _is_guest_head(token.partition(".")[0]) and type_of(read_header(token)) == _TYPE
        except Unauthenticated:
            return False

    async def rename(self, user: User, name: str) -> User:
        """The same user under a cleaned name. Raises `InvalidField`, `InvalidText`, `Unavailable`."""
        clean = clean_name(name)
        if await self._is_reserved(clean):
            raise InvalidField("is reserved here; choose another", field="name")
        return msgspec.structs.replace(user, name=clean)

    async def _is_reserved(self, name: str) -> bool:
        if name in self._reserved:
            return True
        try:
            return any([await is_reserved(name) for is_reserved in self._also_reserved])
        except ChatError:
            raise
        except Exception as exc:  # the app's code may raise anything; the guest may try again
            logger.error("whether a name is reserved could not be found out", exc_info=exc)
            raise Unavailable("this name could not be checked; try again") from exc

    def _new(self) -> User:
        return User(
            GUEST + secrets.token_urlsafe(16),
            _any_name(),
            guest=True,
            jti=_any_id(),
            issued_at=float(int(time.time())),
        )

    async def _known(self, token: str) -> User:
        claims = read_token(
            token, [self._key], _ALGORITHMS, types=frozenset((_TYPE,)), issuer=(self._issuer,)
        )
        guest = _guest(claims)
        if claims["exp"] <= time.time():
            raise TokenExpired("the guest token has expired; connect without it to be a new guest")
        # The name may have been reserved since the token was made. The guest gets another name, and stays the same guest.
        if await self._is_reserved(guest.name):
            return msgspec.structs.replace(guest, name=_any_name())
        return guest


def _any_id() -> str:
    return secrets.token_urlsafe(12)


def _any_name() -> str:
    return f"Guest {1000 + secrets.randbelow(9000)}"


def _guest(claims: dict[str, Any]) -> User:
    # Anyone with the secret may have written other claims than `token` does.
    user_id, name, exp = (claims.get(claim) for claim in ("sub", "name", "exp"))
    jti, iat = proof_id(claims, "jti"), claims.get("iat")
    if not (isinstance(user_id, str) and isinstance(name, str) and type(exp) is int):
        raise Refused(_UNREADABLE)
    if not user_id.startswith(GUEST):
        raise Refused(_UNREADABLE)
    issued_at = float(iat) if type(iat) is int and 0 <= iat < LATEST else None
    try:
        return User(check_user_id(user_id), clean_name(name), guest=True, jti=jti, issued_at=issued_at)
    except ChatError:
        raise Refused(_UNREADABLE) from None
