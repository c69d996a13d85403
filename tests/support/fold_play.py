"""Users of two workers who talk, reply, react, pin, edit and delete, all chosen by one number: what each client has made of events,
what recovery and a fresh join show, and what the model says, are the same messages.

A client keeps messages as a page does: from joins, pages of history and events, by the rules of the protocol (`folded`). `cases`
has what each client got, so that the JavaScript client can do the same again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from sanic_chatrooms import ChatRooms, User
from sanic_chatrooms.brokers.memory import MemoryBus
from sanic_chatrooms.config.backends import Backends
from sanic_chatrooms.hub import journal, repair
from sanic_chatrooms.models import Member
from sanic_chatrooms.presence.memory import MemoryBoard
from sanic_chatrooms.stores import members
from sanic_chatrooms.stores.base import Store
from sanic_chatrooms.testing import MemoryClient, chat_client
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs.rooms import create
from tests.support.model_cast import Frame, Worker

__all__ = ["Cases", "Message", "folded", "play", "told_of"]

ROOM = "general"
KEPT = 150
"""Events that are kept of the room: less than a page, so that a join shows everything; and less than a run, so that much is trimmed."""
USERS = [User(f"u{n}", f"Üser {n}") for n in range(4)]
MODERATORS = USERS[:2]
EMOJI = ["👍", "🎉", ":tada:", "👍🏽"]
WEIGHTS = {
    "say": 6, "reply": 8, "edit": 3, "delete": 4, "react": 16, "unreact": 7, "pin": 3, "unpin": 2,
    "cut": 2, "come": 4, "page": 2, "lose": 3,
}  # fmt: skip
COMPARED = 20
"""Steps from one comparison to the next."""

Cases = list[dict[str, Any]]
Message = dict[str, Any]


# ---- a client's view ----


def folded(message: Message, event: Frame, me: str) -> Message:
    """The message as it is after an event of its room, by what the protocol says. `fold` of client.js does the same."""
    type, payload, after = event["type"], event["payload"], dict(message)
    if payload.get("parent") == message["msgId"]:
        _reply(after, event)
        return after
    if payload.get("msgId") != message["msgId"] or message.get("deleted"):
        return message
    if type == "message.edited" and event["seq"] > message.get("changed", 0):
        after |= {"payload": payload["body"], "edited": payload["edited"], "changed": event["seq"]}
    elif type == "message.deleted":
        for key in ("edited", "reactions", "pinned"):
            after.pop(key, None)
        after |= {"payload": {}, "deleted": True, "changed": event["seq"]}
    elif type in ("reaction.added", "reaction.removed"):
        _reaction(after, payload, me, on=type == "reaction.added")
    elif type == "message.pinned":
        after["pinned"] = {"by": payload["by"], "at": event["timestamp"]}
    elif type == "message.unpinned":
        after.pop("pinned", None)
    return after


def _reply(parent: Message, event: Frame) -> None:
    thread = parent.get("thread")
    if event["type"] == "message.deleted":
        parent.pop("thread", None)
        if event["payload"]["thread"] is not None:
            parent["thread"] = event["payload"]["thread"]
    elif event["type"] == "message" and not event.get("deleted"):
        count, last = (thread["count"], thread["last"]["seq"]) if thread else (0, 0)
        if event["seq"] > last:
            newest = {"seq": event["seq"], "timestamp": event["timestamp"], "sender": event.get("sender")}
            parent["thread"] = {"count": count + 1, "last": newest}


def _reaction(message: Message, payload: Frame, me: str, *, on: bool) -> None:
    reactions = dict(message.get("reactions", {}))
    before = reactions.pop(payload["emoji"], {})
    mine = on if payload["user"]["id"] == me else before.get("me", False)
    if payload["count"]:
        reactions[payload["emoji"]] = {"count": payload["count"]} | ({"me": True} if mine else {})
    message.pop("reactions", None)
    if reactions:
        message["reactions"] = reactions


@dataclass
class Reader:
    """One connection of a user, and the messages on its page, by their ids."""

    user: User
    client: MemoryClient | None = None
    shown: dict[str, Message] = field(default_factory=dict)
    position: dict[str, Any] | None = None
    looked: int = 0
    steps: Cases = field(default_factory=list)

    def take(self, event: Frame) -> None:
        self.steps.append({"event": event})
        for id in (event["payload"].get("msgId"), event["payload"].get("parent")):
            if id in self.shown:
                self.shown[id] = folded(self.shown[id], event, self.user.id)
        if event["type"] == "message":
            self.shown.setdefault(event["msgId"], event)
        assert self.position is not None
        assert event["seq"] == self.position["seq"] + 1, (event, self.position)
        self.position = {**self.position, "seq": event["seq"]}

    def show(self, messages: list[Message], *, replace: bool) -> None:
        self.steps.append({"page": messages, "replace": replace})
        if replace:
            self.shown = {}
        self.shown |= {message["msgId"]: message for message in messages if message["type"] == "message"}

    def look(self) -> None:
        """Take what has come since the last look."""
        assert self.client is not None
        new = self.client.frames[self.looked :]
        self.looked += len(new)
        for frame in new:
            payload = frame["payload"]
            if "seq" in frame:
                self.take(frame)
            elif frame["type"] == "ack" and "recovered" in payload:
                if payload["recovered"]:
                    for event in payload["messages"]:
                        self.take(event)
                else:
                    self.show(payload["messages"], replace=True)
                    self.position = {"epoch": payload["epoch"], "seq": payload["seq"]}


# ---- what is so ----


@dataclass
class Modelled:
    """A message as it should be."""

    seq: int
    sender: str | None
    text: str | None
    parent: str | None = None
    reactions: dict[str, set[str]] = field(default_factory=dict)
    pinned: str | None = None
    """Who pinned it."""

    def told(self, all: dict[str, Modelled], id: str, reader: str, floor: int) -> Any:
        """What a reader sees of it."""
        replies = [m for m in all.values() if m.parent == id and m.text is not None and m.seq > floor]
        return {
            "text": self.text,
            "reactions": {
                emoji: (len(users), reader in users) for emoji, users in self.reactions.items() if users
            },
            "pinned": self.pinned,
            "thread": (len(replies), max(m.seq for m in replies)) if replies else None,
        }


def told_of(message: Message) -> Any:
    """The same of a message of the server."""
    thread, pinned = message.get("thread"), message.get("pinned")
    return {
        "text": None if message.get("deleted") else message["payload"]["text"],
        "reactions": {
            emoji: (its["count"], its.get("me", False)) for emoji, its in message.get("reactions", {}).items()
        },
        "pinned": pinned and pinned["by"]["id"],
        "thread": thread and (thread["count"], thread["last"]["seq"]),
    }


class Kept(Worker):
    """A worker whose rooms keep few events."""

    async def start(self) -> None:
        backends = Backends(self.store, self.broker, self._presence)
        settings: dict[str, Any] = {"guests": True, "position_check": 300, "rate_limits": False}
        running = running_core(
            ChatRooms(self._instance), backends=backends, history_max=KEPT, history_page=200, **settings
        )
        self.chat = await self._running.enter_async_context(running)


class Play:
    """One run. All steps are chosen by `dice`."""

    def __init__(self, dice: random.Random, make: Callable[[], Store]) -> None:
        self.dice, self._make = dice, make
        self.trace: list[str] = []
        self.readers = [Reader(user) for user in [*USERS, USERS[0]]]
        self.messages: dict[str, Modelled] = {}
        self.head = 0

    async def begin(self) -> None:
        instance, bus, board = f"fold_{secrets.token_hex(8)}", MemoryBus(), MemoryBoard()
        self.workers: list[Worker] = []
        for _ in range(2):
            worker = Kept(instance, self._make(), bus, board)
            await worker.start()
            self.workers.append(worker)
        await create(self.workers[0].chat.core, None, ROOM)
        for user in USERS:
            role = "moderator" if user in MODERATORS else "member"
            await members.put(self.workers[0].chat.store, ROOM, Member(user.id, user.name, role))
        for reader in self.readers:
            await self._enter(reader)

    async def end(self) -> None:
        for worker in self.workers:
            with contextlib.suppress(Exception):
                worker.store.mend()
            await worker.stop()

    async def run(self, steps: int) -> None:
        for step in range(steps):
            act = self.dice.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
            if act in ("cut", "come", "page", "lose"):
                await getattr(self, act)()
            else:
                await self.change(act)
            if step % COMPARED == COMPARED - 1:
                await self.compare()
        await self.compare()

    # ---- coming and going ----

    async def _enter(self, reader: Reader) -> None:
        reader.client = await chat_client(self.dice.choice(self.workers).chat, reader.user)
        reader.looked = 0
        payload = {} if reader.position is None else {"since": reader.position}
        await reader.client.ack("join", room=ROOM, payload=payload)
        reader.look()

    async def cut(self) -> None:
        reader = self.dice.choice(self.readers)
        if reader.client is not None and sum(one.client is not None for one in self.readers) > 2:
            reader.look()
            reader.client.disconnect()
            reader.client = None
            if self.dice.random() < 0.2:
                reader.position = None  # the page was closed

    async def come(self) -> None:
        for reader in self.readers:
            if reader.client is None:
                await self._enter(reader)
                return

    async def page(self) -> None:
        """Load a page, while events are on their way."""
        reader = self._present()
        assert reader.client is not None
        at = self.dice.randint(0, self.head + 1)
        where = self.dice.choice(({}, {"before": at}, {"after": at}, {"around": at}))
        more = {"limit": self.dice.choice((3, 20)), "replies": self.dice.random() < 0.7}
        page = await reader.client.ack("history", room=ROOM, payload={**where, **more})
        # Events that came before the answer are applied before it.
        reader.look()
        assert reader.position is not None
        seen = [message for message in page["messages"] if message["seq"] <= reader.position["seq"]]
        reader.show(seen, replace=False)

    async def lose(self) -> None:
        self.dice.choice(self.workers).broker.lose_next(self.dice.randint(1, 3))

    def _present(self) -> Reader:
        return self.dice.choice([reader for reader in self.readers if reader.client is not None])

    # ---- changes ----

    async def change(self, act: str) -> None:
        """One command, or several at once on both workers."""
        count = self.dice.choice((1, 1, 1, 2, 4))
        asked = [self._asked(act) for _ in range(count)]
        answers = await asyncio.gather(*[self._ask(*one) for one in asked])
        done = [
            (answer["payload"], *one)
            for answer, one in zip(answers, asked, strict=True)
            if answer["type"] == "ack"
        ]
        for answer, (_, type, payload) in zip(answers, asked, strict=True):
            if answer["type"] != "ack":
                self._refused(answer["payload"], type, payload, alone=count == 1)
        stored = [one for one in done if not one[0]["duplicate"]]
        for ack, reader, type, payload in sorted(stored, key=lambda one: one[0]["seq"]):
            self.head += 1
            assert ack["seq"] == self.head, (ack, self.head)
            self._apply(ack, reader.user.id, type, payload)
        if count == 1 and done and not stored:
            self._changed_nothing(*done[0])

    async def _ask(self, reader: Reader, type: str, payload: Any) -> Frame:
        assert reader.client is not None
        answer = await reader.client.request(type, room=ROOM, payload=payload)
        said = answer["payload"]
        self.trace.append(f"{reader.user.id}: {type} {payload} -> {said.get('code', said)}")
        return answer

    def _asked(self, act: str) -> tuple[Reader, str, Any]:
        reader = self._present()
        ids = list(self.messages)[-30:]
        id = self.dice.choice(ids) if ids else "none"
        text = {"text": f"text {self.dice.randrange(10**9)}"}
        if act == "reply":
            return reader, "message", {**text, "parent": id}
        if act == "edit":
            return reader, "message.edit", {"msgId": id, "body": text}
        if act == "delete":
            return reader, "message.delete", {"msgId": id}
        if act in ("react", "unreact"):
            type = "reaction.add" if act == "react" else "reaction.remove"
            liked = (
                ids[len(ids) - 1 - len(self.messages) % 30 % len(ids)] if ids else id
            )  # the same for a while
            some = liked if self.dice.random() < 0.6 else self.dice.choice(ids[-3:] or [id])
            held = self._held(reader.user.id) if act == "unreact" and self.dice.random() < 0.8 else []
            message, emoji = self.dice.choice(held or [(some, self._emoji())])
            return reader, type, {"msgId": message, "emoji": emoji}
        if act in ("pin", "unpin"):
            return reader, f"message.{act}", {"msgId": id}
        return reader, "message", text

    def _held(self, user: str) -> list[tuple[str, str]]:
        recent = list(self.messages.items())[-60:]
        return [
            (id, emoji)
            for id, message in recent
            for emoji, users in message.reactions.items()
            if user in users
        ]

    def _emoji(self) -> str:
        return self.dice.choice(EMOJI) if self.dice.random() < 0.6 else chr(0x1F600 + self.dice.randrange(25))

    def _floor(self) -> int:
        return max(0, self.head - KEPT)

    def _apply(self, ack: Frame, user: str, type: str, payload: Any) -> None:
        if type == "message":
            message = Modelled(ack["seq"], user, payload["text"], payload.get("parent"))
            self.messages[ack["msgId"]] = message
            return
        message = self.messages[payload["msgId"]]
        assert message.text is not None, (type, payload)
        if type == "message.edit":
            message.text = payload["body"]["text"]
        elif type == "message.delete":
            message.text, message.reactions, message.pinned = None, {}, None
        elif type in ("message.pin", "message.unpin"):
            message.pinned = user if type == "message.pin" else None
        else:
            users = message.reactions.setdefault(payload["emoji"], set())
            (users.add if type == "reaction.add" else users.discard)(user)
            assert ack["count"] == len(users), (ack, users)
            assert sum(map(bool, message.reactions.values())) <= 20

    def _changed_nothing(self, ack: Frame, reader: Reader, type: str, payload: Any) -> None:
        message = self.messages[payload["msgId"]]
        if type in ("message.pin", "message.unpin"):
            assert (message.pinned is not None) is (type == "message.pin"), (ack, type)
            return
        users = message.reactions.get(payload["emoji"], set())
        assert (reader.user.id in users) is (type == "reaction.add"), (ack, type, payload)
        assert ack["count"] == len(users), (ack, users)

    def _refused(self, error: Frame, type: str, payload: Any, *, alone: bool) -> None:
        code = error["code"]
        target = self.messages.get(payload.get("parent") or payload.get("msgId", ""))
        gone = target is None or target.seq <= self._floor()
        if type == "message":
            assert (code, error["field"]) == ("invalid_field", "parent"), error
            assert not alone or gone or (target is not None and target.parent is not None), (error, payload)
        elif code == "message_not_found":
            assert not alone or gone or (target is not None and target.text is None), (error, type, payload)
        elif code == "invalid_field":
            assert (type, error["field"], error["limit"]) == ("reaction.add", "emoji", 20), error
            assert not alone or (target and sum(map(bool, target.reactions.values())) == 20), error
        else:
            assert (code, type in ("message.edit", "message.delete", "message.pin", "message.unpin")) == (
                "forbidden", True
            ), error  # fmt: skip

    # ---- what is seen ----

    async def _settle(self) -> None:
        for worker in self.workers:
            await worker.level()
        for reader in self.readers:
            if reader.client is not None:
                await reader.client.request("ping")

    async def compare(self) -> None:
        await self._settle()
        for reader in self.readers:
            if reader.client is None:
                continue
            reader.look()
            assert reader.position is not None
            fresh = await chat_client(self.dice.choice(self.workers).chat, reader.user)
            joined = await fresh.ack("join", room=ROOM)
            fresh.disconnect()
            assert not joined["more"]
            assert joined["seq"] == reader.position["seq"] == self.head
            wanted = {message["msgId"]: message for message in joined["messages"]}
            reader.steps.append({"expect": list(wanted.values())})
            for id, message in wanted.items():
                me = reader.user.id
                shown = reader.shown.get(id)
                assert shown is None or shown == message, f"{me} shows {shown}, and a join {message}"
                told = self.messages[id].told(self.messages, id, me, self._floor())
                assert told_of(message) == told, f"{me} sees {told_of(message)} of {id}, not {told}"
            everything = {id for id, message in self.messages.items() if message.seq > self._floor()}
            assert set(wanted) == everything


async def play(make: Callable[[], Store], *, steps: int, number: int | None = None) -> Cases:
    """One run. `make`: stores that were not started; those of one run are over the same data.

    All that is chosen follows from `number`, else the variable FOLD_SEED, else any.
    """
    number = number or int(os.environ.get("FOLD_SEED") or secrets.randbelow(2**32) or 1)
    with (
        patch.object(repair, "GAP_WAIT", 0.001),
        patch.object(repair, "RETRY_LONGEST", 0.001),
        patch.object(journal, "RETRY_WAIT", 0.001),
    ):
        run = Play(random.Random(number), make)
        try:
            await run.begin()
            await run.run(steps)
        except BaseException as failure:
            failure.add_note("\n".join([*run.trace[-40:], f"the same again: FOLD_SEED={number}"]))
            raise
        finally:
            await run.end()
    return [{"me": reader.user.id, "steps": reader.steps} for reader in run.readers]
