"""A server on SQLite is killed in mid-write 50 times: the file opens, what was acked is stored, once, and clients recover."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import sqlite3
import tempfile
import time
from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any

import jwt
from websockets.exceptions import ConnectionClosed

from sanic_chatrooms.models import Event
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.sql.store import SQLStore
from tests.soak.runs import Progress, Verdict, main
from tests.support.client import Client, Closed, open_client
from tests.support.process import ServerProcess, start_app

KILLS = 50
SHORT = 0.02
SENDERS = 8
OUTSTANDING = 10
SECRET = secrets.token_hex(32)
APP = Path(__file__).with_name("_sqlite_app.py")


async def soak(scale: float, progress: Progress) -> Verdict:
    dice, verdict, kills = random.Random(4), Verdict(), max(1, round(KILLS * scale))
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "chat.db"
        people = [Person(f"u{n}", verdict.wrong) for n in range(SENDERS)]
        for n in range(kills):
            await one_life(file, people, dice.uniform(0.2, 1.0))
            check_file(file, verdict.wrong)
            progress((n + 1) / kills, f"{n + 1} kills, {sum(len(p.acked) for p in people):,} acked")
        # Once more, and nobody is killed: what was never acked is sent again and ends well.
        await one_life(file, people, None)
        events = await stored(file)
    compare(people, events, verdict)
    verdict.figures["kills"] = kills
    return verdict


async def one_life(file: Path, people: list[Person], seconds: float | None) -> None:
    """Start the server, let everybody talk, kill it after so many seconds, or stop it when all is acked."""
    env = {"CHAT_FILE": str(file), "CHAT_SECRET": SECRET}
    server: ServerProcess = await asyncio.to_thread(start_app, APP, env=env)
    try:
        talking = [asyncio.ensure_future(p.talk(server.ws_url, last=seconds is None)) for p in people]
        if seconds is not None:
            await asyncio.sleep(seconds)  # how long a server lives is what varies here
            await asyncio.to_thread(server.kill)
        await asyncio.gather(*talking)
    finally:
        await asyncio.to_thread(server.kill)


def check_file(file: Path, wrong: list[str]) -> None:
    with contextlib.closing(sqlite3.connect(file)) as db:
        (found,) = db.execute("PRAGMA integrity_check").fetchone()
    if found != "ok":
        wrong.append(f"the file after a kill: {found}")


async def stored(file: Path) -> list[Event]:
    store, events, at = SQLStore(f"sqlite:///{file}"), list[Event](), 0
    await store.start("default", Bounds())
    try:
        more = True
        while more:
            page = await store.history("r", after=at, limit=1000)
            events += page.events
            more, at = page.more, max((event.seq or 0 for event in page.events), default=at)
    finally:
        await store.stop()
    return events


def compare(people: list[Person], events: list[Event], verdict: Verdict) -> None:
    wrong = verdict.wrong
    if [event.seq for event in events] != list(range(1, len(events) + 1)):
        wrong.append("the room's numbers have a hole")
    keys = Counter((event.sender.id, event.client_msg_id) for event in events if event.sender)
    wrong += [f"stored {n} times: {key}" for key, n in keys.items() if n > 1]
    by_seq = {event.seq: event for event in events}
    for person in people:
        for msg_id, (seq, server_id) in person.acked.items():
            event = by_seq.get(seq)
            if event is None or (event.msg_id, event.client_msg_id) != (server_id, msg_id):
                wrong.append(f"acked and not stored: {person.id} {msg_id} as {seq}")
        if person.unacked:
            wrong.append(f"never acked: {len(person.unacked)} of {person.id}")
        shown = [(seq, event.msg_id) for seq, event in enumerate(events, 1) if seq > person.first]
        if person.seen != shown[: len(person.seen)] or len(person.seen) < person.position[1] - person.first:
            wrong.append(f"what {person.id} saw is not what is stored")
    verdict.figures |= {
        "stored": len(events),
        "acked": sum(len(person.acked) for person in people),
        "sent again": sum(person.repeated for person in people),
        "recovered joins": sum(person.recovered for person in people),
    }


class Person:
    """Sends until the connection breaks; comes back, recovers, and repeats what was not acked."""

    def __init__(self, id: str, wrong: list[str]) -> None:
        self.id = id
        self.wrong = wrong
        self.token = jwt.encode({"sub": id, "name": id, "exp": time.time() + 86_400}, SECRET, "HS256")
        self.acked: dict[str, tuple[int, str]] = {}
        self.unacked: dict[str, str] = {}
        self.seen: list[tuple[int, str]] = []
        self.position = ("", 0)
        self.first = 0
        self.repeated = self.recovered = 0
        self._numbers = count()

    async def talk(self, url: str, *, last: bool) -> None:
        client = None
        with contextlib.suppress(Closed, ConnectionClosed, OSError, TimeoutError):
            client = await open_client(f"{url}/chat/ws", token=self.token)
            await self._join(client)
            for msg_id in list(self.unacked):
                self.repeated += 1
                await self._send(client, msg_id)
            await (self._finish(client) if last else self._flood(client))
        if client is not None:
            self._take(client)
            await client.abort()

    async def _join(self, client: Client) -> None:
        epoch, seq = self.position
        joined = await client.ack(
            "join", room="r", payload={"since": {"epoch": epoch, "seq": seq}} if epoch else {}
        )
        if epoch and not (joined["recovered"] and joined["epoch"] == epoch):
            self.wrong.append(f"{self.id} did not recover from {self.position}: {str(joined)[:200]}")
        if not epoch:
            self.first = joined["seq"]
        else:
            self.recovered += 1
            self._see(joined["messages"])
        self.position = (joined["epoch"], joined["seq"])
        if self.seen and self.seen[-1][0] != joined["seq"]:
            self.wrong.append(f"{self.id} recovered up to {self.seen[-1][0]} of {joined['seq']}")

    async def _flood(self, client: Client) -> None:
        taken = 0
        while client.is_open:
            while len(self.unacked) < OUTSTANDING:
                msg_id = f"{self.id}-{next(self._numbers):016}"
                self.unacked[msg_id] = "mid-write " * 12
                await self._send(client, msg_id)
            await client.expect("ack", within=30)
            taken = self._take_acks(client, taken)

    async def _finish(self, client: Client) -> None:
        for msg_id in list(self.unacked):
            await client.reply(msg_id, within=30)
        await client.settle(within=30)

    async def _send(self, client: Client, msg_id: str) -> None:
        await client.send("message", room="r", payload={"text": self.unacked[msg_id]}, msg_id=msg_id)

    def _take_acks(self, client: Client, start: int) -> int:
        for frame in client.frames[start:]:
            if frame["type"] == "ack" and frame.get("replyTo") in self.unacked:
                del self.unacked[frame["replyTo"]]
                self.acked[frame["replyTo"]] = (frame["payload"]["seq"], frame["payload"]["msgId"])
        return len(client.frames)

    def _take(self, client: Client) -> None:
        """What came before the end."""
        self._take_acks(client, 0)
        events = [frame for frame in client.frames if frame["type"] == "message"]
        self._see([event for event in events if event["seq"] > self.position[1]])
        if self.seen:
            self.position = (self.position[0], self.seen[-1][0])

    def _see(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            last = self.seen[-1][0] if self.seen else self.first
            if event["seq"] != last + 1:
                self.wrong.append(f"{self.id} saw {event['seq']} after {last}")
            self.seen.append((event["seq"], event["msgId"]))


if __name__ == "__main__":
    main(soak)
