"""Of everything that goes between four workers one envelope in five is lost: direct messages all arrive, who leaves or is
kicked is out on all workers within a position check, and nobody notices more than that.

Four workers in one event loop on a real Valkey; everybody is connected to two of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from dataclasses import dataclass, field
from typing import Any

from sanic_chatrooms import ChatRooms, User
from sanic_chatrooms.brokers.redis import RedisBroker
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.config.backends import Backends
from sanic_chatrooms.models import PUBLIC, Room, direct_room
from sanic_chatrooms.presence.redis import RedisPresence
from sanic_chatrooms.stores.redis.store import RedisStore
from sanic_chatrooms.testing import Checker, FaultyBroker, MemoryClient, Witness, chat_client
from sanic_chatrooms.testing.connections import running_core
from tests.soak._talker import until
from tests.soak.runs import Progress, Verdict, main
from tests.support.valkey import running

WORKERS, PEOPLE, ROUNDS = 4, 24, 100
SHORT = 0.02
LOSE = 0.2
CHECK = 2.0
"""Seconds between two position checks, at most."""
SLACK = 0.5
"""Seconds for what a check finds out to be carried out."""
HALL = "hall"
PACE = 0.1

Frame = dict[str, Any]


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict, rounds = Verdict(), max(1, round(ROUNDS * scale))
    people = PEOPLE if scale >= 1 else 8
    async with contextlib.AsyncExitStack() as stack:
        url = stack.enter_context(running()).url
        brokers = [FaultyBroker(RedisBroker(url), lose=LOSE, random=random.Random(n)) for n in range(WORKERS)]
        instances = [ChatRooms("lossy") for _ in brokers]
        chats = [
            await stack.enter_async_context(worker(instance, url, broker))
            for instance, broker in zip(instances, brokers, strict=True)
        ]
        run = Run(chats, instances, verdict)
        await run.enter(people)
        talking = asyncio.ensure_future(run.talk())
        try:
            for n in range(rounds):
                await run.round()
                progress((n + 1) / (rounds + 1), f"round {n + 1}, {len(run.checker.acked):,} acked")
        finally:
            talking.cancel()
            await asyncio.gather(talking, return_exceptions=True)
        await run.judge()
    verdict.figures["envelopes lost"] = f"{sum(broker.lost for broker in brokers):,}"
    return verdict


def worker(
    instance: ChatRooms, url: str, broker: FaultyBroker
) -> contextlib.AbstractAsyncContextManager[Chat]:
    backends = Backends(RedisStore(url), broker, RedisPresence(url))
    return running_core(instance, guests=True, position_check=CHECK, backends=backends)


class Tap:
    """Sees what a witness sees, and remembers when the hall was heard of last."""

    def __init__(self, witness: Witness) -> None:
        self.witness = witness
        self.heard_at = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.witness, name)

    def received(self, frame: Frame) -> None:
        if frame.get("room") == HALL and "seq" in frame:
            self.heard_at = time.monotonic()
        self.witness.received(frame)

    def is_in(self, room: str) -> bool:
        stream = self.witness.streams.get(room)
        return stream is not None and stream.open

    def seq(self, room: str) -> int:
        stream = self.witness.streams.get(room)
        return stream.seq if stream is not None else -1


@dataclass
class Person:
    """Somebody with two connections, to different workers."""

    user: User
    clients: list[MemoryClient] = field(default_factory=list)
    taps: list[Tap] = field(default_factory=list)

    async def join(self) -> None:
        for client in self.clients:
            await client.ack("join", room=HALL)


class Run:
    """Everybody, in one room and in many pairs."""

    def __init__(self, chats: list[Chat], instances: list[ChatRooms], verdict: Verdict) -> None:
        self.chats = chats
        self.instances = instances
        self.verdict = verdict
        self.checker = Checker()
        self.dice = random.Random(7)
        self.people: list[Person] = []
        self.pairs: dict[str, tuple[Person, Person]] = {}
        self.longest = {"leave": 0.0, "kick": 0.0}
        self.outs = 0

    async def enter(self, count: int) -> None:
        await self.chats[0].store.create_room(Room(HALL, "", 0, visibility=PUBLIC))
        for n in range(count):
            person = Person(User(f"u{n}", f"User {n}"))
            for chat in self.dice.sample(self.chats, 2):
                tap: Any = Tap(self.checker.witness(f"u{n}", user=person.user.id))
                person.taps.append(tap)
                person.clients.append(await chat_client(chat, person.user, witness=tap))
            await person.join()
            self.people.append(person)

    async def talk(self) -> None:
        while True:
            await self.dice.choice(self.instances).publish(HALL, "message", {"text": "and so on"})
            await asyncio.sleep(PACE)

    async def round(self) -> None:
        """Everybody writes to somebody; one leaves the hall, another is kicked out of it; both come back."""
        leaver, kicked = self.dice.sample(self.people, 2)
        await asyncio.gather(
            *(self.write(person) for person in self.people), self.leave(leaver), self.kick(kicked)
        )
        for person in (leaver, kicked):
            await person.join()

    async def write(self, sender: Person) -> None:
        for _ in range(3):
            other = self.dice.choice([person for person in self.people if person is not sender])
            self.pairs[direct_room(sender.user.id, other.user.id)] = (sender, other)
            payload = {"to": other.user.id, "body": {"text": "between us"}}
            await self.dice.choice(sender.clients).ack("direct", payload=payload)

    async def leave(self, person: Person) -> None:
        await self.dice.choice(person.clients).ack("leave", room=HALL)
        await self.is_out(person, "leave")

    async def kick(self, person: Person) -> None:
        await self.dice.choice(self.instances).kick(HALL, person.user)
        await self.is_out(person, "kick")

    async def is_out(self, person: Person, how: str) -> None:
        """From now on nothing of the hall comes later than after one position check."""
        ordered = time.monotonic()
        await until(lambda: not any(tap.is_in(HALL) for tap in person.taps), CHECK + SLACK)
        heard = max(0.0, *(tap.heard_at - ordered for tap in person.taps))
        self.longest[how] = max(self.longest[how], heard)
        self.outs += 1
        if any(tap.is_in(HALL) for tap in person.taps):
            self.verdict.wrong.append(
                f"{person.user.id} is still in the hall {CHECK + SLACK} s after a {how}"
            )

    async def judge(self) -> None:
        heads = await self.chats[0].store.heads([HALL, *self.pairs])
        await until(lambda: not self.behind(heads), 2 * CHECK + SLACK)
        self.verdict.wrong += [f"{who} is not where {room} is" for who, room in self.behind(heads)[:10]]
        for room in heads:
            await self.checker.read(self.chats[0].store, room)
        self.verdict.wrong += self.checker.flaws()[:10] + self.checker.gaps()[:10]
        self.verdict.figures |= {
            "direct messages acked": f"{len(self.checker.acked):,} in {len(self.pairs)} rooms",
            "left or kicked": self.outs,
            **{
                f"heard after a {how} (s, at most {CHECK + SLACK})": round(seconds, 2)
                for how, seconds in self.longest.items()
            },
        }

    def behind(self, heads: Any) -> list[tuple[str, str]]:
        """Connections that lack something of a room that they belong to."""
        rooms = {HALL: tuple(self.people), **self.pairs}
        return [
            (person.user.id, room)
            for room, people in rooms.items()
            for person in people
            for tap in person.taps
            if not tap.is_in(room) or tap.seq(room) < heads[room].seq
        ]


if __name__ == "__main__":
    main(soak)
