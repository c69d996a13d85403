"""Ten users in a public and a private room, on two workers: what each does is allowed, and what each sees live, in history and by
recovery is exactly what the oracle (`access_model`) says.

One step follows the other, all chosen by one number: a failure tells it, and with ACCESS_SEED it happens again.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from sanic_chatrooms import ChatError, MemoryStore, User
from sanic_chatrooms.brokers.memory import MemoryBus
from sanic_chatrooms.hub import journal, repair
from sanic_chatrooms.models import Scope
from sanic_chatrooms.presence.memory import MemoryBoard
from sanic_chatrooms.stores.base import Store
from sanic_chatrooms.support.clock import now
from sanic_chatrooms.testing import MemoryClient, chat_client
from sanic_chatrooms.testing.clock import time_of_day
from sanic_chatrooms.verbs.membership import add_member, remove_member
from sanic_chatrooms.verbs.rooms import create
from sanic_chatrooms.verbs.table import commands
from tests.support.access_model import LEVELS, MEMBER_ROLES, ModelledRoom
from tests.support.access_model import Invite as Invitation
from tests.support.model_cast import Frame, Worker

__all__ = ["SharedMemory", "play"]

SIGNED_IN = [User(f"u{n}", f"User {n}") for n in range(8)]
GUESTS = [User(f"g{n}", f"Guest {n}", guest=True) for n in range(2)]
USERS = SIGNED_IN + GUESTS
TWICE = SIGNED_IN[:3]
"""They have two connections."""
CHANGES_KEPT = 15
"""A room remembers so many changes of who may read; what it does beyond is not modelled."""
NEEDS = (None, 0, 5, 10, 50, {"roles": ["moderator"]}, {"level": 50, "users": ["u3", "g0"]})
CHANGEABLE = ("join", "history", "message", "message.delete.any", "member.kick", "member.invite")
WEIGHTS = {
    "say": 12, "edit": 2, "delete": 2, "join": 9, "exit": 1, "leave": 2, "kick": 2, "ban": 2, "unban": 3, "mute": 2,
    "unmute": 2, "give_role": 3, "invite": 3, "accept": 2, "decline": 1, "add": 3, "update": 5, "cut": 2, "come": 4,
    "look": 6, "app_adds": 2, "app_removes": 1, "time_passes": 1,
}  # fmt: skip
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


class Play:
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
            worker = Worker(instance, self._make(), bus, board)
            await worker.start()
            self.workers.append(worker)
        self.store = self.workers[0].store
        core = self.workers[0].chat.core
        for room in (ModelledRoom("hall", "public"), ModelledRoom("den", "private")):
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
        lair = ModelledRoom(answer["room"], "private")
        lair.begin("u0", "owner", event=False, creator=True)
        self.rooms[lair.id] = lair
        self.epochs[lair.id] = (await self.store.heads([lair.id]))[lair.id].epoch

    async def end(self) -> None:
        for worker in self.workers:
            await worker.stop()

    async def _connect(self, seat: Seated) -> None:
        seat.client = await chat_client(self.dice.choice(self.workers).chat, seat.user)
        seat.looked = 0

    # ---- steps ----

    async def steps(self, count: int) -> None:
        for _ in range(count):
            act = self.dice.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
            await getattr(self, act)()
            await self._settle()
            self._compare_live()
        for seat in self.seats:
            if seat.client is None:
                await self._connect(seat)
            for room in self.rooms.values():
                await self._join(seat, room)
                await self._read(seat, room)
        await self._settle()
        self._compare_live()

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

    # ---- doing ----

    async def _ask(
        self, seat: Seated | None, type: str, room: ModelledRoom, payload: Any, code: str | None
    ) -> Any:
        """Do it, by a connection or for the app; the answer has to be this error, or the ack that is returned."""
        who = "app" if seat is None else seat.name
        self.trace.append(f"{who}: {type} {room.id} {json.dumps(payload)} -> {code or 'ack'}")
        if seat is None:
            said, answer = await self._by_app(type, room, payload)
        else:
            if seat.client is None:
                await self._connect(seat)
            assert seat.client is not None
            frame = await seat.client.request(type, room=room.id, payload=payload)
            answer = frame["payload"]
            said = answer["code"] if frame["type"] == "error" else None
        assert said == code, f"{type} of {who} in {room.id}: {said or 'ack'}, not {code or 'ack'}"
        return answer

    async def _by_app(self, type: str, room: ModelledRoom, payload: Any) -> tuple[str | None, Any]:
        chat = self.dice.choice(self.workers).chat
        try:
            asked = commands()[type].decoder.decode(json.dumps(payload))
            settled = await chat.commands.give(type, asked, room=room.id)
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

    # ---- messages ----

    async def say(self) -> None:
        room = self._room()
        seat = self._seat(room)
        text = f"text {self.dice.randrange(10**9)}"
        code = room.refusal(seat.name, "message", now()) if room.id in seat.rooms else "not_a_member"
        answer = await self._ask(seat, "message", room, {"text": text}, code)
        if code is None:
            room.store("message", seat.name, text, answer["msgId"])
            assert answer["seq"] == room.head, answer
            self._happened(room)

    def _message(self, room: ModelledRoom, seat: Seated) -> Any:
        messages = list(room.messages())
        if self.dice.random() < 0.5:
            messages = [message for message in messages if message.sender == seat.name] or messages
        return self.dice.choice(messages) if messages else None

    async def edit(self) -> None:
        room = self._room()
        seat = self._seat(room)
        message = self._message(room, seat)
        if message is None:
            return
        code = room.refusal(seat.name, "message.edit", now()) or room.refusal(seat.name, "message", now())
        if code is None and (message.text is None or not room.may_read(seat.name, message.seq)):
            code = "message_not_found"
        if code is None and message.sender != seat.name:
            code = "forbidden"
        text = f"edited {self.dice.randrange(10**9)}"
        payload = {"msgId": message.id, "body": {"text": text}}
        if await self._change(seat, "message.edit", room, payload, code, "message.edited"):
            message.text = text
            self._happened(room)

    async def delete(self) -> None:
        room = self._room()
        seat = self._seat(room, able="message.delete.any")
        message = self._message(room, seat)
        if message is None:
            return
        there = message.text is not None and room.may_read(seat.name, message.seq)
        code = room.refusal(seat.name, "message.delete", now())
        if there and message.sender != seat.name:
            code = room.refusal(seat.name, "message.delete.any", now(), target=message.sender)
        if code is None and not there:
            code = "message_not_found"
        if await self._change(seat, "message.delete", room, {"msgId": message.id}, code, "message.deleted"):
            message.text = None
            self._happened(room)

    # ---- in and out ----

    async def join(self) -> None:
        room = self._room()
        await self._join(self._seat(room, able="join"), room)

    async def _join(self, seat: Seated, room: ModelledRoom) -> None:
        user, before = seat.name, room.head
        code = room.refusal(user, "join", now())
        invite = room.invites.get(user)
        becomes = code is None and user not in room.members and not seat.user.guest
        if becomes and invite is not None and not _may_join_as(room, user, invite):
            return  # an invitation lets in, and the role does not: not said which of them counts
        payload = {"history": self.dice.choice((1, 3, 200)), **self._since(seat, room)}
        self.trace.append(f"{user} comes by {self.dice.random():.3f}")
        answer = await self._ask(seat, "join", room, payload, code)
        if code is not None:
            assert room.id not in seat.rooms, f"{user} is in {room.id}, and may not join"
            return
        event = becomes and self._become(room, user)
        seat.rooms.discard(room.id)
        if event:
            self._happened(room)
        start = answer["seq"]
        assert before <= start <= room.head, answer
        seat.rooms.add(room.id)
        seat.expected += [("event", room.id, (e.seq, e.type)) for e in room.log[start:]]
        seat.positions[room.id] = start
        assert answer["role"] == room.role(user), answer
        self._compare_join(room, user, payload, answer)

    def _since(self, seat: Seated, room: ModelledRoom) -> Frame:
        dice = self.dice.random()
        if dice < 0.2:
            return {}
        seq = seat.positions.get(room.id, 0) if dice < 0.6 else self.dice.randint(0, room.head + 1)
        return {"since": {"epoch": self.epochs[room.id], "seq": seq}}

    def _become(self, room: ModelledRoom, user: str) -> bool:
        """A member, by an invitation or by joining a public room; -> whether there was an event."""
        invite = room.invites.get(user)
        role, event = "member", invite is not None or room.announce
        if invite is not None:
            role = _granted(room, invite)
        if event:
            room.store("member.joined")
        room.begin(user, role, event=event, invited=invite.seq if invite else None)
        return event

    def _compare_join(self, room: ModelledRoom, user: str, payload: Frame, answer: Frame) -> None:
        start, since = answer["seq"], payload.get("since")
        recovered = False
        if since is not None and since["seq"] <= start:
            hidden = room.hidden(user, since["seq"] + 1, start)
            recovered = not hidden
            held = room.members.get(user)
            if recovered and held is not None and since["seq"] < held.begins:
                recovered = answer["recovered"]  # the event that began the membership may be left out
        assert answer["recovered"] is recovered, f"{user} {payload} {answer}"
        if recovered:
            assert since is not None
            got, wanted = _shown(answer), [e.shown for e in room.log[since["seq"] : start]]
        else:
            seen = [e for e in room.timeline(user) if e.seq <= start]
            wanted = [e.shown for e in seen[-payload["history"] :]]
            got = _shown(answer)
            assert answer["more"] is (len(seen) > payload["history"]), f"{user} more: {answer}"
        assert got == wanted, f"{user} sees {got} of {room.id} by joining, not {wanted}"

    async def exit(self) -> None:
        room = self._room()
        seat = self._seat(room)
        await self._ask(seat, "exit", room, {}, None)
        seat.rooms.discard(room.id)

    async def leave(self) -> None:
        room = self._room()
        seat = self._seat(room)
        code = room.refusal(seat.name, "leave", now())
        await self._ask(seat, "leave", room, {}, code)
        if code is not None:
            return
        if seat.name in room.members and (room.announce or not room.public):
            room.store("member.left")
            self._happened(room, ends=(seat.name, "left"), but=seat)
            room.end(seat.name)
        else:
            self._take_out(room, seat.name, "left", but=seat)
            room.members.pop(seat.name, None)

    async def cut(self) -> None:
        seat = self._seat()
        if seat.client is not None:
            self.trace.append(f"{seat.name} is cut")
            seat.client.disconnect()
            seat.client = None
            seat.rooms.clear()
            seat.expected = []

    async def come(self) -> None:
        """Back, to where they were."""
        absent = [seat for seat in self.seats if seat.client is None]
        if absent:
            seat = self.dice.choice(absent)
            await self._connect(seat)
            for room in self.rooms.values():
                if room.id in seat.positions:
                    await self._join(seat, room)

    async def look(self) -> None:
        room = self._room()
        await self._read(self._seat(room, able="history"), room)

    async def _read(self, seat: Seated, room: ModelledRoom) -> None:
        limit, at = self.dice.choice((1, 3, 200)), self.dice.randint(0, room.head + 1)
        where = self.dice.choice(({}, {"before": at}, {"after": at}))
        code = room.refusal(seat.name, "history", now())
        answer = await self._ask(seat, "history", room, {"limit": limit, **where}, code)
        if code is not None:
            return
        seen = room.timeline(seat.name)
        if "after" in where:
            fit = [e for e in seen if e.seq > at]
            page = fit[:limit]
        else:
            fit = [e for e in seen if "before" not in where or e.seq < at]
            page = fit[-limit:]
        got = _shown(answer)
        assert got == [e.shown for e in page], f"{seat.name} reads {got} of {room.id}, not {page}"
        assert answer["more"] is (len(fit) > limit), f"more: {answer}"

    # ---- moderation ----

    def _actor(self, room: ModelledRoom, action: str) -> Seated | None:
        return None if self.dice.random() < APP else self._seat(room, able=action)

    def _refusal(
        self, seat: Seated | None, room: ModelledRoom, action: str, target: str | None = None
    ) -> str | None:
        return room.refusal(None if seat is None else seat.name, action, now(), target=target)

    def _until(self) -> Frame:
        return {"until": round(now() + self.dice.randint(20, 150), 3)} if self.dice.random() < 0.5 else {}

    async def kick(self) -> None:
        room = self._room()
        seat, target = self._actor(room, "member.kick"), self._target(room)
        code = self._refusal(seat, room, "member.kick", target.id)
        if code is None and target.id not in room.members and target.id not in room.invites:
            code = "invalid_field"
        if await self._change(seat, "member.kick", room, {"user": target.id}, code, "member.kicked"):
            self._happened(room, ends=(target.id, "kicked"))
            room.end(target.id)

    async def ban(self) -> None:
        room = self._room()
        seat, target = self._actor(room, "member.ban"), self._target(room)
        payload = {"user": target.id, **self._until()}
        code = self._refusal(seat, room, "member.ban", target.id)
        same = room.is_banned(target.id, now()) and room.bans[target.id] == payload.get("until")
        if await self._change(seat, "member.ban", room, payload, code, None if same else "member.banned"):
            self._happened(room, ends=(target.id, "banned"))
            room.ban(target.id, payload.get("until"))

    async def unban(self) -> None:
        room = self._room()
        seat = self._actor(room, "member.unban")
        target = self.dice.choice(list(room.bans) or [user.id for user in USERS])
        code = self._refusal(seat, room, "member.unban", target)
        event = "member.unbanned" if room.is_banned(target, now()) else None
        if await self._change(seat, "member.unban", room, {"user": target}, code, event):
            del room.bans[target]
            self._happened(room)

    async def mute(self) -> None:
        room = self._room()
        seat, target = self._actor(room, "member.mute"), self._target(room)
        payload = {"user": target.id, **self._until()}
        code = self._refusal(seat, room, "member.mute", target.id)
        same = room.is_muted(target.id, now()) and room.mutes[target.id] == payload.get("until")
        if await self._change(seat, "member.mute", room, payload, code, None if same else "member.muted"):
            room.mutes[target.id] = payload.get("until")
            self._happened(room)

    async def unmute(self) -> None:
        room = self._room()
        seat = self._actor(room, "member.unmute")
        target = self.dice.choice(list(room.mutes) or [user.id for user in USERS])
        code = self._refusal(seat, room, "member.unmute", target)
        event = "member.unmuted" if room.is_muted(target, now()) else None
        if await self._change(seat, "member.unmute", room, {"user": target}, code, event):
            del room.mutes[target]
            self._happened(room)

    # ---- members ----

    def _grant(self, seat: Seated | None, room: ModelledRoom, role: str, code: str | None) -> str | None:
        if code is None and role != "member" and LEVELS[role] >= room.rank(seat.name if seat else None):
            return "forbidden"
        return code

    async def give_role(self) -> None:
        room = self._room()
        seat, target = self._actor(room, "member.role"), self._target(room)
        role = self.dice.choice(MEMBER_ROLES)
        if seat is not None and self.dice.random() < 0.15:
            target = seat.user
        if (
            seat is not None
            and target.id == seat.name
            and target.id in room.members
            and LEVELS[role] < room.rank(target.id)
        ):
            code = None
        else:
            code = self._refusal(seat, room, "member.role", target.id)
            if code is None and seat is not None and LEVELS[role] >= room.rank(seat.name):
                code = "forbidden"
        if code is None and target.id not in room.members:
            code = "invalid_field"
        held = room.members.get(target.id)
        same = held is not None and held.role == role and not (held.creator and seat is not None)
        payload = {"user": target.id, "role": role}
        if await self._change(seat, "member.role", room, payload, code, None if same else "member.role"):
            assert held is not None
            held.role, held.creator = role, False
            self._happened(room)
            self._shut_out(room)

    async def invite(self) -> None:
        room = self._room()
        seat, target = self._actor(room, "member.invite"), self._target(room, guests=False)
        role = self.dice.choice(("member", "member", "moderator", "reader"))
        code = self._refusal(seat, room, "member.invite") or self._refusal(seat, room, "message")
        code = self._grant(seat, room, role, code)  # it puts words before others
        known = room.invites.get(target.id)
        same = target.id in room.members or (known is not None and known.role == role)
        if code is None and not same and room.is_banned(target.id, now()):
            code = "forbidden"
        payload = {"user": target.id, "role": role}
        if await self._change(seat, "member.invite", room, payload, code, None if same else "member.invited"):
            began = known.seq if known else room.head
            room.invites[target.id] = Invitation(role, seat.name if seat else None, began)
            self._happened(room)

    async def accept(self) -> None:
        room = self._room()
        seat = self._invited(room)
        invite, member = room.invites.get(seat.name), seat.name in room.members
        if seat.user.guest:
            return
        code = self._refusal(seat, room, "member.accept")
        if code is None and not member and invite is None:
            code = "forbidden"
        if await self._change(seat, "member.accept", room, {}, code, None if member else "member.joined"):
            assert invite is not None
            room.begin(seat.name, _granted(room, invite), event=True, invited=invite.seq)
            self._happened(room)

    async def decline(self) -> None:
        room = self._room()
        seat = self._invited(room)
        code = self._refusal(seat, room, "member.decline")
        if code is None and seat.name not in room.invites:
            code = "forbidden"
        await self._ask(seat, "member.decline", room, {}, code)
        if code is None:
            room.store("member.declined")
            del room.invites[seat.name]
            self._happened(room)

    def _invited(self, room: ModelledRoom) -> Seated:
        invited = [s for s in self.seats if s.name in room.invites and s.client is not None]
        return self.dice.choice(invited) if invited else self._seat()

    async def add(self) -> None:
        room = self._room()
        seat, target = self._seat(room, able="member.add"), self._target(room, guests=False)
        role = self.dice.choice(("member", "moderator", "reader"))
        code = self._grant(seat, room, role, self._refusal(seat, room, "member.add"))
        same = target.id in room.members
        if code is None and not same and room.is_banned(target.id, now()):
            code = "forbidden"
        payload = {"user": target.id, "role": role}
        if await self._change(seat, "member.add", room, payload, code, None if same else "member.joined"):
            room.begin(target.id, role, event=True)
            self._happened(room)
            if room.refusal(target.id, "join", now()) is None:
                self._put_in(room, target.id)

    def _put_in(self, room: ModelledRoom, user: str) -> None:
        """All connections of the user are in the room from here on."""
        for seat in self.seats:
            if seat.name == user and seat.client is not None and room.id not in seat.rooms:
                seat.rooms.add(room.id)
                seat.positions[room.id] = room.head
                seat.expected.append(("added", room.id, room.head))

    async def app_adds(self) -> None:
        room, user = self._room(), self.dice.choice(SIGNED_IN)
        if user.id in room.members or user.id in room.invites or room.is_banned(user.id, now()):
            return
        self.trace.append(f"app adds {user.id} to {room.id}")
        await self._add(room, user, self.dice.choice(("owner", "admin", "moderator", "member")))

    async def _add(self, room: ModelledRoom, user: User, role: str) -> None:
        await add_member(self.dice.choice(self.workers).chat.core, room.id, user, role)
        event = room.announce or not room.public
        if event:
            room.store("member.joined")
            self._happened(room)
        room.begin(user.id, role, event=event)

    async def app_removes(self) -> None:
        room = self._room()
        user = self._target(room, guests=False)
        if user.id not in room.members:
            return
        self.trace.append(f"app removes {user.id} from {room.id}")
        await remove_member(self.dice.choice(self.workers).chat.core, room.id, user)
        room.store("member.left")
        self._happened(room, ends=(user.id, "left"))
        room.end(user.id)

    # ---- the room ----

    async def update(self) -> None:
        room = self._room()
        seat = self._actor(room, "room.govern")
        properties = self.dice.choice(
            (
                {"visibility": self.dice.choice(("public", "private"))},
                {"historyVisibility": self.dice.choice(("members", "joined", "invited"))},
                {"permissions": {self.dice.choice(CHANGEABLE): self.dice.choice(NEEDS)}},
                {"permissions": {"join": self.dice.choice(NEEDS)}},
                {"permissions": dict.fromkeys(CHANGEABLE)},
            )
        )
        if len(room.changes) >= CHANGES_KEPT and "permissions" not in properties:
            return
        code = self._refusal(seat, room, "room.update") or self._refusal(seat, room, "room.govern")
        if await self._update(room, seat, properties, code):
            self._happened(room)
            self._shut_out(room)

    async def _update(
        self, room: ModelledRoom, seat: Seated | None, properties: Frame, code: str | None
    ) -> bool:
        answer = await self._ask(seat, "room.update", room, properties, code)
        changed = code is None and room.update(properties)
        if code is None:
            assert answer["duplicate"] is not changed, f"room.update: {answer}"
        if changed:
            assert answer["seq"] == room.head, answer
        return changed

    async def time_passes(self) -> None:
        self.trace.append("100 s pass")
        self._move(100.0)


def _granted(room: ModelledRoom, invite: Invitation) -> str:
    """The role, if who invited may still grant it."""
    return invite.role if LEVELS[invite.role] < room.rank(invite.by) else "member"


def _may_join_as(room: ModelledRoom, user: str, invite: Invitation) -> bool:
    need, role = room.need("join"), _granted(room, invite)
    by_level = "level" in need and LEVELS[role] >= need["level"]
    return bool(by_level) or role in need.get("roles", ()) or user in need.get("users", ())


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


def _shown(answer: Frame) -> list[tuple[int, str, str | None]]:
    """The events of an answer as the oracle has them."""
    return [
        (
            e["seq"],
            e["type"],
            e["payload"].get("text") if e["type"] == "message" and not e.get("deleted") else None,
        )
        for e in answer["messages"]
    ]


async def play(make: Callable[[], Store], *, steps: int, number: int | None = None) -> None:
    """One run. `make`: stores that were not started; those of one run are over the same data.

    All that is chosen follows from `number`, else the variable ACCESS_SEED, else any.
    """
    number = number or int(os.environ.get("ACCESS_SEED") or secrets.randbelow(2**32) or 1)
    with (
        patch.object(repair, "GAP_WAIT", 0.001),
        patch.object(repair, "RETRY_LONGEST", 0.001),
        patch.object(journal, "RETRY_WAIT", 0.001),
        time_of_day() as move,
    ):
        run = Play(random.Random(number), make, move)
        try:
            await run.begin()
            await run.steps(steps)
        except BaseException as failure:
            failure.add_note("\n".join([*run.trace[-60:], f"the same again: ACCESS_SEED={number}"]))
            raise
        finally:
            await run.end()
