"""`search`: what each user finds, page by page, and what nobody does."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from sanic_chatrooms import (
    ChatError,
    ChatRooms,
    Forbidden,
    InvalidField,
    MemoryStore,
    MessageNotFound,
    Policy,
    User,
)
from sanic_chatrooms.access.standing import Standing
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.errors import ConfigError, UnknownCommand
from sanic_chatrooms.models import PRIVATE, PUBLIC, Member, Room
from sanic_chatrooms.stores import members
from sanic_chatrooms.stores.search import SearchIndex
from sanic_chatrooms.stores.sql.store import SQLStore
from sanic_chatrooms.support.words import Query, Text
from sanic_chatrooms.testing import MemoryClient, chat_client
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs import comparing
from sanic_chatrooms.verbs import search as search_verb
from sanic_chatrooms.verbs.pins import Pin
from sanic_chatrooms.verbs.search import LONGEST, MOST_WORDS
from tests.support.joined import joined

ADA, BOB, EVE = User("u1", "Ada"), User("u2", "Bob"), User("u3", "Eve")
Page = dict[str, Any]


@pytest.fixture
def rooms(tmp_path: Path) -> ChatRooms:
    return ChatRooms(
        "test", guests=True, store=SQLStore(f"sqlite:///{tmp_path / 'chat.db'}"), rate_limits=False
    )


@pytest.fixture
async def chat(rooms: ChatRooms) -> AsyncIterator[Chat]:
    async with running_core(rooms) as chat:
        await chat.store.create_room(Room("general", "", 0))
        yield chat


@asynccontextmanager
async def running(rooms: ChatRooms) -> AsyncIterator[Chat]:
    async with running_core(rooms) as chat:
        await chat.store.create_room(Room("general", "", 0))
        yield chat


async def say(rooms: ChatRooms, *texts: str, room: str = "general") -> list[str]:
    return [(await rooms.publish(room, "message", {"text": text}, sender=BOB)).msg_id for text in texts]


async def index(chat: Chat, *ids: str) -> None:
    store = chat.backends.store
    assert isinstance(store, SearchIndex)
    while await store.index(ids or ["general"]):
        pass


async def be(chat: Chat, user: User, room: str = "general") -> None:
    await members.put(chat.backends.store, room, Member(user.id, user.name))


async def ask(client: MemoryClient, query: str, room: str | None = "general", **more: Any) -> Page:
    page: Page = await client.ack("search", room=room, payload={"query": query, **more})
    return page


async def everything(
    client: MemoryClient, query: str, room: str | None = "general", **more: Any
) -> list[Page]:
    """All messages of all pages."""
    page = await ask(client, query, room, **more)
    found: list[Page] = page["messages"]
    while page["more"]:
        page = await ask(client, query, room, cursor=page["cursor"], **more)
        found += page["messages"]
    return found


async def features(client: MemoryClient) -> list[str]:
    named: list[str] = (await client.expect("welcome"))["payload"]["features"]
    return named


def texts(messages: list[Page]) -> list[str]:
    return [message["payload"]["text"] for message in messages]


# In one room


@pytest.mark.parametrize("indexed", [0, 2, 4])
async def test_messages_are_found_newest_first_whether_they_are_indexed_or_not(
    rooms: ChatRooms, chat: Chat, indexed: int
) -> None:
    await say(rooms, *["A lamp", "no", "Lamps", "lampion"][:indexed])
    await index(chat)
    await say(rooms, *["A lamp", "no", "Lamps", "lampion"][indexed:])
    ada = await chat_client(chat, ADA)

    page = await ask(ada, "lamp")

    assert texts(page["messages"]) == ["lampion", "Lamps", "A lamp"]
    assert [message["highlights"] for message in page["messages"]] == [[[0, 4]], [[0, 4]], [[2, 6]]]
    assert page["more"] is False
    assert "cursor" not in page


async def test_a_message_is_shown_as_in_history(rooms: ChatRooms, chat: Chat) -> None:
    (id,) = await say(rooms, "lamp")
    ada = await chat_client(chat, ADA)
    await ada.ack("join", room="general")
    await chat.commands.give("message.pin", Pin(id), room="general")

    (message,) = (await ask(ada, "lamp"))["messages"]

    (same,) = (await ada.ack("history", room="general"))["messages"]
    assert message.pop("highlights") == [[0, 4]]
    assert message == same
    assert message["pinned"]["by"] is None


@pytest.mark.parametrize("room", ["general", None])
@pytest.mark.parametrize("indexed", [False, True])
async def test_a_message_that_is_being_written_is_shown_as_in_history(
    rooms: ChatRooms, chat: Chat, room: str | None, *, indexed: bool
) -> None:
    await be(chat, ADA)
    ada = await chat_client(chat, ADA)
    async with rooms.stream("general", sender=BOB, body={"text": "a lamp"}) as out:
        out.write(" and more")
        if indexed:
            await index(chat)
        (found,) = await everything(ada, "lamp", room)
        (shown,) = (await ada.ack("history", room="general"))["messages"]

    assert found == {**shown, "highlights": [[2, 6]]}
    assert (found["payload"]["text"], found["streaming"]) == ("a lamp and more", {"at": 15})


@pytest.mark.parametrize("room", ["general", None])
async def test_replies_that_one_may_not_read_are_not_counted(
    rooms: ChatRooms, chat: Chat, room: str | None
) -> None:
    (parent,) = await say(rooms, "lamp")
    await rooms.add_member("general", BOB)
    await rooms.update_room("general", visibility="private", history_visibility="joined")
    bob = await joined(chat, BOB, "general")
    await bob.ack("message", room="general", payload={"text": "secret", "parent": parent})
    await rooms.add_member("general", ADA)
    ada = await chat_client(chat, ADA)

    (found,) = await everything(ada, "lamp", room)
    (shown,) = (await ada.ack("history", room="general"))["messages"]

    assert found == {**shown, "highlights": [[0, 4]]}
    assert "thread" not in found


async def test_before_and_cursor_lead_through_the_pages(rooms: ChatRooms, chat: Chat) -> None:
    await say(rooms, *(f"lamp {n}" for n in range(7)))
    await index(chat)
    await say(rooms, *(f"lamp {n}" for n in range(7, 10)))
    ada = await chat_client(chat, ADA)

    assert texts(await everything(ada, "lamp", limit=2)) == [f"lamp {n}" for n in range(9, -1, -1)]
    assert texts((await ask(ada, "lamp", before=5, limit=2))["messages"]) == ["lamp 3", "lamp 2"]
    assert (await ask(ada, "lamp", before=2))["more"] is False
    assert (await ask(ada, "lamp", before=0))["messages"] == []


async def test_an_edit_and_a_deletion_take_effect_at_once(rooms: ChatRooms, chat: Chat) -> None:
    one, two = await say(rooms, "lamp", "lamp too")
    await index(chat)
    ada = await chat_client(chat, ADA)

    await rooms.edit("general", one, {"text": "chair"})
    await rooms.delete("general", two)

    assert await everything(ada, "lamp") == []
    assert texts(await everything(ada, "chair")) == ["chair"]


async def test_pages_end_after_two_thousand_messages_that_do_not_match(
    rooms: ChatRooms, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_verb, "LOOKED_AT", 20)
    monkeypatch.setattr(search_verb, "STEP", 10)
    await say(rooms, "lamp", *(["no"] * 40))
    ada = await chat_client(chat, ADA)

    first = await ask(ada, "lamp")

    assert first["messages"] == []
    assert first["more"] is True
    assert texts(await everything(ada, "lamp")) == ["lamp"]


async def test_a_large_answer_is_cut_into_pages(chat: Chat, rooms: ChatRooms) -> None:
    await say(rooms, *(f"lamp {n} " + "x" * 50_000 for n in range(8)))
    ada = await chat_client(chat, ADA)

    page = await ask(ada, "lamp")

    assert 1 < len(page["messages"]) < 8
    assert page["more"] is True
    assert len(await everything(ada, "lamp")) == 8


# Who finds what


@pytest.mark.parametrize("indexed", [False, True])
@pytest.mark.parametrize("text", ["\ufdfa" * 700, "lamp " * 2_600, "か\u3099" * 700])
async def test_texts_that_take_long_are_compared_in_a_thread(
    rooms: ChatRooms, chat: Chat, monkeypatch: pytest.MonkeyPatch, text: str, indexed: bool
) -> None:
    threads = set[int]()

    class Watched(Query):
        def find(self, *given: Any) -> list[tuple[int, int]] | None:
            threads.add(threading.get_ident())
            return super().find(*given)

    monkeypatch.setattr(search_verb, "Query", Watched)
    await say(rooms, text, "no")
    if indexed:
        await index(chat)
    ada = await chat_client(chat, ADA)

    page = await ask(ada, text[:4])

    assert texts(page["messages"]) == [text]
    assert len(page["messages"][0]["highlights"]) == (100 if "lamp" in text else 1)
    assert threading.get_ident() not in threads


async def test_what_takes_long_is_compared_a_portion_at_a_time(
    rooms: ChatRooms, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "PORTION", 1_000)
    compared = list[int]()
    find = comparing._find

    def watched(query: Query, texts: list[Any], stems: Any) -> Any:
        compared.append(len(texts))
        return find(query, texts, stems)

    monkeypatch.setattr(comparing, "_find", watched)
    await say(rooms, *(f"{n} " + "lamp " * 120 for n in range(9)))
    ada = await chat_client(chat, ADA)

    assert len(texts(await everything(ada, "lamp", limit=4))) == 9
    assert set(compared) <= {1, 2}
    assert len(compared) <= 8, "a page that is full ends there"


async def test_a_member_finds_only_what_they_may_read(rooms: ChatRooms, chat: Chat) -> None:
    await chat.store.create_room(Room("secret", "", 0, visibility=PRIVATE, history_visibility="joined"))
    await say(rooms, "lamp before", room="secret")
    await be(chat, ADA, "secret")
    await say(rooms, "lamp after", room="secret")
    await index(chat, "secret")
    ada, eve = await chat_client(chat, ADA), await chat_client(chat, EVE)

    assert texts(await everything(ada, "lamp", "secret")) == ["lamp after"]
    assert texts(await everything(ada, "lamp", None)) == ["lamp after"]
    assert (await eve.request("search", room="secret", payload={"query": "lamp"}))["payload"][
        "code"
    ] == "room_not_found"
    assert await everything(eve, "lamp", None) == []
    assert texts((await rooms.search("lamp", room="secret")).messages) == ["lamp after", "lamp before"]


async def test_without_a_room_one_searches_in_ones_own_rooms(rooms: ChatRooms, chat: Chat) -> None:
    for room, visibility in (("own", PRIVATE), ("other", PUBLIC)):
        await chat.store.create_room(Room(room, "", 0, visibility=visibility))
    await be(chat, ADA, "own")
    await be(chat, ADA, "general")
    for n in range(6):
        await say(rooms, f"lamp {n}", room=("own", "other", "general")[n % 3])
    ada = await chat_client(chat, ADA)

    found = await everything(ada, "lamp", None, limit=2)

    assert {message["room"] for message in found} == {"own", "general"}
    assert sorted(texts(found)) == ["lamp 0", "lamp 2", "lamp 3", "lamp 5"]
    assert len((await rooms.search("lamp")).messages) == 6
    assert len((await rooms.search("lamp", as_user=ADA)).messages) == 4


async def test_who_is_banned_or_has_left_finds_nothing_any_more(rooms: ChatRooms, chat: Chat) -> None:
    await be(chat, ADA)
    await say(rooms, "lamp")
    ada = await chat_client(chat, ADA)
    assert len(await everything(ada, "lamp", None)) == 1

    await rooms.ban("general", ADA)

    assert await everything(ada, "lamp", None) == []
    assert (await ada.request("search", room="general", payload={"query": "lamp"}))["payload"][
        "code"
    ] == "banned"


class NoSearch(Policy):
    def require(self, user: User, action: str, room: Room | None, standing: Standing) -> None:
        if action == "search" and room is not None and room.id == "general":
            raise Forbidden("not here")


async def test_the_policy_is_asked_for_each_room(tmp_path: Path) -> None:
    store = SQLStore(f"sqlite:///{tmp_path / 'chat.db'}")
    rooms = ChatRooms("test", guests=True, store=store, policy=NoSearch())
    async with running(rooms) as chat:
        await chat.store.create_room(Room("own", "", 0))
        for room in ("own", "general"):
            await be(chat, ADA, room)
            await say(rooms, "lamp", room=room)
        ada = await chat_client(chat, ADA)

        assert [message["room"] for message in await everything(ada, "lamp", None)] == ["own"]
        assert (await ada.request("search", room="general", payload={"query": "lamp"}))["payload"][
            "code"
        ] == "forbidden"


async def test_a_token_for_some_rooms_finds_in_those_only(rooms: ChatRooms, chat: Chat) -> None:
    await chat.store.create_room(Room("own", "", 0))
    for room in ("own", "general"):
        await be(chat, ADA, room)
        await say(rooms, "lamp", room=room)
    ada = await chat_client(chat, User("u1", "Ada", scopes=("room:own:read",)))

    assert [message["room"] for message in await everything(ada, "lamp", None)] == ["own"]


async def in_history(rooms: ChatRooms, user: User) -> list[int] | str:
    """The numbers of the messages in the user's history that have the word lamp, newest first; or what refuses it."""
    found, before = list[int](), None
    while True:
        try:
            page = await rooms.history("club", before=before, limit=20, as_user=user)
        except ChatError as refused:
            return refused.code
        messages = [
            m
            for m in page.messages
            if m["type"] == "message" and "lamp" in m["payload"].get("text", "").lower()
        ]
        found += [message["seq"] for message in reversed(messages)]
        if not page.more:
            return found
        before = page.messages[0]["seq"]


async def by_search(rooms: ChatRooms, user: User, room: str | None) -> list[int] | str:
    """The same by searching for it."""
    found, cursor = list[int](), None
    while True:
        try:
            page = await rooms.search("lamp", room=room, cursor=cursor, limit=7, as_user=user)
        except ChatError as refused:
            return refused.code
        found += [message["seq"] for message in page.messages]
        if not page.more:
            return found
        cursor = page.cursor


@pytest.mark.parametrize("seed", range(3))
async def test_everybody_finds_what_their_history_shows_whatever_happens(
    rooms: ChatRooms, chat: Chat, seed: int
) -> None:
    await chat.store.create_room(Room("club", "", 0, visibility=PRIVATE))
    chance, said, people = Random(seed), list[str](), (ADA, BOB, EVE)
    for _ in range(60):
        user, act = chance.choice(people), chance.randrange(12)
        if act < 5:
            said += await say(rooms, chance.choice(("lamp", "a Lamp", "no")), room="club")
        elif act == 5 and said:
            with suppress(MessageNotFound):
                await rooms.edit("club", chance.choice(said), {"text": chance.choice(("lamp", "chair"))})
        elif act == 6 and said:
            with suppress(MessageNotFound):
                await rooms.delete("club", chance.choice(said))
        elif act == 7:
            await rooms.update_room(
                "club", history_visibility=chance.choice(("members", "joined", "invited"))
            )
        elif act == 8:
            await rooms.remove_member("club", user)
        elif act == 9:
            await (rooms.ban if chance.random() < 0.3 else rooms.unban)("club", user)
        elif act == 10:
            await index(chat, "club")
        else:
            with suppress(Forbidden):
                await rooms.add_member("club", user)
    for user in people:
        expected = await in_history(rooms, user)
        assert await by_search(rooms, user, "club") == expected
        assert await by_search(rooms, user, None) == ([] if isinstance(expected, str) else expected)


async def test_many_rooms_are_searched_in_several_pages(
    rooms: ChatRooms, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_verb, "ROOMS", 2)
    names = [f"r{n}" for n in range(7)]
    for room in names:
        await chat.store.create_room(Room(room, "", 0))
        await be(chat, ADA, room)
        await say(rooms, "lamp", room=room)
    ada = await chat_client(chat, ADA)

    first = await ask(ada, "lamp", None)

    assert len(first["messages"]) == 2
    assert sorted(message["room"] for message in await everything(ada, "lamp", None)) == names


async def test_a_connection_for_one_room_searches_in_that(rooms: ChatRooms) -> None:
    rooms.add_route("/one", room="general")
    async with running(rooms) as chat:
        await chat.store.create_room(Room("own", "", 0))
        for room in ("own", "general"):
            await be(chat, ADA, room)
            await say(rooms, f"lamp in {room}", room=room)
        ada = await chat_client(chat, ADA, route="/one")

        assert texts(await everything(ada, "lamp", None)) == ["lamp in general"]
        assert (await ada.error("search", room="own", payload={"query": "lamp"}))["code"] == "forbidden"


# What is no query


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({"query": ""}, "query"),
        ({"query": " \n"}, "query"),
        ({"query": "x" * (LONGEST + 1)}, "query"),
        ({"query": "x" * 10_000}, "query"),
        ({"query": " ".join(map(str, range(MOST_WORDS + 1)))}, "query"),
        ({"query": 7}, "query"),
        ({}, "query"),
        ({"query": "lamp", "before": 1, "cursor": "x"}, "before"),
        ({"query": "lamp", "limit": 0}, "limit"),
    ],
)
async def test_a_wrong_field_is_named(chat: Chat, payload: Page, field: str) -> None:
    ada = await chat_client(chat, ADA)
    answer = (await ada.request("search", room="general", payload=payload))["payload"]
    assert (answer["code"], answer["field"]) == ("invalid_field", field)


@pytest.mark.parametrize("payload", [{"cursor": "x"}, {"before": -1}])
async def test_a_wrong_place_is_an_invalid_cursor(chat: Chat, payload: Page) -> None:
    ada = await chat_client(chat, ADA)
    answer = (await ada.request("search", room="general", payload={"query": "lamp", **payload}))["payload"]
    assert answer["code"] == "invalid_cursor"


async def test_a_cursor_of_another_search_is_an_invalid_cursor(rooms: ChatRooms, chat: Chat) -> None:
    await be(chat, ADA)
    await say(rooms, "lamp", "lamp")
    ada = await chat_client(chat, ADA)
    cursor = (await ask(ada, "lamp", limit=1))["cursor"]
    answer = (await ada.request("search", payload={"query": "lamp", "cursor": cursor}))["payload"]
    assert answer["code"] == "invalid_cursor"
    answer = (await ada.request("search", payload={"query": "lamp", "before": 3}))["payload"]
    assert (answer["code"], answer["field"]) == ("invalid_field", "before")


@pytest.mark.parametrize(
    "query",
    [
        '"',
        "*",
        "lamp*",
        'a" OR "b',
        "NEAR(lamp)",
        "lamp AND",
        "((",
        "terms:lamp",
        "-lamp",
        "!&|",
        "%_",
        "...",
        "🎉" * 200,
    ],
)
async def test_a_hostile_query_is_a_query(rooms: ChatRooms, chat: Chat, query: str) -> None:
    await be(chat, ADA)
    await say(rooms, query)
    await index(chat)
    ada = await chat_client(chat, ADA)
    expected = [query] if Query(query).find(Text(query)) else []
    for room in ("general", None):
        assert texts((await ask(ada, query, room))["messages"]) == expected


async def test_random_histories_are_found_as_by_a_naive_search(rooms: ChatRooms, chat: Chat) -> None:
    chance = Random(7)
    vocabulary = ("lamp", "Lampe", "été", "ETE", "日本語", "本", "🎉", "שלום", "a", "ﬁn")
    ada, said = await chat_client(chat, ADA), list[str]()
    for n in range(60):
        said.append(" ".join(chance.choices(vocabulary, k=3)))
        await say(rooms, said[-1])
        if n % 20 == 10:
            await index(chat)
    for query in (*vocabulary, "日本", "lamp 本", "fin ete"):
        found = [
            (m["payload"]["text"], [tuple(one) for one in m["highlights"]])
            for m in await everything(ada, query, limit=7)
        ]
        naive = [(text, places) for text in reversed(said) if (places := Query(query).find(Text(text)))]
        assert found == naive, query


# Where there is none, and how often


async def test_a_store_without_an_index_does_not_offer_search() -> None:
    rooms = ChatRooms("test", guests=True, store=MemoryStore())
    async with running(rooms) as chat:
        ada = await chat_client(chat, ADA)
        assert "search" not in await features(ada)
        answer = await ada.request("search", room="general", payload={"query": "lamp"})
        assert answer["payload"]["code"] == "unknown_command"
        with pytest.raises(UnknownCommand, match="MemoryStore does not search"):
            await rooms.search("lamp")


async def test_a_store_with_an_index_offers_it(chat: Chat) -> None:
    assert "search" in await features(await chat_client(chat, ADA))


async def test_a_language_needs_postgresql(tmp_path: Path) -> None:
    for store in (MemoryStore(), SQLStore(f"sqlite:///{tmp_path / 'chat.db'}")):
        with pytest.raises(ConfigError, match="CHATROOMS_SEARCH_LANGUAGE"):
            async with running_core(guests=True, store=store, search_language="english"):
                pass


async def test_a_search_counts_as_four_questions(rooms: ChatRooms) -> None:
    async with running_core(rooms, rate_limits=True, rate_read="8/h") as chat:
        await chat.store.create_room(Room("general", "", 0))
        ada = await chat_client(chat, ADA)
        for _ in range(2):
            await ask(ada, "lamp")
        assert (await ada.error("search", room="general", payload={"query": "lamp"}))[
            "code"
        ] == "rate_limited"


async def test_the_app_may_not_search_for_what_is_no_text(rooms: ChatRooms, chat: Chat) -> None:
    with pytest.raises(InvalidField):
        await rooms.search(msgspec.json.decode(b"7"))
