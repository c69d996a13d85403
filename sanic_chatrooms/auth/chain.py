"""Several authenticators, of which the first that knows the credentials decides."""

from collections.abc import Sequence

from ..errors import ConfigError, TokenExpired, Unauthenticated, Unavailable
from ..models import Credentials, Handshake, User
from .asking import Unseen
from .base import Authenticator
from .tokens import Refused

__all__ = ["Chain"]


class Chain(Authenticator):
    """Asks its authenticators in their order; the first that returns a user decides.

    1. Without a token, all are asked. With one, only those that read tokens (`Authenticator.reads_tokens`): a wrong token
       is not made good by a cookie.
    2. `Unauthenticated` means "not mine", and the next is asked. It is final if the token was made for the one that
       refuses: one of its keys signed it, and it is for another audience, of another kind, or lacks something.
    3. `TokenExpired` and every other error are final. `Unavailable` is raised only if no later one knows the credentials.

    Raises `ConfigError` for anything but authenticators, and for none.
    """

    def __init__(self, *authenticators: Authenticator) -> None:
        given: tuple[object, ...] = authenticators
        wrong = [one for one in given if not isinstance(one, Authenticator)]
        if wrong or not authenticators:
            what = type(wrong[0]).__name__ if wrong else "nothing"
            raise ConfigError(f"Chain(…) takes one or more authenticators, and not {what}")
        self._authenticators = authenticators

    @property
    def reads_tokens(self) -> bool:  # type: ignore[override]
        """Whether one of them does."""
        return any(one.reads_tokens for one in self._authenticators)

    @property
    def members(self) -> Sequence[Authenticator]:
        """All of them, those of chains in it too."""
        return [one for member in self._authenticators for one in member.members]

    async def authenticate(self, credentials: Credentials, handshake: Handshake) -> User:
        """The user with these credentials. Raises what the class says."""
        shown = not isinstance(credentials, Unseen) and credentials.token is not None
        asked = [one for one in self._authenticators if one.reads_tokens or not shown]
        unknown: Unauthenticated | None = None
        unavailable: Unavailable | None = None
        for one in asked:
            try:
                return await one.authenticate(credentials, handshake)
            except TokenExpired:
                raise
            except Unauthenticated as problem:
                if isinstance(problem, Refused) and problem.final:
                    raise
                unknown = unknown or problem
            except Unavailable as problem:
                unavailable = unavailable or problem
        raise unavailable or unknown or Refused("none of the authenticators reads tokens")

    async def stop(self) -> None:
        """Stop all of them."""
        for one in self._authenticators:
            await one.stop()
