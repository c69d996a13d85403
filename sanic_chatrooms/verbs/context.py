"""The context of a command: the same from a connection, from `as_user=`, and from the app itself."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Unpack

from msgspec import UNSET
from msgspec.structs import replace

from ..access.access import ask_policy, judge
from ..access.actions import Action, action
from ..access.decide import Denial, first_refusal, out_of_scope
from ..access.limits.kinds import Kind
from ..access.limits.limits import Allowance, refusal
from ..access.visibility import EVERYTHING, Seen, seen_by
from ..config.settings import Settings
from ..errors import Conflict, InvalidField, NotAMember, RoomNotFound, Unavailable
from ..hooks.middleware import Context
from ..models import APP, Appended, Draft, Fold, Relation, Sender, User
from ..sessions.seats import Seat
from ..sessions.session import Session
from ..stores.base import Stale
from ..support.clock import now
from ..wire.decode import Command
from ..wire.encode import EMPTY
from .acting import Acting
from .core import Core
from .deletions import DONE, deleted_before
from .drafts import Effects, command_hash, draft
from .table import COUNT, Judged, Row, Settled

__all__ = ["NO_EPOCH", "Change", "Ctx", "may_look"]


class Change(NamedTuple):
    """The payload of an event, and what else it does."""

    payload: bytes
    effects: Effects


NO_EPOCH = "-"
"""No room has this epoch. So a draft that was judged in it is either a repetition, or `Stale` and not stored."""


ABOUT_A_MESSAGE = Relation("", Fold.TOGGLE)
"""For a draft that is stored already: the store then returns the payload as it has completed it."""


def may_look(limits: Allowance) -> bool:
    """Whether the store may be asked if a refused command is a repetition: that counts as a question."""
    refused = limits.refused
    wait = limits.take(int(Kind.READ))
    limits.refused = refused  # the command is refused once
    return not wait


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
    def seen(self) -> Seen:
        """The events of the room that was judged which the actor may read; all for the app."""
        return EVERYTHING if self.actor is None else seen_by(self.seat.room, self.seat.standing)

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
            await self.ask_policy()
        elif judged is Judged.SEAT and isinstance(self.actor, Session):
            self.seat = await self._own_seat(self.actor)
            await self._judge_seat()
        elif judged is Judged.SEAT and isinstance(self.actor, Acting) and self.actor.arrive is not None:
            self.seat = await self.actor.arrive(self)
            await self._judge_seat()
        elif judged in (Judged.SEAT, Judged.ROOM):
            await self.find(self.room_id)
            await self._judge_seat()

    @property
    def level(self) -> int:
        """The actor's level in the room that was judged; 0 before, and without a room."""
        seat: Seat | None = getattr(self, "seat", None)
        return 0 if seat is None else seat.standing.level

    async def spend(self, kind: Kind) -> None:
        """Count the command for this rate of its actor. Raises `RateLimited`."""
        if self.actor is not None and (wait := await self.core.limits.take(self.actor.limits, kind)):
            raise refusal(kind, wait)

    async def ask_policy(self, room_id: str | None = None) -> None:
        """Decide about this command where it is about no room that is there. `room_id`: of one that it makes."""
        if self.actor is not None and self.row.action is not None:
            await ask_policy(self.actor, self.row.action, room_id)

    async def require(self, action: Action | None, *, rank: Denial | None = None) -> None:
        """Check that the actor may do this in the room of `seat`. `rank`: what the ranks of the users say. Raises the refusal."""
        if self.actor is not None and action is not None:
            await judge(self.actor, action, self.seat.room, self.seat.standing, rank=rank)

    def check_token(self, action: Action) -> None:
        """Check that the actor's token allows this in the room of the command, without looking it up. Raises `Forbidden`."""
        scopes = None if self.actor is None else self.actor.scopes
        if scopes is not None and (refused := out_of_scope(action, scopes, None, self.room_id)) is not None:
            raise refused.error

    async def may_speak(self) -> None:
        """Check that the actor may say something in this room, with any command."""
        await self.require(action("message"))

    async def may_give(self, words: object) -> None:
        """Check that the actor may put these words before others, as a part of what they may do: what a message needs, in an
        archived room too. Raises the refusal."""
        if words:
            await self.require(replace(action("message"), archive_stops=False))

    async def find(self, room: str) -> Seat:
        """Look up the room and the actor's standing: it becomes `seat`. Raises `RoomNotFound`."""
        user: User | None = None if self.actor is None else self.actor.user
        self.seat = Seat(*await self.core.access.find(user, room))
        return self.seat

    async def see(self) -> Seat:
        """Look up the room of the command, and check that the actor may know of it. Raises `RoomNotFound`."""
        seat, actor = await self.find(self.room_id), self.actor
        if actor is not None and self.row.action is not None:
            refused = first_refusal(
                self.row.action, actor.user, actor.scopes, seat.room, seat.standing, self.now
            )
            if refused is not None and refused.rule == "unknown":
                raise refused.error
        return seat

    async def _judge_seat(self) -> None:
        await self.require(self.row.action)
        if self.row.action is not None and self.row.action.speaks:
            await self.may_speak()

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
        seat.stand(room, standing)

    async def _judge_again(self) -> None:
        """Somebody lost rights in the room since it was looked up."""
        self.seat.fresh = False
        if self.row.judged is Judged.ITSELF:
            await self.find(self.seat.room.id)  # and the verb judges
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
        allowed: Callable[[], Awaitable[None]] | None = None,
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
                await allowed()
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

    async def settle(self, make: Callable[[], Awaitable["Change | int"]]) -> Settled:
        """Store what `make` returns, for a command that `judged=Judged.ITSELF`; -> its ack.

        `make` judges the actor by `seat`, and returns the event with its effects, or if nothing would change, the number of
        the event that made it so (0: none did). It is asked again if somebody lost rights in the room meanwhile.
        """
        until = time.monotonic() + self.settings.store_timeout
        lock = self.core.settling.of(self.room_id)
        changing = lock.locked()
        try:
            # Each before it may take a time limit of the store, and there may be many.
            async with asyncio.timeout(self.settings.store_timeout):
                await lock.acquire()
        except TimeoutError:
            raise Unavailable from None
        try:
            if changing:
                await self.find(self.room_id)
            refused: tuple[bytes | None, ...] | None = None
            while not isinstance(settled := await self._settle(await make(), refused), Settled):
                if time.monotonic() > until:
                    raise Unavailable
                refused = settled
                await self.find(self.seat.room.id)
        finally:
            lock.release()
        return settled

    async def _settle(
        self, made: "Change | int", refused: tuple[bytes | None, ...] | None
    ) -> Settled | tuple[bytes | None, ...] | None:
        """Store one change; None if somebody lost rights in the room meanwhile. At a conflict, the values that its facts would replace: another
        worker may have changed them, which `make` sees the next time. Raises `Conflict` if these were `refused` before: then the `msgId` was used
        for something else, and stays so."""
        if isinstance(made, int):
            self.stored = repeated = await self.repeated(self.seat.room.id)
            return Settled(made or UNSET, True) if repeated is None else Settled(repeated.seq, True)
        room = self.seat.room
        item = self._draft(self.row.event or self.command.type, room.id, made.payload, made.effects)
        item = replace(item, judged=room.seq, judged_in=room.epoch)
        try:
            self.stored = stored = await self.core.journal.append(item, self.source)
        except Stale:
            return None
        except Conflict:
            replaced = tuple(fact.was for fact in made.effects.get("facts", ()))
            if replaced == refused:
                raise
            return replaced
        if stored.unchanged:  # another worker was first
            self.stored = None
            return Settled(stored.seq or UNSET, True)
        await self.core.hub.reach(room.id, stored.seq)
        return Settled(stored.seq, stored.duplicate)

    @property
    def source(self) -> Session | None:
        """The connection; None: there is none."""
        return self.actor if isinstance(self.actor, Session) else None

    @property
    def source_id(self) -> str | None:
        """The id of the connection's session; None: there is none."""
        return self.actor.id if isinstance(self.actor, Session) else None

    async def repeated(self, room: str | None = None) -> Appended | None:
        """The result of this very command, if it was carried out before; else None. Whatever refuses it now.

        `room`: where it was, if the command does not name it.

        Raises `Conflict` if its `msgId` was used for something else, and `Unavailable`.
        """
        command, sender = self.command, self.sender
        if room is None and self.row.repeats:
            room = command.room
        if room is None or command.msg_id is None or sender is None:
            return None
        if self.actor is None or not may_look(self.actor.limits):
            return None
        if self.row.event is None:
            return DONE if await deleted_before(self.core, room, self.key, self.hash) else None
        asked = draft(
            room,
            self.row.event or command.type,
            EMPTY,
            sender,
            key=self.key,
            hash=self.hash,
            about=ABOUT_A_MESSAGE if COUNT in self.row.ack.__struct_fields__ else None,
            judged_in=NO_EPOCH,
        )
        try:
            return await self.core.journal.append(asked)
        except (Stale, RoomNotFound):
            return None

    @property
    def key(self) -> tuple[str, str] | None:
        """By which a repetition of the command is known; None: by nothing."""
        if self.command.msg_id is None:
            return None
        return (APP if self.sender is None else self.sender.id), self.command.msg_id

    @property
    def hash(self) -> bytes:
        """By which a repetition is compared with the first."""
        return b"" if self.sender is None else command_hash(self.command)

    def _draft(self, type: str, room: str, payload: bytes, effects: Effects) -> Draft:
        sender = self.sender
        judged = None if sender is None else self.seat.room.seq
        judged_in = None if sender is None else self.seat.room.epoch or None  # "": it is about to be made
        return draft(
            room,
            type,
            payload,
            sender,
            key=self.key,
            hash=self.hash,
            timestamp=self.now,
            judged=judged,
            judged_in=judged_in,
            **effects,
        )

    async def _keep(self, item: Draft) -> Appended | None:
        if isinstance(self.actor, Acting):
            return await self.actor.keep(item)
        return await self.core.journal.append(item, self.actor)
