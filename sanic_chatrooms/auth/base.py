"""The contract of an authenticator, which turns credentials into a user."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from ..models import Credentials, Handshake, User

__all__ = ["Authenticator"]


class Authenticator(ABC):
    """Turns credentials into a `User`.

    1. It returns a user or raises `Unauthenticated` (`TokenExpired` if the token was valid once). It never returns None.
    2. Any other exception, and anything that is no valid `User`, counts as a refusal. Each kind is logged once a minute.
    3. It may be called at any time while a connection is open, to refresh an identity.
    4. If it refuses a request without a token and has not read `credentials.token`, no token can change that, and the
       request is answered with 401. Otherwise the client may still send a token.
    """

    reads_tokens: ClassVar[bool] = True
    """Set this to False if it never looks at `credentials.token`. In a `Chain`, it is then asked only without a token."""

    @property
    def members(self) -> "Sequence[Authenticator]":
        """The authenticators in it: itself, or those of a `Chain`."""
        return (self,)

    @abstractmethod
    async def authenticate(self, credentials: Credentials, handshake: Handshake) -> User:
        """The user with these credentials.

        `credentials.token` is None if the client sent no token. `handshake` has the request's headers and cookies, for
        authenticators that read a session of the app. Raises `Unauthenticated`, `TokenExpired`.
        """

    async def stop(self) -> None:  # noqa: B027 - most have nothing to end
        """End what runs in the background. The chat calls this when it stops; it may be asked again afterwards."""
