"""Everything together, on two workers: the users of `access_play`, whose roles, bans and rooms change, also reply, react, pin, mention,
read, block and lose events, in rooms that keep little.

What each connection has made of its events (`fold_play.folded`), what recovery and a fresh join show, and what the oracle says are the
same messages; and what is unread and mentioned is, for every user and room, what the oracle says.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from sanic_chatrooms import User
from sanic_chatrooms.stores.base import Store
from sanic_chatrooms.support.clock import now
from sanic_chatrooms.testing import chat_client
from sanic_chatrooms.verbs.unread import count
from tests.support import access_play
from tests.support.access_model import ModelledRoom
from tests.support.access_play import WEIGHTS as OF_ACCESS
from tests.support.access_play import Play
from tests.support.access_rights import CHANGES_KEPT
from tests.support.access_stage import SIGNED_IN, USERS, Seated
from tests.support.fold_play import told_of
from tests.support.model_cast import Frame
from tests.support.together_model import About, Line, TogetherRoom
from tests.support.together_stage import Keeping, View

__all__ = ["play"]

WEIGHTS = OF_ACCESS | {
    "say": 50, "edit": 8, "delete": 6, "react": 16, "pin": 8, "read": 12, "block": 6, "trim": 1, "lose": 2, "cut": 5, "come": 8,
    "look": 2, "invite": 1, "add": 1, "app_adds": 6, "update": 6, "show": 4,
}  # fmt: skip
EMOJI = ("👍", ":tada:", "🎉")
GROUPS = ("@room", "@member", "@moderator", "@owner")
EVENTS = {
    "reaction.add": "reaction.added", "reaction.remove": "reaction.removed", "message.pin": "message.pinned",
    "message.unpin": "message.unpinned",
}  # fmt: skip
COMPARED = 10
"""Steps from one comparison to the next."""


class Together(Play):
    """One run. Acts that are not here are those of `access_play`."""

    worker = Keeping
    room = TogetherRoom
    rooms: dict[str, TogetherRoom]  # type: ignore[assignment]

    def __init__(self, dice: random.Random, make: Callable[[], Store], move: Callable[[float], None]) -> None:
        super().__init__(dice, make, move)
        self.views: dict[tuple[int, str], View] = {}
        self.blocks: dict[str, set[str]] = {}
        self.lossy = dice.random() < 0.5
        self.mentioned: dict[int, list[tuple[str, int]]] = {}
        """By connection: of which messages it has to be told."""

    async def steps(self, count: int) -> None:
        for step in range(count):
            act = self.dice.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
            await getattr(self, act)()
            await self._settle()
            self._compare_live()
            if step % COMPARED == COMPARED - 1:
                await self._compare_all()
        await self._compare_all()

    # ---- messages ----

    def _names(self) -> list[str]:
        names = [user.id for user in SIGNED_IN]
        return self.dice.sample((*names, *GROUPS, *GROUPS, "nobody"), self.dice.choice((0, 0, 1, 2, 3)))

    def _meant(self, room: TogetherRoom, sender: str | None, names: list[str]) -> set[str]:
        """Whom a message mentions for good."""
        groups = room.refusal(sender, "mention.room", now()) is None
        ids = {name for name in names if name in room.members and self._reaches(sender, name)}
        return ids | {name for name in names if name in GROUPS and groups}

    def _reaches(self, sender: str | None, user: str) -> bool:
        return sender is None or (sender != user and sender not in self.blocks.get(user, ()))

    def _tell(self, room: TogetherRoom, names: set[str], seq: int) -> None:
        for number, seat in enumerate(self.seats):
            if seat.client is None or seat.name not in names or not room.may_read(seat.name, seq):
                continue
            if all(room.refusal(seat.name, asked, now()) is None for asked in ("unread", "history")):
                self.mentioned.setdefault(number, []).append((room.id, seq))

    async def say(self) -> None:
        room = self.rooms[self._room().id]
        seat, names = self._seat(room), self._names()
        body: Frame = {"text": f"text {self.dice.randrange(10**9)}", "mentions": names}
        if self.dice.random() < 0.2:
            await self._app_says(room, body)
            return
        code = room.refusal(seat.name, "message", now()) if room.id in seat.rooms else "not_a_member"
        parent = self._message(room, seat) if self.dice.random() < 0.5 else None
        if parent is not None:
            body["parent"] = parent.id
            answered = room.may_read(seat.name, parent.seq) and room.about[parent.id].parent is None
            code = code or (None if answered else "invalid_field")
        answer = await self._ask(seat, "message", room, body, code)
        if code is None:
            self._said(room, seat.name, body, answer["msgId"], answer["seq"])

    async def _app_says(self, room: TogetherRoom, body: Frame) -> None:
        self.trace.append(f"app says {body} in {room.id}")
        worker = self.dice.choice(self.workers)
        assert isinstance(worker, Keeping)
        stored = await worker.api.publish(room.id, "message", body)
        self._said(room, None, body, stored.msg_id, stored.seq)

    def _said(self, room: TogetherRoom, sender: str | None, body: Frame, id: str, seq: int) -> None:
        entry = room.store("message", sender, body["text"], id)
        assert seq == room.head, (seq, room.head)
        meant = self._meant(room, sender, body["mentions"])
        room.about[id] = About(entry, body.get("parent"), meant, body["mentions"])
        self._happened(room)
        self._tell(room, meant, seq)

    async def edit(self) -> None:
        room = self.rooms[self._room().id]
        seat = self._seat(room)
        message = self._message(room, seat)
        if message is None:
            return
        code = room.refusal(seat.name, "message.edit", now()) or room.refusal(seat.name, "message", now())
        if code is None and (message.text is None or not room.may_read(seat.name, message.seq)):
            code = "message_not_found"
        if code is None and message.sender != seat.name:
            code = "forbidden"
        text, names, about = f"edited {self.dice.randrange(10**9)}", self._names(), room.about[message.id]
        payload = {"msgId": message.id, "body": {"text": text, "mentions": names}}
        if await self._change(seat, "message.edit", room, payload, code, "message.edited"):
            meant, before = self._meant(room, seat.name, names), about.named
            message.text, about.mentions, about.named = text, meant, names
            self._happened(room)
            self._tell(room, meant.difference(before), message.seq)

    async def react(self) -> None:
        room = self.rooms[self._room().id]
        seat = self._seat(room, able="reaction.add")
        message, on = self._message(room, seat), self.dice.random() < 0.6
        reacted = [
            one for one in room.about.values() if any(seat.name in held for held in one.reactions.values())
        ]
        if not on and reacted:
            message = self.dice.choice(reacted[-10:]).entry
        if message is None:
            return
        type = "reaction.add" if on else "reaction.remove"
        code = (
            room.refusal(seat.name, type, now()) or (on and room.refusal(seat.name, "message", now())) or None
        )
        code = code or self._missing(room, seat, message)
        emoji = self.dice.choice(EMOJI)
        held = room.about[message.id].reactions.setdefault(emoji, set())
        event = None if (seat.name in held) is on else EVENTS[type]
        payload = {"msgId": message.id, "emoji": emoji}
        if await self._change(seat, type, room, payload, code, event):
            (held.add if on else held.discard)(seat.name)
            self._happened(room)

    async def pin(self) -> None:
        room = self.rooms[self._room().id]
        seat = self._seat(room, able="message.pin")
        message, on = self._message(room, seat), self.dice.random() < 0.6
        pinned = [about for about in room.about.values() if about.pinned is not None]
        if not on and pinned:
            message = self.dice.choice(pinned[-10:]).entry
        if message is None:
            return
        type, about = "message.pin" if on else "message.unpin", room.about[message.id]
        code = room.refusal(seat.name, type, now()) or self._missing(room, seat, message)
        event = None if (about.pinned is not None) is on else EVENTS[type]
        if await self._change(seat, type, room, {"msgId": message.id}, code, event):
            about.pinned = seat.name if on else None
            self._happened(room)

    def _missing(self, room: TogetherRoom, seat: Seated, message: Any) -> str | None:
        there = message.text is not None and room.may_read(seat.name, message.seq)
        return None if there else "message_not_found"

    # ---- what one keeps for oneself ----

    async def read(self) -> None:
        room = self.rooms[self._room().id]
        seat, unread = self._seat(room, able="read"), self.dice.random() < 0.5
        seq = self.dice.randint(max(room.head - self.dice.choice((5, 15, 60)), 0), room.head + 2)
        code = room.refusal(seat.name, "read", now())
        answer = await self._ask(seat, "read", room, {"seq": seq, "unread": unread}, code)
        if code is None:
            room.mark(seat.name, seq, unread=unread)
            left = room.line(seat.name, self.blocks.get(seat.name, set()))
            told = (answer["unread"], answer["more"], answer["mentions"], answer["read"])
            assert told == (left.count, left.more, left.mentions, left.read), f"{answer}, not {left}"

    async def give_role(self) -> None:
        before = {
            (r.id, id): (held.role, held.creator)
            for r in self.rooms.values()
            for id, held in r.members.items()
        }
        await super().give_role()
        for room in self.rooms.values():
            for id, held in room.members.items():
                if before[room.id, id] != (held.role, held.creator):
                    room.role_since[id] = (held, room.head)

    async def block(self) -> None:
        """Mostly of somebody who may mention all."""
        seat = self.dice.choice([seat for seat in self.seats if seat.user in SIGNED_IN])
        other = self.dice.choice([user.id for user in SIGNED_IN[:4] if user.id != seat.name])
        on = other not in self.blocks.get(seat.name, ()) or self.dice.random() < 0.7
        await self._set_block(seat, other, on=on)

    async def _set_block(self, seat: Seated, other: str, *, on: bool) -> None:
        type = "user.block" if on else "user.unblock"
        self.trace.append(f"{seat.name}: {type} {other}")
        if seat.client is None:
            await self._connect(seat)
        assert seat.client is not None
        await seat.client.ack(type, payload={"user": other})
        blocked = self.blocks.setdefault(seat.name, set())
        (blocked.add if on else blocked.discard)(other)

    async def invite(self) -> None:
        await self._unblock_all()  # a block also stops invitations: that is not looked at here
        await super().invite()

    async def add(self) -> None:
        await self._unblock_all()
        await super().add()

    async def _unblock_all(self) -> None:
        for seat in self.seats:
            for other in sorted(self.blocks.get(seat.name, ())):
                await self._set_block(seat, other, on=False)

    async def show(self) -> None:
        """Another part of the past of a private room is shown."""
        room = self.dice.choice(
            [room for room in self.rooms.values() if not room.public] or list(self.rooms.values())
        )
        past = self.dice.choice(("members", "joined", "joined", "invited"))
        if len(room.changes) < CHANGES_KEPT and await self._update(
            room, None, {"historyVisibility": past}, None
        ):
            self._happened(room)

    # ---- what gets lost ----

    async def trim(self) -> None:
        """Events become too old."""
        room = self.rooms[self._room().id]
        seq = self.dice.randint(0, room.head)
        self.trace.append(f"{room.id} is trimmed up to {seq}")
        await self.dice.choice(self.workers).chat.store.trim(room.id, seq)
        room.trimmed = max(room.trimmed, seq)

    async def lose(self) -> None:
        if not self.lossy:
            return
        lost = self.dice.randint(1, 3)
        self.trace.append(f"a broker loses {lost}")
        self.dice.choice(self.workers).broker.lose_next(lost)

    def _since(self, seat: Seated, room: ModelledRoom) -> Frame:
        view = self.views.get((self.seats.index(seat), room.id))
        if view is None or self.dice.random() < 0.2:
            return {}
        return {
            "since": {
                "epoch": self.epochs[room.id],
                "seq": max(view.seq - self.dice.choice((0, 0, 0, 1, 5)), 0),
            }
        }

    # ---- what is seen ----

    def _compare_live(self) -> None:
        for number, seat in enumerate(self.seats):
            told = []
            for frame in [] if seat.client is None else seat.client.frames[seat.looked :]:
                self._take(number, seat.user, frame)
                if frame["type"] == "mention":
                    told.append((frame["payload"]["room"], frame["payload"]["seq"]))
            # Who is there without being a member may be told too: the oracle does not know who is there.
            told = [one for one in told if seat.name in self.rooms[one[0]].members]
            right = self.mentioned.pop(number, [])
            if self.lossy:  # a live event may be lost
                right = [one for one in right if one in told]
            assert told == right, f"{seat.name} was told of {told}, and not of {right}"
        super()._compare_live()

    def _take(self, number: int, user: User, frame: Frame) -> None:
        payload, type = frame["payload"], frame["type"]
        if type == "ack" and "recovered" in payload:
            place = number, payload["room"]
            if payload["recovered"]:
                for event in payload["messages"]:
                    self.views[place].take(event, user.id)
                self.views[place].seq = payload["seq"]
            else:
                self.views[place] = View(payload["messages"], payload["seq"], complete=not payload["more"])
        elif type == "room.added":
            self.views[number, payload["room"]] = View([], payload["seq"], complete=False)
        elif "seq" in frame and type not in ("ack", "error"):
            self.views[number, frame["room"]].take(frame, user.id)

    async def _compare_all(self) -> None:
        for user in USERS:
            await self._compare_counts(user)
        for number, seat in enumerate(self.seats):
            for room in self.rooms.values():
                if seat.client is not None and room.id in seat.rooms:
                    await self._compare_messages(seat, self.views[number, room.id], room)
        await self._settle()
        self._compare_live()

    async def _compare_messages(self, seat: Seated, view: View, room: TogetherRoom) -> None:
        """What the connection shows, a fresh join, and the oracle."""
        fresh = await chat_client(self.dice.choice(self.workers).chat, seat.user)
        joined = await fresh.ack("join", room=room.id, payload={"history": 200})
        fresh.disconnect()
        assert not joined["more"]
        assert joined["seq"] == view.seq == room.head, (joined["seq"], view.seq, room.head)
        fetched = {
            message["msgId"]: message for message in joined["messages"] if message["type"] == "message"
        }
        for id, message in fetched.items():
            shown = view.shown.get(id)
            assert shown in (None, message), f"{seat.name} shows {shown} in {room.id}, and a join {message}"
            assert shown is not None or message["seq"] <= view.start, f"{seat.name} lacks {message}"
            told = told_of(message)
            right = room.told(id, seat.name)
            assert told == right, f"{seat.name} sees {told} of {id} in {room.id}, not {right}"
        wanted = {entry.id for entry in room.timeline(seat.name) if entry.type == "message"}
        assert set(fetched) == wanted, f"{seat.name} sees {set(fetched) ^ wanted} of {room.id}"

    async def _compare_counts(self, user: User) -> None:
        chat = self.dice.choice(self.workers).chat
        about = await chat.store.rooms_about(list(self.rooms), user.id)
        found = await count(chat.core, user.id, {id: room for id, (room, _) in about.items()})
        lines = {id: room.line(user.id, self.blocks.get(user.id, set())) for id, room in self.rooms.items()}
        for id, line in lines.items():
            one = found[id]
            told = Line(one.count, one.more, one.first, one.mentions, one.marker)
            assert told == line, f"{user.id} in {id} at {self.rooms[id].head}: {told}, not {line}"
        seat = next((seat for seat in self.seats if seat.user is user and seat.client is not None), None)
        if seat is not None:
            await self._compare_asked(seat, lines)

    async def _compare_asked(self, seat: Seated, lines: dict[str, Line]) -> None:
        """The same by the commands, which count nothing where one may not ask."""
        assert seat.client is not None
        may = {id for id, room in self.rooms.items() if room.refusal(seat.name, "unread", now()) is None}
        asked = (await seat.client.ack("unread", payload={"rooms": list(self.rooms)}))["rooms"]
        assert set(asked) == may, f"{seat.name} is told of {set(asked)}, not {may}"
        for id, one in asked.items():
            told = Line(one["unread"], one["more"], one.get("first"), one["mentions"], one["read"])
            assert told == lines[id], f"{seat.name} in {id}: {told}, not {lines[id]}"
        counted = [line for id, line in lines.items() if id in may]
        badge = await seat.client.ack("badge")
        right = (sum(line.count > 0 for line in counted), sum(line.mentions for line in counted))
        assert (badge["rooms"], badge["mentions"]) == right, f"badge of {seat.name}: {badge}, not {right}"
        for one in (await seat.client.ack("rooms", payload={"mine": True}))["rooms"]:
            line = lines[one["room"]] if one["room"] in may else Line()
            listed = (one["unread"], one["more"], one["mentions"])
            assert listed == (line.count, line.more, line.mentions), f"list of {seat.name}: {one}, not {line}"


async def play(make: Callable[[], Store], *, steps: int, number: int | None = None) -> None:
    """One run, as in `access_play`; the variable is TOGETHER_SEED."""
    await access_play.play(make, steps=steps, number=number, kind=Together, variable="TOGETHER_SEED")
