"""The context of a command: the same from a connection, from `as_user=`, and from the app itself."""

import time
from collections.abc import Callable
from typing import Any, Unpack

from ..access.access import judge, permit
from ..access.limits.kinds import Kind
from ..access.limits.limits import refusal
from ..access.standing import Standing
from ..config.settings import Settings
from ..errors import InvalidField, NotAMember, Unavailable
from ..hooks.middleware import Context
from ..models import APP, Appended, Draft, Room, Sender, User
from ..sessions.seats import Seat
from ..sessions.session import Session
from ..stores.base import Stale
from ..support.clock import now
from ..wire.decode import Command
from .acting import Acting
from .core import Core
from .drafts import Effects, command_hash, draft
from .table import Judged, Row

__all__ = ["Ctx"]


class Ctx(Context):
    """One command of an `actor`: a session, a user without a connection, or None for the app, which may do everything."""

    __slots__ = ("_now", "actor", "core", "result", "row", "seat")

    session: Any  # the whole session; hooks see a `Caller`
    seat: Seat
    """The room and the actor's standing, by which the command was judged."""

    def __init__(
        self, core: Core, row: Row, actor: Session | Acting | None, command: Command, chat: Any, app: Any
    ) -> None:
        super().__init__(actor, command, chat, app)
        self.core = core
        self.row = row
        self.actor = actor
        self.result: Any = None
        """The payload of the ack, when the command is done."""
        self._now = 0.0

    @property
    def settings(self) -> Settings:
        """The settings of the route, or of the instance."""
        return self.core.settings if self.actor is None else self.actor.settings

    @property
    def sender(self) -> Sender | None:
        """The sender of the event; None: the app."""
        return None if self.actor is None else Sender(self.actor.user.id, self.actor.user.name)

    @property
    def reader(self) -> str | None:
        """The id of the user who reads the answer; None: the app."""
        return None if self.actor is None else self.actor.user.id

    @property
    def now(self) -> float:
        """The time of the command and of its event (Unix seconds)."""
        self._now = self._now or now()
        return self._now

    @property
    def room_id(self) -> str:
        """The room of the command. Raises `InvalidField` if it names none."""
        if self.command.room is None:
            raise InvalidField("is missing", field="room")
        return self.command.room

    # ---- permission ----

    async def judge(self) -> None:
        """Look up the room and the standing, and decide as the row says. Raises the refusal."""
        judged = self.row.judged
        if judged is Judged.NO_ROOM:
            await self.permit(None, Standing())
        elif judged is Judged.SEAT and isinstance(self.actor, Session):
            await self._judge_in(await self._own_seat(self.actor))
        elif judged in (Judged.SEAT, Judged.ROOM):
            await self._judge_in(await self._find(self.room_id))

    @property
    def level(self) -> int:
        """The actor's level in the room that was judged; 0 before, and without a room."""
        seat: Seat | None = getattr(self, "seat", None)
        return 0 if seat is None else seat.standing.level

    async def spend(self, kind: Kind) -> None:
        """Count the command for this rate of its actor. Raises `RateLimited`."""
        if self.actor is not None and (wait := await self.core.limits.take(self.actor.limits, kind)):
            raise refusal(kind, wait)

    async def permit(self, room: Room | None, standing: Standing) -> None:
        """Ask the policy about this command."""
        if self.actor is not None:
            await permit(self.actor, self.row.type, room, standing)

    async def may_speak(self, seat: Seat) -> None:
        """Check that the actor may say something in this room, with any command."""
        self.seat = seat
        if self.actor is not None:
            await judge(self.actor, "message", seat.room, seat.standing, mute_stops=True)

    async def _judge_in(self, seat: Seat) -> None:
        self.seat, row = seat, self.row
        if self.actor is None:
            return
        await judge(self.actor, row.type, seat.room, seat.standing, mute_stops=row.speaks or row.mute_stops)
        if row.speaks and row.type != "message":
            await self.may_speak(seat)

    async def _find(self, room: str) -> Seat:
        user: User | None = None if self.actor is None else self.actor.user
        return Seat(*await self.core.access.find(user, room))

    async def _own_seat(self, session: Session) -> Seat:
        seat = session.seats.get(self.room_id)
        if seat is None:
            raise NotAMember
        if not seat.fresh:
            await self._look_again(session, seat)
        return seat

    async def _look_again(self, session: Session, seat: Seat) -> None:
        seat.fresh = True  # before the look-up: a change during it causes another one
        try:
            room, standing = await self.core.access.find(session.user, seat.room.id)
            if seat.standing.member and not standing.member:
                raise NotAMember  # the connection is being taken out of the room
        except BaseException:
            seat.fresh = False
            raise
        seat.room, seat.standing = room, standing

    async def _judge_again(self) -> None:
        """Somebody lost rights in the room since it was looked up."""
        self.seat.fresh = False
        if self.row.judged is Judged.ITSELF:
            await self._judge_in(await self._find(self.seat.room.id))
        else:
            await self.judge()

    async def check_read(self, seq: int | None = None) -> None:
        """After reading: if somebody lost rights in the room since the command was judged, judge it again, because what was read
        may be later than that. `seq`: the room's number when it was read, if that is known. Raises the refusal."""
        judged = self.seat.room
        if self.actor is None or (seq is not None and seq <= judged.seq):
            return
        room = await self.core.store.room(judged.id)
        if room is None or room.restricted > judged.seq or room.epoch != judged.epoch:
            await self._judge_again()

    # ---- storing ----

    async def append(
        self,
        payload: bytes,
        *,
        type: str | None = None,
        room: str | None = None,
        allowed: Callable[[], None] | None = None,
        **effects: Unpack[Effects],
    ) -> Appended | None:
        """Store the event of the command. By default it has the row's type, and goes to the room that was judged.
        Returns None if it waits for a transaction of the app.

        `effects` are stored with it: `about`, `facts`, `restricts`, `only_if_changed` of a draft.

        `allowed` is what the verb itself asks of `seat`: it raises where the actor may not do this. If somebody lost rights in
        the room meanwhile, the command is judged again, by `allowed` too, within the store's time limit. Raises the refusal,
        and the errors of `Store.append`.
        """
        until = time.monotonic() + self.settings.store_timeout
        while True:
            if allowed is not None:
                allowed()
            item = self._draft(
                type or self.row.event or self.command.type, room or self.seat.room.id, payload, effects
            )
            try:
                self.stored = await self._keep(item)
            except Stale:
                if time.monotonic() > until:
                    raise Unavailable from None
                await self._judge_again()
            else:
                return self.stored

    def _draft(self, type: str, room: str, payload: bytes, effects: Effects) -> Draft:
        sender, command = self.sender, self.command
        key = (APP if sender is None else sender.id, command.msg_id) if command.msg_id is not None else None
        hash = b"" if sender is None else command_hash(command)
        judged = None if sender is None else self.seat.room.seq
        judged_in = None if sender is None else self.seat.room.epoch or None  # "": it is about to be made
        return draft(
            room,
            type,
            payload,
            sender,
            key=key,
            hash=hash,
            timestamp=self.now,
            judged=judged,
            judged_in=judged_in,
            **effects,
        )

    async def _keep(self, item: Draft) -> Appended | None:
        if isinstance(self.actor, Acting):
            return await self.actor.keep(item)
        return await self.core.journal.append(item, self.actor)
