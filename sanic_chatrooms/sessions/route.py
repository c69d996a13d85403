"""One WebSocket route: who may come in, by what they are judged, and what they may do there."""

import inspect

import msgspec

from ..access.policy import Policy
from ..auth.base import Authenticator
from ..config.settings import Settings

__all__ = ["Endpoint"]


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What a route's connections have in common."""

    settings: Settings
    policy: Policy
    authenticator: Authenticator | None
    """None: nobody can sign in here."""
    guests: Authenticator | None
    """Who lets in those that show nothing, and guests who come back; None: nobody does."""
    read_only: bool = False
    confined: bool = False
    """Its connections join no room but that of the route."""

    @property
    def plain_policy(self) -> bool:
        """The policy's answer is there at once: messages need not wait their turn."""
        return not inspect.iscoroutinefunction(self.policy.require)
