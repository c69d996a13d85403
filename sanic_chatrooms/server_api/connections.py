"""Verbs about connections: which there are, and how to close them."""

import msgspec

from ..errors import InvalidField
from ..live.presence import ANYWHERE
from ..models import Sender, User
from ..sessions.inbox import Close
from ..wire import codes
from ..wire.codes import CloseCode
from .base import Verbs, id_of

__all__ = ["ConnectionInfo", "Connections"]


class ConnectionInfo(msgspec.Struct, frozen=True):
    """One connection to this worker."""

    session: str
    user: User
    state: str
    rooms: tuple[str, ...]
    remote_ip: str


class Connections(Verbs):
    """Verbs about connections: which there are, and how to close them."""

    async def online(self, *users: User | Sender | str, grace: bool = True) -> set[str]:
        """The ids of those among these users who have a connection to any worker.

        Users who left less than `PRESENCE_GRACE` seconds ago count too, because they may be back in a moment. With
        `grace=False` only users count who would receive a push now.
        """
        room = None if grace else ANYWHERE
        return await self.running().backends.presence.online([id_of(user) for user in users], room=room)

    def connections(self, user: User | Sender | str | None = None) -> list[ConnectionInfo]:
        """The connections to this worker: of one user, or of all."""
        chat = self.running()
        sessions = chat.sessions if user is None else chat.sessions.of(id_of(user))
        return [
            ConnectionInfo(s.id, s.user, s.state.value, tuple(s.seats), s.handshake.remote_ip)
            for s in sessions
            if s.authenticated
        ]

    async def disconnect(
        self,
        user: User | Sender | str,
        *,
        session: str | None = None,
        code: int = CloseCode.DISCONNECTED,
        reason: str = "",
    ) -> None:
        """Close all connections of a user on every worker, or only the one with this session id.

        When it returns, this worker stores nothing more from them. `code` is 1000, 1001, 1008, 1011 to 1013, or 3000 to
        4999; 4000 to 4499 tell a client to reconnect. `reason` has at most 123 bytes. Raises `Unavailable`.
        """
        if not (code in (1000, 1001, 1008, 1011, 1012, 1013) or 3000 <= code <= 4999):
            raise InvalidField("must be 1000, 1001, 1008, 1011 to 1013, or 3000 to 4999", field="code")
        if len(reason.encode()) > 123:
            raise InvalidField("must be at most 123 bytes", field="reason")
        message = Close(int(code), reason or codes.reason(code), session)
        await self.running().inbox.send(id_of(user), message)
