"""Calls authenticators and checks what they return. The log tells the developer what is wrong; the client is not told."""

import logging
import math
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final

from msgspec import field
from msgspec.structs import replace

from ..errors import ChatError, Unauthenticated
from ..models import Credentials, Handshake, User
from ..support.user_ids import GUEST, check_user_id, is_text, is_unicode
from .base import Authenticator
from .claims import MAX_PROOF_ID
from .guests import Guests
from .jwt import JWTAuth
from .names import shown_name
from .tokens import MAX_TOKEN, Refused

__all__ = ["NOT_ACCEPTED", "TICKET_NOT_ACCEPTED", "Asking", "Unseen"]

logger = logging.getLogger("sanic_chatrooms.verbs.identity")

NOT_ACCEPTED: Final = "this token is not accepted here; get a new one"
"""The answer to every token that is refused, whatever is wrong with it. The log says what."""
TICKET_NOT_ACCEPTED: Final = "this ticket is not accepted here; get a new one"
MAX_ACCEPTED = 4096
"""Tokens that are remembered as accepted; the one that was shown least recently goes first."""
AGAIN = 60.0
"""Seconds in which the same fault of an authenticator is logged once, because a client can cause it as often as it likes."""
MAX_FAULTS = 100
"""Faults that are remembered."""
_CAREFUL = (Guests, JWTAuth)
"""What makes its users itself, from what it has checked. A class that derives from it may not."""
_LEAST_SECRET = 8
"""Characters that a value has at least to be removed from a traceback: shorter ones may be ordinary words."""


class Unseen(Credentials, frozen=True):
    """Credentials without a token. `looked` gets an entry when an authenticator reads the token: then one may follow."""

    looked: list[bool] = field(default_factory=list)

    @property  # type: ignore[misc]  # of the same type, and noted
    def token(self) -> None:
        """None, and a note that it was asked for."""
        self.looked.append(True)


class Asking:
    """Asks the authenticators of one instance, and remembers which faults it has logged."""

    def __init__(
        self, required_amr: Sequence[str] = (), *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`required_amr`: how everybody but guests must have signed in."""
        self._required_amr = tuple(required_amr)
        self._clock = clock
        self._faults: dict[str, tuple[float, int]] = {}
        self._accepted: OrderedDict[bytes, None] = OrderedDict()

    async def ask(self, authenticator: Authenticator, credentials: Credentials, handshake: Handshake) -> User:
        """The user with these credentials, with a cleaned name.

        Raises `Unauthenticated`, also if the authenticator returns or raises something that it must not, and any other
        `ChatError` that the authenticator raises.
        """
        try:
            token = None if isinstance(credentials, Unseen) else credentials.token
            _check_token(token)
            user: object = await authenticator.authenticate(credentials, handshake)
            if type(authenticator) in _CAREFUL and isinstance(user, User) and self._has_signed_in_well(user):
                return user
        except Refused as refused:
            raise self._refusal(refused.message, credentials) from None
        except ChatError:
            raise
        except Exception as exc:  # noqa: BLE001 - the app's code may raise anything; it is logged
            self._tell(
                authenticator, f"failed with {type(exc).__name__}", _story(exc, credentials, handshake)
            )
        else:
            fault = _fault_of(user)
            if fault is None and isinstance(user, User):
                if self._has_signed_in_well(user):
                    name, scopes, amr = shown_name(user.name, user.id), tuple(user.scopes), tuple(user.amr)
                    return replace(user, name=name, scopes=scopes, amr=amr)
                raise self._refusal(
                    f"the user's amr lacks some of {', '.join(self._required_amr)}", credentials
                )
            self._tell(authenticator, f"returned {fault}")
        raise Unauthenticated("your identity could not be checked")

    def _has_signed_in_well(self, user: User) -> bool:
        return user.guest or not self._required_amr or set(self._required_amr) <= set(user.amr)

    def accepted(self, token: str) -> None:
        """Remember that this token was accepted."""
        known, key = self._accepted, _hash(token)
        known[key] = None
        known.move_to_end(key)
        if len(known) > MAX_ACCEPTED:
            known.popitem(last=False)

    def has_accepted(self, token: str) -> bool:
        """Whether this token was accepted here before, so that nobody is guessing who shows it."""
        return _hash(token) in self._accepted

    def _refusal(self, reason: str, credentials: Credentials) -> Unauthenticated:
        """The answer, which does not tell the reason; the log does."""
        ticket = credentials.ticket is not None
        if (more := self._again(reason)) is not None:
            logger.info("a %s was refused%s: %s", "ticket" if ticket else "token", more, reason)
        return Unauthenticated(TICKET_NOT_ACCEPTED if ticket else NOT_ACCEPTED)

    def _tell(self, authenticator: Authenticator, what: str, story: str = "") -> None:
        fault = f"{type(authenticator).__name__} {what}"
        if (more := self._again(fault)) is not None:
            logger.error("the authenticator %s; refused%s%s", fault, more, story and f"\n{story}")

    def _again(self, fault: str) -> str | None:
        """What to add to the line about a fault, because it was not told each time; None: tell nothing now."""
        now = self._clock()
        told_at, untold = self._faults.get(fault, (-math.inf, 0))
        if now - told_at < AGAIN:
            self._faults[fault] = (told_at, untold + 1)
            return None
        if len(self._faults) >= MAX_FAULTS:
            self._faults.clear()
        self._faults[fault] = (now, 0)
        return f" ({untold} times more since this was told)" if untold else ""


def _hash(token: str) -> bytes:
    return blake2b(token.encode(errors="replace"), digest_size=16).digest()


def _check_token(token: str | None) -> None:
    if token is None:
        return
    if len(token) > MAX_TOKEN or (not token.isascii() and len(token.encode(errors="replace")) > MAX_TOKEN):
        raise Refused(f"the token is larger than {MAX_TOKEN} bytes")
    if not is_text(token):
        raise Refused("the token holds characters that no token has")


def _fault_of(user: object) -> str | None:
    """What is wrong with this as a user, in words that quote nothing of it; None: nothing."""
    if not isinstance(user, User):
        return f"{type(user).__name__} instead of a User"
    return (
        _fault_of_id(user)
        or _fault_of_name(user.name)
        or _fault_of_words(user.scopes, "scopes")
        or _fault_of_words(user.amr, "amr")
        or _fault_of_proof(user.jti, "jti")
        or _fault_of_proof(user.sid, "sid")
        or _fault_of_time(user.expires_at, "expires_at")
        or _fault_of_time(user.issued_at, "issued_at")
        or _fault_of_claims(user.claims)
    )


def _fault_of_id(user: User) -> str | None:
    try:
        user_id = check_user_id(user.id, "id")
    except ChatError as problem:
        return f"a User whose {problem}"
    if user.guest != user_id.startswith(GUEST):
        return f"a User whose id begins with {GUEST!r} and who is no guest, or the other way round"
    return None


def _fault_of_name(name: Any) -> str | None:
    if not isinstance(name, str):
        return f"a User whose name is {type(name).__name__} and not a string"
    return None if is_unicode(name) else "a User whose name holds a lone surrogate"


def _fault_of_words(words: Any, field: str) -> str | None:
    if not isinstance(words, tuple | list | set | frozenset) or not all(isinstance(w, str) for w in words):
        return f"a User whose {field} are not a tuple of strings"
    return None if all(map(is_text, words)) else f"a User whose {field} hold control characters or surrogates"


def _fault_of_proof(id: Any, field: str) -> str | None:
    if id is None or (isinstance(id, str) and 0 < len(id) <= MAX_PROOF_ID and is_text(id)):
        return None
    return f"a User whose {field} is not a string of 1 to {MAX_PROOF_ID} readable characters"


def _fault_of_time(at: Any, field: str) -> str | None:
    if at is None:
        return None
    if isinstance(at, bool) or not isinstance(at, int | float):
        return f"a User whose {field} is {type(at).__name__} and not a number of Unix seconds"
    return None if math.isfinite(at) else f"a User whose {field} is no finite number"


def _fault_of_claims(claims: Any) -> str | None:
    return None if isinstance(claims, Mapping) else "a User whose claims are no mapping"


def _story(exc: Exception, credentials: Credentials, handshake: Handshake) -> str:
    """The traceback, without the client's credentials."""
    text = "".join(traceback.format_exception(exc)).rstrip().encode(errors="backslashreplace").decode()
    headers = handshake.headers
    shown = [
        credentials.token,
        *handshake.cookies.values(),
        *handshake.query.values(),
        *(headers.get(name) for name in ("authorization", "cookie", "sec-websocket-protocol")),
    ]
    for secret in sorted({one for one in shown if one and len(one) >= _LEAST_SECRET}, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text
