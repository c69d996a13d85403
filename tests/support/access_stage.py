"""The stage of `access_play`: two workers, the connections of ten users, three rooms, and what each connection has to get."""

from __future__ import annotations

import asyncio
import json
import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sanic_chatrooms import ChatError, MemoryStore, User
from sanic_chatrooms.brokers.memory import MemoryBus
from sanic_chatrooms.models import Scope
from sanic_chatrooms.presence.memory import MemoryBoard
from sanic_chatrooms.stores.base import Store
from sanic_chatrooms.support.clock import now
from sanic_chatrooms.testing import MemoryClient, chat_client
from sanic_chatrooms.verbs.membership import add_member
from sanic_chatrooms.verbs.rooms import create
from sanic_chatrooms.verbs.table import commands
from tests.support.access_model import ModelledRoom
from tests.support.model_cast import Frame, Worker

__all__ = ["SIGNED_IN", "USERS", "Seated", "SharedMemory", "Stage"]

SIGNED_IN = [User(f"u{n}", f"User {n}") for n in range(8)]
GUESTS = [User(f"g{n}", f"Guest {n}", guest=True) for n in range(2)]
USERS = SIGNED_IN + GUESTS
TWICE = SIGNED_IN[:3]
"""They have two connections."""
APP = 0.3
"""How often the app does what moderators do."""


class SharedMemory(MemoryStore):
    """Of two workers. A store in memory is else one worker's, which forgets inboxes that it does not hold."""

    scope = Scope.MACHINE


@dataclass
class Seated:
    """One connection, and what it has to have got since the last look."""

    user: User
    client: MemoryClient | None = None
    rooms: set[str] = field(default_factory=set)
    expected: list[Any] = field(default_factory=list)
    positions: dict[str, int] = field(default_factory=dict)
    looked: int = 0

    @property
    def name(self) -> str:
        return self.user.id


class Stage:
    """What the acts of a play stand on. A play is chosen by `dice`; `move` sets the time of day on."""

    worker: type[Worker] = Worker
    room: type[ModelledRoom] = ModelledRoom

    def __init__(self, dice: random.Random, make: Callable[[], Store], move: Callable[[float], None]) -> None:
        self.dice, self._make, self._move = dice, make, move
        self.trace: list[str] = []
        self.seats = [Seated(user) for user in [*USERS, *TWICE]]
        self.rooms: dict[str, ModelledRoom] = {}
        self.epochs: dict[str, str] = {}

    # ---- the stage ----

    async def begin(self) -> None:
        instance = f"play_{secrets.token_hex(8)}"
        bus, board = MemoryBus(), MemoryBoard()
        self.workers: list[Worker] = []
        for _ in range(2):
            worker = self.worker(instance, self._make(), bus, board, rate_limits=False)
            await worker.start()
            self.workers.append(worker)
        self.store = self.workers[0].store
        core = self.workers[0].chat.core
        for room in (self.room("hall", "public"), self.room("den", "private")):
            room.announce = self.dice.random() < 0.5
            await create(core, None, room.id, visibility=room.visibility, announce=room.announce)
            self.rooms[room.id] = room
            for user, role in (
                (SIGNED_IN[0], "owner"),
                (SIGNED_IN[1], "moderator"),
                (SIGNED_IN[2], "member"),
            ):
                await self._add(room, user, role)
            self.epochs[room.id] = (await self.store.heads([room.id]))[room.id].epoch
        answer = None
        for seat in self.seats:
            await self._connect(seat)
        maker = self.seats[0]
        assert maker.client is not None
        answer = await maker.client.ack("room.create", payload={"visibility": "private"})
        lair = self.room(answer["room"], "private")
        lair.begin("u0", "owner", event=False, creator=True)
        self.rooms[lair.id] = lair
        self.epochs[lair.id] = (await self.store.heads([lair.id]))[lair.id].epoch

    async def end(self) -> None:
        for worker in self.workers:
            await worker.stop()

    async def _connect(self, seat: Seated) -> None:
        seat.client = await chat_client(self.dice.choice(self.workers).chat, seat.user)
        seat.looked = 0

    async def _settle(self) -> None:
        for worker in self.workers:
            await worker.level()
        for seat in self.seats:
            if seat.client is not None and seat.client.connection.closed is None:
                await seat.client.request("ping")
        for worker in self.workers:
            await worker.chat.listeners.idle()
        await asyncio.sleep(0)

    def _compare_live(self) -> None:
        for seat in self.seats:
            if seat.client is None:
                continue
            assert seat.client.connection.closed is None, (seat.name, seat.client.connection.closed)
            new = seat.client.frames[seat.looked :]
            seat.looked += len(new)
            got = [seen for frame in new if (seen := _of_interest(frame)) is not None]
            assert _same(got, seat.expected), f"{seat.name} got {got}, not {seat.expected}"
            for kind, room, about in got:
                if kind == "event":
                    seat.positions[room] = about[0]
            seat.expected = []

    # ---- who and where ----

    def _room(self) -> ModelledRoom:
        return self.dice.choice(list(self.rooms.values()))

    def _seat(self, room: ModelledRoom | None = None, *, able: str = "") -> Seated:
        """A connection, mostly of somebody who is in the room, or may do this."""
        here = [seat for seat in self.seats if seat.client is not None] or self.seats[:1]
        if room is not None and self.dice.random() < 0.75:
            fit = [s for s in here if room.id in s.rooms]
            if able:
                fit = [s for s in here if room.refusal(s.name, able, now()) is None]
            here = fit or here
        return self.dice.choice(here)

    def _target(self, room: ModelledRoom, *, guests: bool = True) -> User:
        some = USERS if guests else SIGNED_IN
        if self.dice.random() < 0.6:
            some = [user for user in some if user.id in room.members] or some
        return self.dice.choice(some)

    def _actor(self, room: ModelledRoom, action: str) -> Seated | None:
        return None if self.dice.random() < APP else self._seat(room, able=action)

    def _refusal(
        self, seat: Seated | None, room: ModelledRoom, action: str, target: str | None = None
    ) -> str | None:
        return room.refusal(None if seat is None else seat.name, action, now(), target=target)

    # ---- doing ----

    async def _ask(
        self, seat: Seated | None, type: str, room: ModelledRoom | None, payload: Any, code: str | None
    ) -> Any:
        """Do it, by a connection or for the app; the answer has to be this error, or the ack that is returned."""
        who, where = "app" if seat is None else seat.name, None if room is None else room.id
        self.trace.append(f"{who}: {type} {where} {json.dumps(payload)} -> {code or 'ack'}")
        if seat is None:
            said, answer = await self._by_app(type, where, payload)
        else:
            if seat.client is None:
                await self._connect(seat)
            assert seat.client is not None
            frame = await seat.client.request(type, room=where, payload=payload)
            answer = frame["payload"]
            said = answer["code"] if frame["type"] == "error" else None
        assert said == code, f"{type} of {who} in {where}: {said or 'ack'}, not {code or 'ack'}"
        return answer

    async def _by_app(self, type: str, room: str | None, payload: Any) -> tuple[str | None, Any]:
        chat = self.dice.choice(self.workers).chat
        try:
            asked = commands()[type].decoder.decode(json.dumps(payload))
            settled = await chat.commands.give(type, asked, room=room)
        except ChatError as refused:
            return refused.code, None
        return None, {"duplicate": settled.duplicate, **({"seq": settled.seq} if settled.seq else {})}

    def _happened(
        self,
        room: ModelledRoom,
        type: str | None = None,
        *,
        ends: tuple[str, str] | None = None,
        but: Seated | None = None,
    ) -> None:
        """The last event of the log goes to everybody who is there; for the user of `ends` it is the last one."""
        for seat in self.seats:
            if room.id in seat.rooms:
                seat.expected.append(("event", room.id, (room.head, room.log[-1].type)))
        if ends is not None:
            self._take_out(room, ends[0], ends[1], but=but)

    def _take_out(self, room: ModelledRoom, user: str, reason: str, *, but: Seated | None = None) -> None:
        for seat in self.seats:
            if seat.name == user and room.id in seat.rooms:
                seat.rooms.discard(room.id)
                if seat is not but:
                    seat.expected.append(("removed", room.id, reason))

    def _shut_out(self, room: ModelledRoom) -> None:
        """Whoever may no longer join is taken out."""
        for user in USERS:
            if room.refusal(user.id, "join", now()) is not None:
                self._take_out(room, user.id, "forbidden")

    async def _change(
        self,
        seat: Seated | None,
        type: str,
        room: ModelledRoom,
        payload: Any,
        code: str | None,
        event: str | None,
    ) -> bool:
        """A command whose event is this; None: it changes nothing. -> whether there is an event."""
        answer = await self._ask(seat, type, room, payload, code)
        if code is not None:
            return False
        assert answer["duplicate"] is (event is None), f"{type}: {answer}"
        if event is None:
            return False
        room.store(event)
        assert answer["seq"] == room.head, f"{type}: {answer}, not {room.head}"
        return True

    def _put_in(self, room: ModelledRoom, user: str) -> None:
        """All connections of the user are in the room from here on."""
        for seat in self.seats:
            if seat.name == user and seat.client is not None and room.id not in seat.rooms:
                seat.rooms.add(room.id)
                seat.positions[room.id] = room.head
                seat.expected.append(("added", room.id, room.head))

    async def _add(self, room: ModelledRoom, user: User, role: str) -> None:
        await add_member(self.dice.choice(self.workers).chat.core, room.id, user, role)
        event = room.announce or not room.public
        if event:
            room.store("member.joined")
            self._happened(room)
        room.begin(user.id, role, event=event)


def _of_interest(frame: Frame) -> Any:
    """A durable event, or what says where the connection is."""
    payload = frame["payload"]
    if "seq" in frame and frame["type"] not in ("ack", "error"):
        return "event", frame["room"], (frame["seq"], frame["type"])
    match frame["type"]:
        case "room.removed":
            return "removed", payload["room"], payload["reason"]
        case "room.added":
            return "added", payload["room"], payload["seq"]
        case "reset":
            return "reset", payload["room"], payload["reason"]
    return None


def _same(got: list[Any], expected: list[Any]) -> bool:
    """Room by room: nothing says which of two rooms comes first. Who may no longer join may be asked to join again."""
    for room in {one[1] for one in got + expected}:
        theirs = [one for one in got if one[1] == room]
        ours = [one for one in expected if one[1] == room]
        if len(theirs) != len(ours) or not all(map(_fits, theirs, ours)):
            return False
    return True


def _fits(got: Any, expected: Any) -> bool:
    asked_again = ("reset", expected[1], "rights changed")
    return bool(got == expected or (expected[::2] == ("removed", "forbidden") and got == asked_again))
