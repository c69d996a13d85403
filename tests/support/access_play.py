"""Ten users in a public and a private room, on two workers: what each does is allowed, and what each sees live, in history, by
recovery and by searching is exactly what the oracle (`access_model`) says.

One step follows the other, all chosen by one number: a failure tells it, and with ACCESS_SEED it happens again.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from sanic_chatrooms.hub import journal, repair
from sanic_chatrooms.stores.base import Store
from sanic_chatrooms.stores.unread import LAST
from sanic_chatrooms.support.clock import now
from sanic_chatrooms.support.words import Query
from sanic_chatrooms.testing.clock import time_of_day
from tests.support.access_model import LEVELS, ModelledRoom
from tests.support.access_model import Invite as Invitation
from tests.support.access_rights import Rights, granted
from tests.support.access_stage import Seated, SharedMemory
from tests.support.model_cast import Frame

__all__ = ["SharedMemory", "play"]

WEIGHTS = {
    "say": 12, "edit": 2, "delete": 2, "join": 9, "exit": 1, "leave": 2, "kick": 2, "ban": 2, "unban": 3, "mute": 2,
    "unmute": 2, "give_role": 3, "invite": 3, "accept": 2, "decline": 1, "add": 3, "update": 5, "cut": 2, "come": 4,
    "look": 6, "search": 5, "search_everywhere": 3, "index": 2, "app_adds": 2, "app_removes": 1, "time_passes": 1,
}  # fmt: skip


class Play(Rights):
    """All acts: these, and those of `Rights`."""

    def __init__(self, dice: random.Random, make: Callable[[], Store], move: Callable[[float], None]) -> None:
        super().__init__(dice, make, move)
        self.said: list[str] = []
        """All texts that there ever were."""

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
                await self._search(seat, room)
            await self._search(seat, None)
        await self._settle()
        self._compare_live()

    # ---- messages ----

    async def say(self) -> None:
        room = self._room()
        seat = self._seat(room)
        text = f"text {self.dice.randrange(10**9)}"
        code = room.refusal(seat.name, "message", now()) if room.id in seat.rooms else "not_a_member"
        answer = await self._ask(seat, "message", room, {"text": text}, code)
        if code is None:
            self.said.append(text)
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
            self.said.append(text)
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
            role = granted(room, invite)
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

    # ---- searching ----

    async def search(self) -> None:
        room = self._room()
        await self._search(self._seat(room, able="search"), room)

    async def search_everywhere(self) -> None:
        await self._be_indexed()
        await self._search(self._seat(), None)

    async def _be_indexed(self) -> None:
        """In all rooms, what is in the index is found, and workers put it there behind what is said."""
        index = self.workers[0].chat.core.index
        if index is None:
            return
        async with asyncio.timeout(30):
            for room in self.rooms.values():
                while (await index.find_in(room.id, Query("text"), before=LAST, limit=1)).indexed < room.head:
                    await index.index([room.id])

    async def index(self) -> None:
        """Some of what was said is in the index, and the rest is not."""
        index, most = self.dice.choice(self.workers).chat.core.index, self.dice.choice((1, 5, 500))
        if index is not None:
            self.trace.append(f"{most} are indexed")
            await index.index(list(self.rooms), most=most)

    async def _search(self, seat: Seated, room: ModelledRoom | None) -> None:
        """None: in all of one's own rooms."""
        if self.workers[0].chat.core.index is None:
            return
        user, text = seat.name, self.dice.choice(self.said or ["text"])
        query = self.dice.choice(("text", "edited", text, text.split()[-1]))
        code = None if room is None else room.refusal(user, "search", now())
        found = await self._pages(seat, room, query, code)
        if code is not None:
            return
        for each in self.rooms.values():
            mine = user in each.members and each.refusal(user, "search", now()) is None
            searched = mine if room is None else each is room
            got = [(m["seq"], m["payload"]["text"]) for m in found if m["room"] == each.id]
            wanted = [
                (e.seq, e.text)
                for e in reversed(each.timeline(user))
                if searched and e.type == "message" and e.text is not None and _has(e.text, query)
            ]
            assert got == wanted, f"{user} finds {got} of {each.id} by {query!r}, not {wanted}"

    async def _pages(
        self, seat: Seated, room: ModelledRoom | None, query: str, code: str | None
    ) -> list[Frame]:
        found, payload = list[Frame](), {"query": query, "limit": self.dice.choice((3, 10, 200))}
        while True:
            answer = await self._ask(seat, "search", room, payload, code)
            if code is not None:
                return []
            found += answer["messages"]
            if not answer["more"]:
                return found
            payload = {**payload, "cursor": answer["cursor"]}


def _has(text: str, query: str) -> bool:
    """Whether a text has all words of a query, or words that begin with them."""
    words = text.split()
    return all(
        asked in words or (len(asked) >= 3 and any(word.startswith(asked) for word in words))
        for asked in query.split()
    )


def _may_join_as(room: ModelledRoom, user: str, invite: Invitation) -> bool:
    need, role = room.need("join"), granted(room, invite)
    by_level = "level" in need and LEVELS[role] >= need["level"]
    return bool(by_level) or role in need.get("roles", ()) or user in need.get("users", ())


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


async def play(
    make: Callable[[], Store],
    *,
    steps: int,
    number: int | None = None,
    kind: type[Play] = Play,
    variable: str = "ACCESS_SEED",
) -> None:
    """One run. `make`: stores that were not started; those of one run are over the same data.

    All that is chosen follows from `number`, else the environment's `variable`, else any.
    """
    number = number or int(os.environ.get(variable) or secrets.randbelow(2**32) or 1)
    with (
        patch.object(repair, "GAP_WAIT", 0.001),
        patch.object(repair, "RETRY_LONGEST", 0.001),
        patch.object(journal, "RETRY_WAIT", 0.001),
        time_of_day() as move,
    ):
        run = kind(random.Random(number), make, move)
        try:
            await run.begin()
            await run.steps(steps)
        except BaseException as failure:
            failure.add_note("\n".join([*run.trace[-60:], f"the same again: {variable}={number}"]))
            raise
        finally:
            await run.end()
