"""10,000 mutes and bans, or kicks, in a private room under 20,000 deliveries a second on four workers, while the connections of
those concerned are cut and come back: nothing with a number above that of the ban reaches them, live or by recovery, and nothing
that they say is stored after a mute or a ban.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from sanic_chatrooms import Unavailable, User
from sanic_chatrooms.support.paging import PAGE_LIMIT
from tests.soak._hall import HALL, Hall, Socket, served_hall
from tests.soak.runs import Progress, Verdict, main
from tests.support.wire import token

SHORT = 0.002
MEMBERS, ATONCE = 5_000, 60
STAY, MUTED, AFTER = 0.8, 0.6, 0.5
"""Seconds for which a member is there, about, and is muted, and tries to come back afterwards."""
TALK = 40.0
"""Messages a second, beside those of the members, their coming and their end."""
WAYS_OUT = frozenset(("member.banned", "member.kicked"))


class Member:
    """One of them, with two connections that talk, are cut and come back to where they were. `highest` is over both."""

    def __init__(self, hall: Hall, name: str, *, kicked: bool) -> None:
        self.hall = hall
        self.kicked = kicked
        """In place of a ban."""
        self.user = User(name, name)
        self.shown = token(name, iat=int(time.time()) - 60)
        self.highest, self.told_by = 0, b""
        self.epoch = ""
        self.over = False
        self.answers: Counter[str] = Counter()

    async def live(self) -> None:
        await self.hall.chat.add_member(HALL, self.user)
        lives = [asyncio.ensure_future(self._come_and_go()) for _ in range(2)]
        await asyncio.sleep(STAY * random.uniform(0.2, 1.8))
        await self._surely(lambda: self.hall.chat.mute(HALL, self.user))
        await asyncio.sleep(MUTED * random.uniform(0.2, 1.8))
        if self.kicked:
            await self._surely(lambda: self.hall.chat.kick(HALL, self.user))
        else:
            await self._surely(lambda: self.hall.chat.ban(HALL, self.user, reason="spam"))
        await asyncio.sleep(AFTER)
        self.over = True
        await asyncio.gather(*lives)

    async def _surely(self, act: Callable[[], Awaitable[bool]]) -> None:
        """As an app does: what the server cannot do now is asked again."""
        while True:
            try:
                await act()
                return
            except Unavailable:
                self.answers["moderation unavailable"] += 1

    async def _come_and_go(self) -> None:
        since = 0
        while not self.over:
            socket = await Socket.open(self.hall.port, self.shown)
            if await socket.status == 101:
                await self._stay(socket, since)
            since = max(since, socket.highest)
            if since > self.highest:
                self.highest, self.told_by = since, socket.told_by
            socket.cut()

    async def _stay(self, socket: Socket, since: int) -> None:
        payload: dict[str, Any] = {"history": 20}
        if since and random.random() < 0.8:
            payload = {"since": {"epoch": self.epoch, "seq": since}}
        answer = await socket.ask("join", room=HALL, payload=payload)
        self._note("join", answer)
        if answer is None or answer["type"] != "ack":
            self._note("history", await socket.ask("history", room=HALL, payload={}))
            return
        self.epoch = answer["payload"]["epoch"]
        ends = time.monotonic() + random.uniform(0.05, 0.8)
        while time.monotonic() < ends and not self.over:
            self._note("message", await socket.ask("message", room=HALL, payload={"text": "here I am"}))
            for _ in range(3):
                self._note("history", await socket.ask("history", room=HALL, payload={"limit": 5}))
                await asyncio.sleep(0.1)

    def _note(self, type: str, answer: dict[str, Any] | None) -> None:
        told = "cut" if answer is None else answer["payload"].get("code", "ack")
        self.answers[f"{type} {told}"] += 1


class _About(msgspec.Struct):
    user: dict[str, str]


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict = Verdict()
    count = max(10, int(MEMBERS * scale))
    done: dict[str, Member] = {}
    async with served_hall(scale) as hall:
        await hall.fill(TALK, visibility="private")
        log = Log(hall)
        for start in range(0, count, ATONCE):
            numbers = range(start, min(count, start + ATONCE))
            some = [Member(hall, f"member-{n}", kicked=n % 4 == 0) for n in numbers]
            await asyncio.gather(*(member.live() for member in some))
            done |= {member.user.id: member for member in some}
            await log.read()
            progress(min(1.0, (start + ATONCE) / count), f"{len(done):,} are out")
        wrong, figures = await hall.end()
        await log.read()
    answers = sum((member.answers for member in done.values()), Counter[str]())
    verdict.wrong = wrong + judged(done, log)[:10]
    verdict.figures = {
        **figures,
        "mutes": f"{len(log.mutes):,}",
        "bans and kicks": f"{len(log.ends):,}",
        "answers": dict(sorted(answers.items())),
    }
    return verdict


class Log:
    """What the room's numbers are: how each stay ended, and the last word of each."""

    def __init__(self, hall: Hall) -> None:
        self._store = hall.chat.running().store
        self._at = 0
        self.mutes: dict[str, int] = {}
        self.ends: dict[str, int] = {}
        self.last_words: dict[str, int] = {}

    async def read(self) -> None:
        more = True
        while more:
            page = await self._store.history(HALL, after=self._at, limit=PAGE_LIMIT)
            for event in page.events:
                self._at = event.seq or 0
                if event.type in WAYS_OUT or event.type == "member.muted":
                    noted = self.ends if event.type in WAYS_OUT else self.mutes
                    noted[msgspec.json.decode(event.payload, type=_About).user["id"]] = self._at
                elif event.type == "message" and event.sender is not None:
                    self.last_words[event.sender.id] = self._at
            more = page.more


def judged(members: dict[str, Member], log: Log) -> list[str]:
    wrong = []
    for id, member in members.items():
        mute, end = log.mutes.get(id), log.ends.get(id)
        if mute is None or end is None:
            wrong.append(f"{id} is not muted, or not out")
        elif member.highest > end:
            wrong.append(f"{id} was out at {end} and got {member.highest}: {member.told_by!r}")
        elif log.last_words.get(id, 0) > mute:
            wrong.append(f"{id} was muted at {mute} and said {log.last_words[id]}")
    return wrong


if __name__ == "__main__":
    main(soak)
