"""One WebSocket route: its authenticator, policy, settings and limits."""

import inspect

import msgspec

from ..access.policy import Policy
from ..auth.base import Authenticator
from ..auth.jwt import JWTAuth
from ..auth.tickets import Tickets
from ..config.settings import Settings

__all__ = ["Route"]


class Route(msgspec.Struct, kw_only=True, eq=False):
    """The properties that all connections of a route share."""

    settings: Settings
    """Others after `reconfigure`."""
    policy: Policy
    authenticator: Authenticator | None
    """None: no token is accepted."""
    guests: Authenticator | None
    """Lets in guests; None: there are no guests here."""
    tickets: Authenticator | None = None
    """Accepts tickets; None: they are not accepted here."""
    read_only: bool = False
    confined: bool = False
    """Its connections are only in the route's room."""
    plain_policy: bool = True
    """Whether the policy answers at once, so that messages need no task."""

    def __post_init__(self) -> None:
        self.plain_policy = not inspect.iscoroutinefunction(self.policy.require)

    @property
    def wants_request(self) -> bool:
        """Whether its authenticator may look at Sanic's request when it is asked again. Those for tokens do not."""
        members = () if self.authenticator is None else self.authenticator.members
        return any(type(one) not in (JWTAuth, Tickets) for one in members)
