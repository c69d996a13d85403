"""20,000 messages, each sent 1 to 5 times on different connections, many of whose acks are lost: stored once each."""

from __future__ import annotations

import asyncio
import random

from sanic_chatrooms.support.ids import new_id
from sanic_chatrooms.testing import Checker, FaultProxy
from tests.soak.runs import Progress, Verdict, main
from tests.soak.visitors import Visitor, served

MESSAGES = 20_000
SHORT = 0.01
TIMES = 5
USERS = 10
SOUND, CUT_OFF = 3, 2
"""Connections of each user: those that hear their acks, and those that do not."""
UNDER_WAY = 50
HISTORY = 1_000
"""Events kept per room: most of what is said is trimmed by the end."""
LATE = 1_000
"""Of the oldest messages so many are repeated at the end."""


async def soak(scale: float, progress: Progress) -> Verdict:
    checker, count = Checker(), int(MESSAGES * scale)
    history = max(10, int(HISTORY * scale))
    async with (
        served(history_max=history, dedup_window=3600) as server,
        FaultProxy("127.0.0.1", server.port) as proxy,
    ):
        users = [User(n, checker) for n in range(USERS)]
        for user in users:
            await user.come(server.ws_url, f"ws://127.0.0.1:{proxy.port}")
        proxy.down.swallow = True
        await _say_all(users, count, progress)
        floor = min([await user.head() for user in users]) - history
        await _repeat_late(users, max(10, int(LATE * scale)))
        heads = [await user.head() for user in users]
        for user in users:
            await user.give_up_those_cut_off()
        verdict = Verdict(wrong=checker.flaws() + checker.gaps())
        lost = proxy.down.swallowed
        for user in users:
            await user.leave()
    if len(checker.acked) != count or sum(heads) != count:
        verdict.wrong.append(f"{count:,} messages: {len(checker.acked):,} acked, {sum(heads):,} stored")
    if floor <= 0:
        verdict.wrong.append("nothing was trimmed")
    verdict.wrong += [f"user {u.number}: {error}" for u in users for error in u.errors()][:10]
    verdict.figures = {
        "messages": count,
        "sent": sum(user.sent for user in users),
        "acks that said duplicate": checker.repetitions,
        "bytes of acks and events lost": lost,
        "stored": sum(heads),
    }
    return verdict


async def _say_all(users: list[User], count: int, progress: Progress) -> None:
    turns, done = asyncio.Semaphore(UNDER_WAY), 0

    async def say(n: int) -> None:
        nonlocal done
        async with turns:
            await users[n % USERS].say(n)
        done += 1
        progress(done / count, f"{done:,} messages")

    await asyncio.gather(*(say(n) for n in range(count)))


async def _repeat_late(users: list[User], count: int) -> None:
    for user in users:
        for n in user.said[: count // USERS]:
            await user.repeat(n)


class User:
    """One user in a room of theirs, on several connections."""

    def __init__(self, number: int, checker: Checker) -> None:
        self.number = number
        self.room = f"room.{number}"
        self.said: list[tuple[str, int]] = []
        """msgId and number of what was acked, oldest first."""
        self.sent = 0
        self._checker = checker
        self._dice = random.Random(number)
        self._sound: list[Visitor] = []
        self._cut_off: list[Visitor] = []

    async def come(self, url: str, through_proxy: str) -> None:
        self._sound = [await self._connect(url) for _ in range(SOUND)]
        self._cut_off = [await self._connect(through_proxy) for _ in range(CUT_OFF)]

    async def _connect(self, url: str) -> Visitor:
        name = f"user-{self.number}"
        witness = self._checker.witness(f"{name} by connection {len(self._checker.witnesses)}", user=name)
        visitor = await Visitor.come(url, witness)
        await visitor.join(self.room)
        return visitor

    async def say(self, n: int) -> None:
        """Send it on some connections, all at once or one after the other, until one has its ack."""
        msg_id, last = new_id(), self._dice.choice(self._sound)
        rest = [visitor for visitor in (*self._sound, *self._cut_off) if visitor is not last]
        others = self._dice.sample(rest, k=self._dice.randint(0, TIMES - 1))
        waiting = []
        for other in others:
            self.sent += 1
            if other in self._cut_off or self._dice.random() < 0.5:
                await other.send("message", room=self.room, payload={"text": f"{n}"}, msg_id=msg_id)
            else:
                waiting.append(asyncio.ensure_future(self._ask(other, n, msg_id)))
        await self._ask(last, n, msg_id)
        await asyncio.gather(*waiting)
        self.said.append((msg_id, n))

    async def _ask(self, visitor: Visitor, n: int, msg_id: str) -> None:
        self.sent += 1
        await visitor.ask("message", room=self.room, payload={"text": f"{n}"}, msg_id=msg_id)

    async def repeat(self, said: tuple[str, int]) -> None:
        """Send again what was acknowledged, on any connection that hears the ack."""
        msg_id, n = said
        await self._ask(self._dice.choice(self._sound), n, msg_id)

    async def head(self) -> int:
        answer = await self._sound[0].ask("history", room=self.room, payload={"limit": 1})
        return int(answer["payload"]["seq"])

    def errors(self) -> list[str]:
        return [str(error) for visitor in self._sound for error in visitor.witness.errors]

    async def give_up_those_cut_off(self) -> None:
        for visitor in self._cut_off:
            await visitor.cut()

    async def leave(self) -> None:
        for visitor in self._sound:
            await visitor.leave()


if __name__ == "__main__":
    main(soak)
