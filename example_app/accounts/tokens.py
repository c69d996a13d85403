"""Two kinds of tokens: a short one that opens the chat, and a long one, in a cookie, that fetches the next short one.

Both are signed and not stored. Of each login, only the number of its newest refresh token is kept (`AccountStore.rotate`).
"""

import contextlib
import hmac
import os
import secrets
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import jwt

from sanic_chatrooms import Unauthenticated

from .store import Login

AUDIENCE = ISSUER = "example-chat"


class Tokens:
    def __init__(self, secret: str) -> None:
        self.key = secret
        """By which the chat verifies access tokens."""
        self._refresh_key = hmac.digest(secret.encode(), b"refresh tokens", sha256)

    def access(self, login: Login, now: float, lifetime: float) -> str:
        account = login.account
        who = {"sub": account.id, "name": account.name, "sid": login.id, "jti": secrets.token_urlsafe(9)}
        how = {"amr": ["pwd", "otp"] if login.with_code else ["pwd"]}  # RFC 8176
        times = {"iat": now, "exp": now + lifetime, "iss": ISSUER, "aud": AUDIENCE}
        return jwt.encode({**who, **how, **times}, self.key, "HS256", headers={"typ": "at+jwt"})

    def login_of(self, access: str, now: float) -> str:
        """The login of an access token. Raises `Unauthenticated`."""
        with contextlib.suppress(jwt.PyJWTError, KeyError, UnicodeEncodeError):
            claims = jwt.decode(
                access,
                self.key,
                ["HS256"],
                audience=AUDIENCE,
                issuer=ISSUER,
                options={"verify_exp": False, "verify_iat": False},  # the clock is not PyJWT's
            )
            if claims["exp"] > now:
                return str(claims["sid"])
        raise Unauthenticated("Sign in again.")

    def refresh(self, login: str, number: int) -> str:
        return f"{login}.{number}.{self._signature(login, number)}"

    def read_refresh(self, token: str) -> tuple[str, int] | None:
        """Login and number of a token that we made, else None. So nobody ends a login of others with a guess."""
        login, _, rest = token.partition(".")
        number, _, signature = rest.partition(".")
        if not (token.isascii() and number.isdecimal() and len(number) < 12):
            return None
        fits = hmac.compare_digest(signature.encode(), self._signature(login, int(number)).encode())
        return (login, int(number)) if fits else None

    def _signature(self, login: str, number: int) -> str:
        return hmac.new(self._refresh_key, f"{login}.{number}".encode(), sha256).hexdigest()


def new_secret() -> str:
    return secrets.token_urlsafe(48)


def kept_secret(path: Path, new: Callable[[], str] = new_secret) -> str:
    """The secret in a file of its own, which is made once, whole, and readable by nobody else."""
    if path.exists():
        return path.read_text()
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123
        file.write(new())
    try:
        path.hardlink_to(draft)  # another worker may have been faster
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text()
