"""Random histories of rooms, and a simple account of what is unread in them and who is mentioned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from sanic_chatrooms import ChatRooms, User
from sanic_chatrooms.chat import Chat

__all__ = ["HISTORY_MAX", "UnreadOracle"]

USERS = tuple(User(f"u{n}", f"User {n}") for n in range(5))
ROLES = ("member", "member", "moderator", "reader")
NAMES = (*(user.id for user in USERS), "@room", "@member", "@moderator", "nobody")
ROOMS = {"pub": "public", "club": "private", "den": "private"}
HISTORY_MAX = 60
VISIBILITIES = ("members", "joined", "invited")
CHANGES = 14
"""Of who may read the past of a room: it remembers 16."""


@dataclass
class Message:
    msg_id: str
    sender: str | None
    names: set[str]
    deleted: bool = False


@dataclass
class Membership:
    since: int
    role: str
    role_since: int
    marker: int


@dataclass
class Place:
    kind: str
    messages: dict[int, Message] = field(default_factory=dict)
    members: dict[str, Membership] = field(default_factory=dict)
    shown: list[tuple[int, str]] = field(default_factory=lambda: [(1, "members")])
    head: int = 0

    def visible(self, seq: int, member: Membership) -> bool:
        """May the member read the event with this number?"""
        value = [value for first, value in self.shown if first <= seq][-1]
        return self.kind == "public" or value == "members" or seq >= member.since

    def count(self, user: str) -> tuple[int, bool, int | None, int, int]:
        """unread, more, first, mentions, read"""
        member = self.members.get(user)
        if member is None:
            return 0, False, None, 0, 0
        left = [
            (seq, message)
            for seq, message in sorted(self.messages.items())
            if seq > max(member.marker, self.head - HISTORY_MAX)
            and not message.deleted
            and message.sender != user
            and self.visible(seq, member)
        ]
        mentions = sum(self._mentions(seq, message, user, member) for seq, message in left)
        first = left[0][0] if left else None
        return min(len(left), 100), len(left) > 100, first, min(mentions, 100), member.marker

    def _mentions(self, seq: int, message: Message, user: str, member: Membership) -> bool:
        role = f"@{member.role}" in message.names and seq > member.role_since
        return user in message.names or ("@room" in message.names and seq > member.since) or role


class UnreadOracle:
    """Does things at random in a running chat, and keeps account of them."""

    def __init__(self, api: ChatRooms, chat: Chat, random: Random) -> None:
        self.api, self.chat, self.random = api, chat, random
        self.places: dict[str, Place] = {}

    async def begin(self) -> None:
        """Make the rooms."""
        for room, kind in ROOMS.items():
            await self._make(room, kind)

    async def _make(self, room: str, kind: str) -> None:
        await self.api.create_room(room, visibility=kind)
        self.places[room] = Place(kind)

    async def step(self) -> str:
        """One thing; -> what it was."""
        room = self.random.choice(tuple(self.places))
        acts: list[tuple[int, Callable[[str, Place], Any]]] = [
            (40, self.say), (8, self.edit), (6, self.delete), (8, self.add), (4, self.remove), (4, self.role),
            (14, self.read), (5, self.mark), (2, self.show), (1, self.remake),
        ]  # fmt: skip
        act = self.random.choices([act for _, act in acts], [weight for weight, _ in acts])[0]
        place = self.places[room]
        await act(room, place)
        place = self.places[room]
        place.head = (await self.chat.store.heads([room]))[room].seq
        return f"{act.__name__} {room}"

    def _names(self) -> list[str]:
        return self.random.sample(NAMES, self.random.choice((0, 0, 1, 1, 2, 3)))

    def _meant(self, place: Place, names: list[str], sender: str | None, *, groups: bool) -> set[str]:
        ids = {name for name in names if name in place.members and name != sender}
        return ids | {name for name in names if name[0] == "@" and groups}

    async def say(self, room: str, place: Place) -> None:
        user, names = self.random.choice((None, *USERS)), self._names()
        member = None if user is None else place.members.get(user.id)
        if user is not None and (
            (member is None and place.kind != "public") or (member is not None and member.role == "reader")
        ):
            return
        body = {"text": "hi", "mentions": names}
        stored = await self.api.publish(room, "message", body, as_user=user)
        sender = None if user is None else user.id
        groups = user is None or (member is not None and member.role == "moderator")
        meant = self._meant(place, names, sender, groups=groups)
        place.messages[stored.seq] = Message(stored.msg_id, sender, meant)

    def _any(self, place: Place) -> Message | None:
        there = [
            message
            for seq, message in place.messages.items()
            if seq > place.head - HISTORY_MAX and not message.deleted
        ]
        return self.random.choice(there) if there else None

    async def edit(self, room: str, place: Place) -> None:
        if (message := self._any(place)) is None:
            return
        names = self._names()
        await self.api.edit(room, message.msg_id, {"text": "new", "mentions": names})
        message.names = self._meant(place, names, message.sender, groups=True)

    async def delete(self, room: str, place: Place) -> None:
        if (message := self._any(place)) is not None:
            await self.api.delete(room, message.msg_id)
            message.deleted = True

    async def add(self, room: str, place: Place) -> None:
        user, role = self.random.choice(USERS), self.random.choice(ROLES)
        if user.id in place.members:
            return
        await self.api.add_member(room, user, role)
        head = (await self.chat.store.heads([room]))[room].seq
        place.members[user.id] = Membership(head, role, head, head)

    async def remove(self, room: str, place: Place) -> None:
        if not place.members:
            return
        user = self.random.choice([user for user in USERS if user.id in place.members])
        how = self.random.choice((self.api.remove_member, self.api.kick, self.api.ban))
        await how(room, user)
        if how == self.api.ban:
            await self.api.unban(room, user)
        del place.members[user.id]

    async def role(self, room: str, place: Place) -> None:
        if not place.members:
            return
        id, role = self.random.choice(list(place.members)), self.random.choice(ROLES)
        member = place.members[id]
        if role != member.role:
            await self.api.set_role(room, next(user for user in USERS if user.id == id), role)
            member.role, member.role_since = role, (await self.chat.store.heads([room]))[room].seq

    async def read(self, room: str, place: Place) -> None:
        await self._mark(room, place, unread=False)

    async def mark(self, room: str, place: Place) -> None:
        await self._mark(room, place, unread=True)

    async def _mark(self, room: str, place: Place, *, unread: bool) -> None:
        user, seq = self.random.choice(USERS), self.random.randrange(place.head + 4)
        await self.api.mark_read(user, room, seq, unread=unread)
        member = place.members.get(user.id)
        if member is not None and unread:
            member.marker = min(max(seq - 1, 0), place.head)
        elif member is not None:
            member.marker = max(member.marker, min(seq, place.head))

    async def show(self, room: str, place: Place) -> None:
        value = self.random.choice(VISIBILITIES)
        if place.kind == "public" or len(place.shown) > CHANGES or value == place.shown[-1][1]:
            return
        await self.api.update_room(room, history_visibility=value)
        place.shown.append(((await self.chat.store.heads([room]))[room].seq, value))

    async def remake(self, room: str, place: Place) -> None:
        if self.random.random() < 0.2:
            await self.api.delete_room(room)
            await self._make(room, place.kind)

    async def differences(self) -> list[str]:
        """Where the chat says something else than this account, of every user in every room."""
        found = []
        for user in USERS:
            lines = await self.api.unread(user, tuple(self.places))
            for room, place in self.places.items():
                line = lines[room]
                first = line.first if isinstance(line.first, int) else None
                told = (line.unread, line.more, first, line.mentions, line.read)
                if told != (right := place.count(user.id)):
                    found.append(f"{user.id} in {room} at {place.head}: {told}, and not {right}")
        return found
