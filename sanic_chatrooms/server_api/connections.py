"""Verbs about connections: which there are, how to close them, and how to keep users out."""

import time
from typing import Any

import msgspec

from ..auth.claims import LATEST, MAX_PROOF_ID
from ..errors import ConfigError, InvalidField
from ..live.presence import ANYWHERE
from ..models import Sender, User
from ..sessions.inbox import Close
from ..support.clock import now
from ..support.user_ids import is_text
from ..wire import codes
from ..wire.codes import CloseCode
from .base import Verbs, id_of

__all__ = ["ConnectionInfo", "Connections"]

LONGEST_REASON = 500
"""Characters in the reason of a ban."""


class ConnectionInfo(msgspec.Struct, frozen=True):
    """One connection to this worker."""

    session: str
    user: User
    state: str
    rooms: tuple[str, ...]
    remote_ip: str


class Connections(Verbs):
    """Verbs about connections: which there are, how to close them, and how to keep users out."""

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

    async def revoke(
        self,
        *,
        user: User | Sender | str | None = None,
        jti: str | None = None,
        sid: str | None = None,
        issued_before: float | None = None,
    ) -> None:
        """Revoke tokens, and close their connections with 4500 on every worker: all tokens of `user` that were issued until now
        (or until `issued_before`, in Unix seconds), the token `jti`, or all tokens of the sign-in `sid`.

        When it returns, no worker lets such a token in, and this worker has closed the connections. The other workers close
        theirs in a moment: in less than a quarter of a second if the broker works, else as soon as they compare positions.
        Tokens that do not say when they were issued (`User.issued_at`) count as issued before, and a token from the same
        second does, too, because times in tokens are whole seconds. A revocation is kept for `REVOCATION_TTL`.

        Raises `InvalidField`, `Unavailable`.
        """
        if user is None and jti is None and sid is None:
            raise InvalidField("is needed, or jti, or sid", field="user")
        if issued_before is not None and user is None:
            raise InvalidField("is about the tokens of a user; give user, too", field="issued_before")
        until = time.time() if issued_before is None else _time(issued_before, "issued_before")
        whose = None if user is None else id_of(user)
        await self.running().revocations.revoke(whose, _proof(jti, "jti"), _proof(sid, "sid"), until)

    async def ticket(self, user: User) -> str:
        """A ticket with which this user can connect once, by `?ticket=…`, within `TICKET_TTL` seconds and on any worker.

        It expires with the user's own proof (`User.expires_at`), and revoking that one revokes it, too. The app says who the
        user is. Raises `InvalidField`, `Unavailable`, and `ConfigError` where the setting `TICKETS` is off.
        """
        chat = self.running()
        if not chat.gives_tickets:
            raise ConfigError("tickets are off: set CHATROOMS_TICKETS = True")
        if not isinstance(user, User):
            raise InvalidField(f"must be a User, and not {type(user).__name__}", field="user")
        id_of(user)
        if user.expires_at is not None:
            _time(user.expires_at, "expires_at")
        return await chat.tickets.issue(user)

    async def ban_user(
        self, user: User | Sender | str, *, until: float | None = None, reason: str = ""
    ) -> bool:
        """Ban a user from the whole server, `until` a time (Unix seconds) or for good. True if that changed anything.

        Every worker closes their connections with 4507, and refuses new ones with HTTP 403 and the code `banned`. A call with
        `as_user=` raises `Banned`. When it returns, no worker lets them in, and this worker takes nothing more from them; what
        is being stored just then, or is sent to another worker before that has heard of it, is still stored. Memberships
        stay. Raises `InvalidField`, `Unavailable`.
        """
        if len(reason) > LONGEST_REASON or not is_text(reason):
            raise InvalidField(f"must be at most {LONGEST_REASON} characters in one line", field="reason")
        end = None if until is None else _time(until, "until")
        if end is not None and end <= now():
            raise InvalidField("has passed already", field="until")
        return await self.running().revocations.ban(id_of(user), end, reason)

    async def unban_user(self, user: User | Sender | str) -> bool:
        """End a ban from the whole server. True if there was one. Raises `InvalidField`, `Unavailable`."""
        return await self.running().revocations.unban(id_of(user))


def _time(value: Any, field: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < LATEST:
        raise InvalidField("must be a time in Unix seconds", field=field)
    return float(value)


def _proof(id: Any, field: str) -> str | None:
    if id is None:
        return None
    if isinstance(id, str) and 0 < len(id) <= MAX_PROOF_ID and is_text(id):
        return id
    raise InvalidField(f"must be 1 to {MAX_PROOF_ID} characters", field=field)
