"""Tickets: proofs of identity for one connection, made by somebody whom the server knows already."""

import re
import secrets
import time
from typing import Final

import msgspec
from msgspec.structs import replace

from ..errors import ConfigError, InvalidField, Unauthenticated
from ..models import Credentials, Handshake, User
from ..wire.encode import has_odd_float
from .base import Authenticator
from .once import FactStore, Once
from .tokens import Refused

__all__ = ["TICKET_TTL", "Tickets"]

TICKET_TTL: Final = 60.0
"""Most seconds for which a ticket is valid."""
_FORM = re.compile(r"[A-Za-z0-9_-]{32}")
_user = msgspec.json.Decoder(User)


class Tickets(Authenticator):
    """Accepts the tickets that `chat.ticket(user)` and `POST <prefix>/api/tickets` make, in `?ticket=` of the handshake.

    `ChatRooms(auth=Tickets())` lets in nobody else; the setting `TICKETS` accepts tickets beside any authenticator. A ticket
    is 192 random bits. It is valid for `TICKET_TTL` seconds (60 at most), and for one connection on all workers together: a
    URL that ends up in a log is of no use. The store has its hash, and the user.
    """

    reads_tokens = False

    def __init__(self) -> None:
        self._once: Once | None = None
        self.ttl = TICKET_TTL

    def at(self, store: FactStore, ttl: float) -> "Tickets":
        """For the chat: the same with a store, where they are valid for so many seconds."""
        tickets = Tickets()
        tickets._once, tickets.ttl = Once(store, "ticket"), ttl
        return tickets

    async def issue(self, user: User) -> str:
        """A ticket for this user. It carries the id and the age of the proof that the user showed, so that revoking that one
        revokes it, too; without one, its own. Raises `InvalidField`, `Unavailable`."""
        now = time.time()
        carried = replace(
            user,
            jti=user.jti or secrets.token_urlsafe(12),
            issued_at=now if user.issued_at is None else user.issued_at,
        )
        try:
            data = msgspec.json.encode(carried)
        except (TypeError, ValueError):
            raise InvalidField("has claims that are no JSON values", field="user") from None
        if b"null" in data and has_odd_float(user.claims):
            raise InvalidField("has claims that are no JSON values: nan or inf", field="user")
        ticket = secrets.token_urlsafe(24)
        await self._kept.put(ticket, data, now + self.ttl)
        return ticket

    async def authenticate(self, credentials: Credentials, handshake: Handshake) -> User:
        """The user of `credentials.ticket`, once. Raises `Unauthenticated` for one that is used, unknown or late."""
        ticket = credentials.ticket
        if ticket is None:
            raise Unauthenticated("connect with a ticket")
        if not _FORM.fullmatch(ticket):
            raise Refused("this is no ticket")
        data = await self._kept.take(ticket)
        if data is None:
            raise Refused("the ticket is used, unknown or late")
        return _user.decode(data)

    @property
    def _kept(self) -> Once:
        if self._once is None:
            raise ConfigError("these tickets belong to no running chat")
        return self._once
