"""Every action, by everybody, in every kind of room, on every way in: the product answers as the oracle says.

The oracle (`tests/support/access_oracle.py`) is written from the description of the model, apart from the product. Each cell is one
command of one person in a room that no other cell has changed.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sanic_chatrooms import ChatError, ChatRooms, User
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.models import Member
from sanic_chatrooms.server_api.base import acting_as
from sanic_chatrooms.stores import members
from sanic_chatrooms.stores.sql.store import SQLStore
from sanic_chatrooms.testing import MemoryClient, chat_client
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs.table import commands
from sanic_chatrooms.wire.encode import encode
from tests.support.access_oracle import (
    DEEDS,
    EVERYBODY,
    NO_CELLS,
    PLACES,
    SEARCH,
    Deed,
    Person,
    Place,
    answer,
    is_joined,
    verdict,
)
from tests.support.joined import joined
from tests.support.thorough import THOROUGH, unless_thorough

TOP, LOW, NEW = User("top", "Top"), User("low", "Low"), User("new", "New")
WITNESS, OUTSIDER = User("wit", "Wit"), User("out", "Out")
numbers = itertools.count()


class Scene(NamedTuple):
    """A room in which `me` acts."""

    chat: Chat
    app: ChatRooms
    room: str
    me: User
    ids: dict[str, str]
    witness: MemoryClient
    """A member who is in the room, and only looks."""

    def payload(self, deed: Deed) -> dict[str, Any]:
        known: dict[str, Any] = {
            "epoch": {"epoch": self.ids["epoch"], "seq": 0},
            "me": self.me.id,
            **{name: id for name, id in self.ids.items() if name != "epoch"},
        }
        return {
            key: known.get(value, value) if key in ("msgId", "parent", "id", "user", "since") else value
            for key, value in deed.payload.items()
        }

    async def head(self) -> int:
        room = await self.chat.store.room(self.room)
        return -1 if room is None else room.seq

    async def seen(self) -> list[dict[str, Any]]:
        """What the witness got since it was asked last, without who comes and goes."""
        await self.witness.settle()
        seen = [frame for frame in self.witness.unread() if frame["type"] not in ("pong", "ack")]
        self.witness.frames.clear()
        self.witness._taken.clear()
        return [frame for frame in seen if not frame["type"].startswith("presence")]


@pytest.fixture
async def rig() -> AsyncIterator[tuple[Chat, ChatRooms]]:
    app = ChatRooms("test", guests=True, roles={"editor": 30})
    async with running_core(app, auto_create=False) as chat:
        yield chat, app


async def scene(rig: tuple[Chat, ChatRooms], person: Person, place: Place) -> Scene:
    chat, app = rig
    number = next(numbers)
    me = User(f"guest-{number}" if person.guest else f"me-{number}", "Me", person.scopes, person.guest)
    room = await (_direct if place.kind == "direct" else _room)(chat, app, f"at-{number}", me, person, place)
    ids = {
        name: (await app.publish(room, "message", {"text": name}, sender=sender)).msg_id
        for name, sender in (("mine", me), ("theirs", TOP), ("low's", LOW))
    }
    found = await chat.store.room(room)
    assert found is not None
    ids["epoch"] = found.epoch
    if place.archived:
        await app.update_room(room, archived=True)
    witness = await joined(chat, User(f"b-{me.id}", "Bob") if place.kind == "direct" else WITNESS, room)
    made = Scene(chat, app, room, me, ids, witness)
    await made.seen()
    return made


async def add_report(scene: Scene, place: Place) -> None:
    if "report" in scene.ids:
        return
    by = User(f"b-{scene.me.id}", "Bob")
    if place.kind != "direct":
        await members.put(scene.chat.store, scene.room, Member(by.id, by.name, "reader"))
    acting = acting_as(scene.chat, by)
    asked = acting.command(
        "report", encode({"msgId": scene.ids["theirs"], "reason": "rude"}), room=scene.room
    )
    scene.ids["report"] = (await scene.chat.commands.act(acting, asked)).result.id


async def _direct(chat: Chat, app: ChatRooms, room: str, me: User, person: Person, place: Place) -> str:
    one = User(me.id if person.direct else f"a-{me.id}", "One")
    client = await chat_client(chat, one)
    said = await client.ack("direct", payload={"to": f"b-{me.id}", "body": {"text": "hi"}})
    client.disconnect()
    return str(said["room"])


async def _room(chat: Chat, app: ChatRooms, room: str, me: User, person: Person, place: Place) -> str:
    needs = {
        action: {**need, "users": [me.id]} if isinstance(need, dict) and "users" in need else need
        for action, need in place.permissions.items()
    }
    await app.create_room(room, visibility=place.kind, permissions=needs or None)
    for user, role in ((TOP, "owner"), (LOW, "reader"), (WITNESS, "reader")):
        await members.put(chat.store, room, Member(user.id, user.name, role))
    if person.role is not None:
        await members.put(chat.store, room, Member(me.id, me.name, person.role, creator=person.creator))
    if person.invited:
        await app.invite(room, me)
    if person.banned:
        await app.ban(room, me)
    if person.muted:
        await app.mute(room, me)
    return room


async def by_socket(scene: Scene, deed: Deed, *, join: bool) -> tuple[str, dict[str, Any] | None]:
    """-> the code of the answer, and what `explain` said before (None: it was refused)."""
    client = await chat_client(scene.chat, scene.me)
    if join:
        await client.ack("join", room=scene.room)
    explained = await client.request("explain", room=scene.room, payload={"action": deed.command})
    room = None if deed.command == "report.close" else scene.room
    said = await client.request(deed.command, room=room, payload=scene.payload(deed))
    client.disconnect()
    why = explained["payload"] if explained["type"] == "ack" else None
    return said["payload"].get("code", "ack") if said["type"] == "error" else "ack", why


async def by_app(scene: Scene, deed: Deed) -> tuple[str, dict[str, Any] | None]:
    room = None if deed.command == "report.close" else scene.room
    acting = acting_as(scene.chat, scene.me)
    why = None
    try:
        asked = acting.command("explain", encode({"action": deed.command}), room=scene.room)
        done = (await scene.chat.commands.act(acting, asked)).result
        why = {"allowed": done.allowed, "rule": done.rule}
    except ChatError:
        pass  # `explain` is refused too: the oracle knows where
    try:
        asked = acting.command(deed.command, encode(scene.payload(deed)), room=room)
        await scene.chat.commands.act(acting, asked)
    except ChatError as refused:
        return refused.code, why
    return "ack", why


EXPLAIN = Deed("explain")


async def differences(scene: Scene, person: Person, place: Place, deed: Deed, way: str) -> list[str]:
    cell = f"{place.name} · {person.name} · {deed.title} · {way}"
    if deed.command == "report.close":
        await add_report(scene, place)
    head, found = await scene.head(), []
    if way == "socket":
        said, why = await by_socket(scene, deed, join=is_joined(person, place, scene.room))
    else:
        said, why = await by_app(scene, deed)
    wanted = answer(deed, person, place, scene.room, way=way)
    if wanted and said not in wanted:
        found.append(f"{cell}: {said}, not {sorted(wanted)}")
    rules = verdict(deed, person, place, scene.room, scoped=way == "socket")
    explainable = answer(EXPLAIN, person, place, scene.room, way=way)
    if explainable != {"ack"}:
        if why is not None:
            found.append(f"{cell}: explain answered")
    elif why is None:
        found.append(f"{cell}: explain was refused")
    elif rules and (why["rule"] not in rules or why["allowed"] != (why["rule"] == "allowed")):
        found.append(f"{cell}: explained by {why['rule']}, not {sorted(rules)}")
    after = await scene.head()
    if said != "ack" and after != head and not _joins(person, place, scene, way):
        found.append(f"{cell}: refused, and stored")
    return [*found, *(f"{cell}: {wrong}" for wrong in await not_as_stored(scene, head, after, said))]


async def not_as_stored(scene: Scene, head: int, after: int, said: str) -> list[str]:
    """What others got live is what was stored, and nothing of what was refused."""
    seen, wrong = await scene.seen(), []
    numbers = [frame["seq"] for frame in seen if "seq" in frame]
    if after >= 0 and numbers != list(range(head + 1, after + 1)):
        wrong.append(f"{head} to {after} were stored, and {numbers} seen")
    if after < 0 and [frame["type"] for frame in seen] != ["room.removed"]:
        wrong.append(f"the room is gone, and {seen} seen")
    if said != "ack" and (live := [frame["type"] for frame in seen if "seq" not in frame]):
        wrong.append(f"refused, and {live} seen")
    return wrong


def _joins(person: Person, place: Place, scene: Scene, way: str) -> bool:
    return way == "socket" and is_joined(person, place, scene.room)


def people_of(place: Place) -> Sequence[Person]:
    """Half of them in each place, the other half in the next."""
    return EVERYBODY if THOROUGH else EVERYBODY[PLACES.index(place) // 2 % 2 :: 2]


@pytest.mark.timeout(240)  # hundreds of cells, of which a busy machine does a few a second
@pytest.mark.asyncio(loop_factories=["uvloop"])
@pytest.mark.parametrize("place", unless_thorough(PLACES[::2], PLACES), ids=lambda place: place.name)
async def test_the_product_answers_as_the_oracle_says(rig: tuple[Chat, ChatRooms], place: Place) -> None:
    found: list[str] = []
    cells, outsider = 0, await chat_client(rig[0], OUTSIDER)
    for person in people_of(place):
        unchanged: Scene | None = None
        for deed in DEEDS:
            for way in ("socket", "app") if commands()[deed.command].as_user else ("socket",):
                if unchanged is None:
                    unchanged = await scene(rig, person, place)
                cells += 1
                found += await differences(unchanged, person, place, deed, way)
                if "ack" in answer(deed, person, place, unchanged.room, way=way) or not answer(
                    deed, person, place, unchanged.room, way=way
                ):
                    unchanged.witness.disconnect()
                    unchanged = None
    await outsider.settle()
    assert {frame["type"] for frame in outsider.unread()} <= {"welcome", "pong"}, (
        "who is in no room gets nothing"
    )
    assert cells > (1_000 if THOROUGH else 500)  # in each of four places or more
    assert not found, "\n".join([f"{len(found)} of {cells} cells differ", *found])


@pytest.mark.parametrize("place", unless_thorough(PLACES[::2], PLACES), ids=lambda place: place.name)
async def test_who_may_search_is_as_the_oracle_says(tmp_path: Path, place: Place) -> None:
    app = ChatRooms(
        "test", guests=True, roles={"editor": 30}, store=SQLStore(f"sqlite:///{tmp_path}/chat.db")
    )
    found: list[str] = []
    async with running_core(app, auto_create=False) as chat:
        for person in people_of(place):
            here = await scene((chat, app), person, place)
            for way in ("socket", "app"):
                found += await differences(here, person, place, SEARCH, way)
            here.witness.disconnect()
    assert not found, "\n".join(found)


def test_every_command_has_a_cell() -> None:
    tried = {deed.command for deed in DEEDS} | set(NO_CELLS)

    missing = {type for type, row in commands().items() if not row.own} - tried

    assert not missing, (
        f"write into tests/support/access_oracle.py what {sorted(missing)} need, from the description"
    )
