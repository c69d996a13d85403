"""The contract of an authenticator: from what a client shows to who it is."""

from abc import ABC, abstractmethod

from ..models import Credentials, Handshake, User

__all__ = ["Authenticator"]


class Authenticator(ABC):
    """Turns credentials into a `User`.

    1. It returns a user or raises `Unauthenticated` (`TokenExpired` where the token was good once): never None.
    2. Any other exception is logged and counts as a refusal.
    3. It may be called at any time of a connection's life, to refresh an identity.
    """

    @abstractmethod
    async def authenticate(self, credentials: Credentials, handshake: Handshake) -> User:
        """Who is this? `credentials.token` is None when the client showed nothing; `handshake` has the request's
        headers and cookies, for authenticators that read a session of the host's."""
