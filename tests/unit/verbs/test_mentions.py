"""Mentions: who counts them, who is told, and who is passed over."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import create_engine

from sanic_chatrooms import ChatRooms, InvalidField, MemoryStore, User
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.models import EVERYONE, Member, direct_room
from sanic_chatrooms.server_api import ServerAPI
from sanic_chatrooms.stores import members
from sanic_chatrooms.stores.base import Store
from sanic_chatrooms.stores.sql.store import SQLStore
from sanic_chatrooms.testing import MemoryClient, chat_client
from sanic_chatrooms.testing.connections import running_core

ADA, BOB, EVE = User("u1", "Ada"), User("u2", "Bob"), User("u3", "Eve")
LONG = "ä" * 200


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Any) -> Store:
    made: dict[str, Callable[[], Store]] = {
        "memory": MemoryStore,
        "sqlite": lambda: SQLStore(f"sqlite:///{tmp_path / 'chat.db'}"),
    }
    return made[request.param]()


class Scene:
    """Ada, who moderates, Bob and Eve are members of the room general."""

    def __init__(self, chat: Chat, api: ServerAPI, clients: list[MemoryClient]) -> None:
        self.chat, self.api = chat, api
        self.ada, self.bob, self.eve = clients

    async def say(
        self, *names: str, client: MemoryClient | None = None, text: str = "hi", **more: Any
    ) -> Any:
        body = {"text": text, "mentions": list(names), **more}
        return await (client or self.ada).ack("message", room="general", payload=body)

    async def counts(self) -> list[int]:
        asked = {"rooms": ["general"]}
        clients = (self.ada, self.bob, self.eve)
        lines = [(await client.ack("unread", payload=asked))["rooms"]["general"] for client in clients]
        return [line["mentions"] for line in lines]

    async def told(self, client: MemoryClient) -> list[int]:
        """The numbers of the messages of which a client was told."""
        await client.settle()
        return [frame["payload"]["seq"] for frame in client.unread("mention")]


@pytest.fixture
async def scene(store: Store) -> AsyncIterator[Scene]:
    rooms = ChatRooms("test", guests=True, store=store)
    async with running_core(rooms) as chat:
        await rooms.create_room("general")
        await members.put(chat.store, "general", Member("u1", "Ada", "moderator"))
        clients = [await chat_client(chat, user) for user in (ADA, BOB, EVE)]
        for client in clients:
            await client.ack("join", room="general")
        yield Scene(chat, rooms, clients)


async def test_a_mention_is_counted_and_told(scene: Scene) -> None:
    said = await scene.say("u2", text=LONG)

    heard = await scene.bob.expect("mention")

    assert heard["payload"] == {
        "room": "general",
        "msgId": said["msgId"],
        "seq": 1,
        "sender": {"id": "u1", "name": "Ada"},
        "text": LONG[:140],
    }
    assert heard["room"] == "general"
    assert await scene.counts() == [0, 1, 0]
    assert await scene.told(scene.eve) == []
    (line,) = (await scene.bob.ack("rooms", payload={"mine": True}))["rooms"]
    assert line["mentions"] == 1
    assert (await scene.bob.ack("badge"))["mentions"] == 1


async def test_every_connection_is_told_also_outside_of_the_room(scene: Scene) -> None:
    other = await chat_client(scene.chat, BOB)

    await scene.say("u2")

    assert (await other.expect("mention"))["payload"]["seq"] == 1


async def test_reading_ends_mentions(scene: Scene) -> None:
    await scene.say("u2")
    await scene.say("u2")

    marked = await scene.bob.ack("read", room="general", payload={"seq": 1})

    assert marked["mentions"] == 1


async def test_moderators_mention_the_room_and_roles(scene: Scene) -> None:
    await scene.say("@room")
    await scene.say("@member")
    await scene.say("@moderator", client=scene.ada)

    assert await scene.counts() == [0, 2, 2]
    assert await scene.told(scene.bob) == []


async def test_members_may_not_mention_the_room_or_roles(scene: Scene) -> None:
    await scene.say("@room", "@moderator", "u3", client=scene.bob)

    assert await scene.counts() == [0, 0, 1]


async def test_nobody_mentions_themselves(scene: Scene) -> None:
    await scene.say("u1", "@room")

    assert (await scene.counts())[0] == 0
    assert await scene.told(scene.ada) == []


async def test_a_user_is_told_once_however_often_they_are_named(scene: Scene) -> None:
    await scene.say("u2", "u2", "@room")

    assert await scene.counts() == [0, 1, 1]
    assert await scene.told(scene.bob) == [1]


async def test_strangers_are_passed_over_and_guests_who_are_there_are_told(scene: Scene) -> None:
    guest, gone = [await chat_client(scene.chat, User(f"guest-{n}", "Guest", guest=True)) for n in "ab"]
    await guest.ack("join", room="general")

    await scene.say("guest-a", "guest-b", "nobody", "", "x" * 400, "a\u0007b")

    assert (await guest.expect("mention"))["payload"]["seq"] == 1
    assert await scene.told(gone) == []


async def test_who_wants_no_notice_is_not_told(scene: Scene) -> None:
    await scene.bob.ack("prefs", room="general", payload={"notify": "none"})
    await scene.eve.ack("prefs", room="general", payload={"notify": "mentions"})

    await scene.say("u2", "u3")

    assert (await scene.told(scene.bob), await scene.told(scene.eve)) == ([], [1])
    assert await scene.counts() == [0, 1, 1]
    assert (await scene.bob.ack("badge"))["mentions"] == 0


async def test_who_blocked_the_sender_is_passed_over(scene: Scene) -> None:
    await scene.bob.ack("user.block", payload={"user": "u1"})

    await scene.say("u2", "u3")

    assert (await scene.told(scene.bob), await scene.told(scene.eve)) == ([], [1])
    assert await scene.counts() == [0, 0, 1]


async def test_who_blocked_the_sender_is_mentioned_with_no_group_either(scene: Scene) -> None:
    await scene.say("@room", "u2")
    await scene.bob.ack("user.block", payload={"user": "u1"})
    await scene.say("@member")
    await scene.api.publish("general", "message", {"text": "hi", "mentions": ["@room"]})

    (line,) = (await scene.bob.ack("rooms", payload={"mine": True}))["rooms"]
    counts = await scene.counts()
    badge = await scene.bob.ack("badge")
    marked = await scene.bob.ack("read", room="general", payload={"seq": 1})
    assert (counts, line["mentions"], badge["mentions"], marked["mentions"]) == ([1, 1, 3], 1, 1, 1)
    assert (line["unread"], (await scene.api.unread("u2", ["general"]))["general"].mentions) == (3, 1)
    await scene.bob.ack("user.unblock", payload={"user": "u1"})
    assert await scene.counts() == [1, 2, 3]


async def test_users_are_mentioned_while_nobody_can_have_blocked_anybody(scene: Scene) -> None:
    await scene.chat.store.delete_room(EVERYONE)

    await scene.say("u2")

    assert (await scene.bob.expect("mention"))["payload"]["seq"] == 1


@pytest.mark.parametrize("action", ["unread", "history"])
async def test_who_may_not_read_the_message_is_not_told(scene: Scene, action: str) -> None:
    await scene.api.update_room("general", permissions={action: 50})

    await scene.say("u2", "u1", client=scene.eve)
    await scene.say("u1", client=scene.bob)

    assert (await scene.told(scene.bob), await scene.told(scene.ada)) == ([], [2, 3])


async def test_who_may_not_read_so_far_back_is_not_told_of_an_edit(scene: Scene) -> None:
    await scene.api.create_room("club", visibility="private", history_visibility="joined")
    await scene.api.add_member("club", ADA)
    said = await scene.api.publish("club", "message", {"text": "secret"}, as_user=ADA)
    await scene.api.add_member("club", BOB)
    later = await scene.api.publish("club", "message", {"text": "hi"}, as_user=ADA)

    for message in (said, later):
        body = {"text": "more", "mentions": ["u2"]}
        await scene.api.edit("club", message.msg_id, body, as_user=ADA)

    assert await scene.told(scene.bob) == [later.seq]


async def test_who_may_not_read_so_far_back_is_not_told_of_a_message_that_the_server_closes(
    scene: Scene,
) -> None:
    await scene.api.create_room("club", visibility="private", history_visibility="joined")
    for user in (ADA, EVE):
        await scene.api.add_member("club", user)
    for client in (scene.ada, scene.eve):
        await client.ack("join", room="club")
    body = {"text": "secret", "mentions": ["u2", "u3"]}
    await scene.ada.ack("message.open", room="club", payload=body)
    await scene.api.add_member("club", BOB)

    await scene.api.kick("club", ADA)

    assert (await scene.eve.expect("mention"))["payload"]["text"] == "secret"
    assert await scene.told(scene.bob) == []


async def test_a_connection_whose_token_does_not_reach_the_room_hears_nothing_of_it(scene: Scene) -> None:
    narrow = await chat_client(scene.chat, User("u2", "Bob", scopes=("room:other:read",)))
    wide = await chat_client(scene.chat, User("u2", "Bob", scopes=("room:gen*:read",)))

    await scene.say("u2")
    await scene.bob.ack("read", room="general", payload={"seq": 1})
    await scene.bob.ack("prefs", room="general", payload={"notify": "none"})

    for client in (narrow, wide):
        await client.settle()
    about = ("mention", "read", "prefs")
    heard = [[f["type"] for f in one.unread() if f["type"] in about] for one in (narrow, wide)]
    assert heard == [[], list(about)]


async def test_a_connection_whose_token_does_not_reach_a_room_hears_of_no_report_invitation_or_stop(
    scene: Scene,
) -> None:
    for user, role in ((ADA, "owner"), (BOB, "moderator")):
        await scene.api.add_member("general", user, role=role)
    await scene.api.create_room("secret", visibility="private", title="Layoffs")
    elsewhere, reading, wide = [
        await chat_client(scene.chat, User("u2", "Bob", scopes=scopes))
        for scopes in (("room:other:moderate",), ("chat:read",), ())
    ]
    said = await scene.ada.ack("message", room="general", payload={"text": "hello"})
    written = await scene.bob.ack("message.open", room="general", payload={"text": ""})

    await scene.eve.ack("report", room="general", payload={"msgId": said["msgId"], "reason": "rude"})
    await scene.api.invite("secret", BOB)
    await scene.ada.ack("message.cancel", room="general", payload={"msgId": written["msgId"]})

    for client in (elsewhere, reading, wide):
        await client.settle()
    about = ("report", "room.invited", "message.cancelled")
    heard = [[f["type"] for f in one.unread() if f["type"] in about] for one in (elsewhere, reading, wide)]
    assert heard == [[], list(about[1:]), list(about)]


async def test_mentions_within_a_transaction_are_told_and_counted_after_its_commit(tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path / 'chat.db'}"
    rooms, engine = ChatRooms("test", guests=True, store=SQLStore(url)), create_engine(url)
    async with running_core(rooms) as chat:
        ada, bob = [await chat_client(chat, user) for user in (ADA, BOB)]
        for client in (ada, bob):
            await client.ack("join", room="general")
        with engine.connect() as connection:
            for sender, as_user in ((User("bot", "Bot"), None), (None, ADA)):
                body = {"text": "hi", "mentions": ["u2", "u9"]}
                await rooms.publish(
                    "general", "message", body, sender=sender, as_user=as_user, within=connection
                )
            await ada.settle()
            before = await rooms.unread("u2", ["general"])
            connection.commit()

        heard = [(await bob.expect("mention"))["payload"] for _ in range(2)]
        after = await rooms.unread("u2", ["general"])

    engine.dispose()
    assert before["general"].mentions == 0
    assert [(one["seq"], one["sender"]["id"], one["text"]) for one in heard] == [
        (1, "bot", "hi"), (2, "u1", "hi")
    ]  # fmt: skip
    assert after["general"].mentions == 2


async def test_an_edit_mentions_those_whom_it_adds_and_no_longer_those_whom_it_removes(scene: Scene) -> None:
    said = await scene.say("u2")
    await scene.say()
    await scene.bob.expect("mention")

    body = {"text": "second", "mentions": ["u3"]}
    await scene.ada.ack("message.edit", room="general", payload={"msgId": said["msgId"], "body": body})

    heard = await scene.eve.expect("mention")
    assert (heard["payload"]["msgId"], heard["payload"]["seq"]) == (said["msgId"], 1)
    assert heard["payload"]["text"] == "second"
    assert await scene.counts() == [0, 0, 1]
    assert await scene.told(scene.bob) == []
    await scene.ada.ack("message.edit", room="general", payload={"msgId": said["msgId"], "body": body})
    assert await scene.told(scene.eve) == []


async def test_a_deletion_ends_mentions(scene: Scene) -> None:
    said = await scene.say("u2", "@room")

    await scene.ada.ack("message.delete", room="general", payload={"msgId": said["msgId"]})

    assert await scene.counts() == [0, 0, 0]


async def test_a_repetition_tells_nobody_again(scene: Scene) -> None:
    body = {"text": "hi", "mentions": ["u2"]}
    for _ in range(2):
        await scene.ada.ack("message", room="general", payload=body, msg_id="0" * 16)

    assert await scene.told(scene.bob) == [1]


async def test_more_than_50_names_are_refused(scene: Scene) -> None:
    names = [f"n{n}" for n in range(51)]
    said = await scene.say(*names[:50])

    refused = await scene.ada.error("message", room="general", payload={"text": "x", "mentions": names})
    edit = {"msgId": said["msgId"], "body": {"text": "x", "mentions": names}}
    also = await scene.ada.error("message.edit", room="general", payload=edit)

    assert (refused["code"], refused["field"], refused["limit"]) == ("invalid_field", "mentions", 50)
    assert (also["code"], also["field"], also["limit"]) == ("invalid_field", "body.mentions", 50)
    with pytest.raises(InvalidField):
        await scene.api.publish("general", "message", {"text": "x", "mentions": names})


async def test_a_direct_message_mentions_too(scene: Scene) -> None:
    body = {"text": "psst", "mentions": ["u2", "@room", "u3"]}
    await scene.ada.ack("direct", payload={"to": "u2", "body": body})
    room = direct_room("u1", "u2")

    line = (await scene.bob.ack("unread", payload={"rooms": [room]}))["rooms"][room]

    assert (line["unread"], line["mentions"]) == (1, 1)
    assert (await scene.bob.expect("mention"))["payload"]["room"] == room
    assert await scene.told(scene.eve) == []


async def test_the_app_mentions_whom_it_wants(scene: Scene) -> None:
    bot = User("bot", "Bot")
    await scene.api.publish("general", "message", {"text": "a", "mentions": ["u2", "@room"]}, sender=bot)
    stored = await scene.api.publish("general", "message", {"text": "b", "mentions": ["u3"]})
    await scene.api.publish("general", "message", {"text": "c", "mentions": "u3"})
    await scene.api.publish("general", "poll.opened", {"text": "d", "mentions": ["u3"]})

    assert await scene.counts() == [1, 1, 2]
    await scene.api.edit("general", stored.msg_id, {"text": "b", "mentions": []})
    assert await scene.counts() == [1, 1, 1]
    assert (await scene.bob.expect("mention"))["payload"]["sender"] == {"id": "bot", "name": "Bot"}
    assert (await scene.eve.expect("mention"))["payload"]["sender"] is None


async def test_messages_that_mention_keep_their_place_among_others(scene: Scene) -> None:
    ids = []
    for n in range(30):
        body: dict[str, Any] = {"text": f"{n}"}
        if n % 3 == 0:
            body["mentions"] = ["u2"]
        ids.append(scene.ada.send("message", room="general", payload=body))
    for id in ids:
        await scene.ada.reply(id)

    heard = [await scene.eve.expect("message") for _ in range(30)]

    assert [frame["payload"]["text"] for frame in heard] == [f"{n}" for n in range(30)]


async def test_a_message_that_is_written_in_pieces_mentions_when_it_is_closed(scene: Scene) -> None:
    body = {"text": "", "mentions": ["u2"]}
    opened = await scene.ada.ack("message.open", room="general", payload=body)
    piece = {"msgId": opened["msgId"], "at": 0, "text": "hello"}
    await scene.ada.ack("message.append", room="general", payload=piece)
    before = await scene.counts()
    many = {"mentions": [f"n{n}" for n in range(51)]}

    refused = await scene.ada.error(
        "message.close", room="general", payload={"msgId": opened["msgId"], "body": many}
    )
    await scene.ada.ack("message.close", room="general", payload={"msgId": opened["msgId"]})

    assert (refused["code"], refused["field"]) == ("invalid_field", "body.mentions")
    heard = await scene.bob.expect("mention")
    assert (heard["payload"]["seq"], heard["payload"]["text"]) == (opened["seq"], "hello")
    assert (before, await scene.counts()) == ([0, 0, 0], [0, 1, 0])
