"""A command on its way, as a verb sees it: the same by a socket, by `as_user=`, and by the app itself."""

from typing import Any

from ..access.access import permit
from ..config.settings import Settings
from ..errors import InvalidField, NotAMember
from ..hooks.middleware import Context
from ..models import HOST, Appended, Change, Draft, Member, Room, Sender, User
from ..sessions.session import Seat, Session
from ..support.clock import now
from ..wire.decode import Command
from .acting import Acting
from .core import Core
from .drafts import command_hash, draft
from .table import Judged, Row

__all__ = ["Ctx"]


class Ctx(Context):
    """`actor` asks (a session, a user without a connection, or None: the app, which may everything) for `command`."""

    __slots__ = ("_now", "actor", "core", "result", "row", "seat")

    seat: Seat
    """The room and the actor's membership in it, as it was judged."""

    def __init__(
        self, core: Core, row: Row, actor: Session | Acting | None, command: Command, chat: Any, app: Any
    ) -> None:
        super().__init__(actor, command, chat, app)
        self.core = core
        self.row = row
        self.actor = actor
        self.result: Any = None
        """What the ack holds, when it is done."""
        self._now = 0.0

    @property
    def settings(self) -> Settings:
        """Those of the route, or of the instance."""
        return self.core.settings if self.actor is None else self.actor.settings

    @property
    def sender(self) -> Sender | None:
        """Who causes it, as everybody may see; None: the app."""
        return None if self.actor is None else Sender(self.actor.user.id, self.actor.user.name)

    @property
    def now(self) -> float:
        """The time of the command (Unix seconds): that of its event too."""
        self._now = self._now or now()
        return self._now

    @property
    def room_id(self) -> str:
        """The room that it names. Raises `InvalidField` where it names none."""
        if self.command.room is None:
            raise InvalidField("is missing", field="room")
        return self.command.room

    # ---- may they? ----

    async def judge(self) -> None:
        """Find room and membership, and ask the policy, as the row says. Raises what refuses."""
        judged = self.row.judged
        if judged is Judged.NO_ROOM:
            await self.permit(None, None)
        elif judged is Judged.SEAT and isinstance(self.actor, Session):
            seat = self.actor.seats.get(self.room_id)
            if seat is None:
                raise NotAMember
            self.seat = seat
            await self._permit_in(seat)
        elif judged in (Judged.SEAT, Judged.ROOM):
            user: User | None = None if self.actor is None else self.actor.user
            self.seat = Seat(*await self.core.access.find(user, self.room_id))
            await self._permit_in(self.seat)

    async def _permit_in(self, seat: Seat) -> None:
        await self.permit(seat.room, seat.member)
        if self.row.speaks and self.row.type != "message":
            await self.may_speak(seat.room, seat.member)

    async def permit(self, room: Room | None, member: Member | None) -> None:
        """Ask the policy about this command."""
        if self.actor is not None:
            await permit(self.actor, self.row.type, room, member)

    async def may_speak(self, room: Room, member: Member | None) -> None:
        """Ask the policy whether they may say something there, whatever the command is called by which they do."""
        if self.actor is not None:
            await permit(self.actor, "message", room, member)

    # ---- it becomes true ----

    async def append(
        self,
        payload: bytes,
        *,
        type: str | None = None,
        room: str | None = None,
        change: Change | None = None,
    ) -> Appended | None:
        """Store the command's event (`type`: the row's, `room`: the one that was judged). None: it waits for a transaction.

        Raises what `Store.append` says.
        """
        item = self._draft(
            type or self.row.event or self.command.type, room or self.seat.room.id, payload, change
        )
        self.stored = await self._keep(item)
        return self.stored

    def _draft(self, type: str, room: str, payload: bytes, change: Change | None) -> Draft:
        sender, command = self.sender, self.command
        key = (HOST if sender is None else sender.id, command.msg_id) if command.msg_id is not None else None
        hash = b"" if sender is None else command_hash(command)
        return draft(room, type, payload, sender, key=key, hash=hash, change=change, timestamp=self.now)

    async def _keep(self, item: Draft) -> Appended | None:
        if isinstance(self.actor, Acting):
            return await self.actor.keep(item)
        return await self.core.journal.append(item, self.actor)
