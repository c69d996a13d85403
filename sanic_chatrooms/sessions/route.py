"""One WebSocket route: its authenticator, policy, settings and limits."""

import inspect

import msgspec

from ..access.policy import Policy
from ..auth.base import Authenticator
from ..auth.jwt import JWTAuth
from ..auth.tickets import Tickets
from ..config.settings import Settings
from ..support.time_limit import TimeLimit

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

    knows_keys: bool = False
    """Whether its authenticator judges tokens by keys, and asks nobody else. A class that derives from JWTAuth may ask anybody."""
    wants_request: bool = False
    """Whether its authenticator may look at Sanic's request when it is asked again. Those for tokens do not."""
    _limit: TimeLimit | None = None

    def __post_init__(self) -> None:
        self.plain_policy = not inspect.iscoroutinefunction(self.policy.require)
        members = () if self.authenticator is None else self.authenticator.members
        self.knows_keys = bool(members) and all(
            type(one) is JWTAuth or not one.reads_tokens for one in members
        )
        self.wants_request = any(type(one) not in (JWTAuth, Tickets) for one in members)

    @property
    def auth_limit(self) -> TimeLimit:
        """Ends what takes longer than `auth_timeout`."""
        if self._limit is None or self._limit.seconds != self.settings.auth_timeout:
            self._limit = TimeLimit(self.settings.auth_timeout)
        return self._limit
