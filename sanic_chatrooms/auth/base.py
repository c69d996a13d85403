"""The contract of an authenticator: from what a client shows to who it is."""

from abc import ABC, abstractmethod

from ..models import Credentials, Handshake, User

__all__ = ["Authenticator"]


class Authenticator(ABC):
    """Turns credentials into a `User`.

    1. It returns a user or raises `Unauthenticated` (`TokenExpired` where the token was good once): never None.
    2. Any other exception, and whatever is no proper `User`, counts as a refusal; each kind is logged once a minute.
    3. It may be called at any time of a connection's life, to refresh an identity.
    4. Where it refuses a request that shows no token without having read `credentials.token`, a token could change
       nothing: the request is answered by 401. Else the client may still send one.
    """

    @abstractmethod
    async def authenticate(self, credentials: Credentials, handshake: Handshake) -> User:
        """Who is this? `credentials.token` is None when the client showed nothing; `handshake` has the request's
        headers and cookies, for authenticators that read a session of the app's."""
