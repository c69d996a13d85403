"""`tail`, `publish`, `rooms` and `export`, on a server and on its store."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sanic import Sanic

from sanic_chatrooms import ChatRooms, Context, User
from sanic_chatrooms.command_line.main import main
from tests.support.fixtures import Live
from tests.support.wire import SECRET, mount, token

App = Sanic[Any, Any]
ADA = User("u1", "Ada")


class Chat:
    """A chat that runs, and its two addresses."""

    def __init__(self, chat: ChatRooms, server: str, store: str) -> None:
        self.verbs = chat
        self.urls = {"server": server, "store": store}

    async def say(self, room: str, *texts: str) -> None:
        for text in texts:
            await self.verbs.publish(room, "message", {"text": text}, sender=ADA)


@pytest.fixture
async def chat(app: App, live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chat:
    store = f"sqlite:///{tmp_path}/chat.db"
    declared = mount(app, guests=False, jwt_secret=SECRET, store=store, position_check=0.2)

    @declared.command("poll.vote")
    async def vote(ctx: Context, payload: Any) -> dict[str, Any]:
        return {"voted": payload["for"], "by": ctx.user.id}

    server = await live()
    monkeypatch.setenv("CHATROOMS_TOKEN", token("u1", name="Ada"))
    chat: ChatRooms = app.ctx.chatrooms["default"]
    await chat.create_room("general", title="All of us")
    await chat.create_room("secret", visibility="private")
    await chat.add_member("general", ADA)
    return Chat(chat, f"{server.url}/chat", store)


Run = Callable[..., Any]
BOTH = pytest.mark.parametrize("where", ["server", "store"])


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """`lines = await run("rooms", url)`: what is printed, as lines."""

    async def run(*arguments: str, status: int = 0) -> list[str]:
        async with asyncio.timeout(50):
            ended = await asyncio.to_thread(main, arguments)
        out, err = capsys.readouterr()
        assert ended == status, err
        return (out if status == 0 else err).splitlines()

    return run


def decoded(lines: list[str]) -> list[Any]:
    return [json.loads(line) for line in lines]


def texts(lines: list[str]) -> list[str]:
    return [line["payload"]["text"] for line in decoded(lines)]


@BOTH
async def test_tail_shows_the_newest_of_the_past(chat: Chat, run: Run, where: str) -> None:
    await chat.say("general", "one", "two", "three")

    lines = await run("tail", chat.urls[where], "general", "--json", "-n", "2", "--count", "2")

    assert texts(lines) == ["two", "three"]


@BOTH
async def test_tail_shows_what_comes_with_its_position(chat: Chat, run: Run, where: str) -> None:
    tail = asyncio.ensure_future(
        run("tail", chat.urls[where], "general", "--json", "-n", "0", "--count", "2")
    )
    while not tail.done():  # something comes, whenever it begins to listen
        await chat.say("general", "more")
        await asyncio.sleep(0.05)

    first, second = decoded(await tail)
    assert second["seq"] == first["seq"] + 1
    assert first["sender"] == {"id": "u1", "name": "Ada"}
    assert first["payload"] == {"text": "more"}
    assert first["position"].endswith(f":{first['seq']}")


@BOTH
async def test_tail_goes_on_after_a_position(chat: Chat, run: Run, where: str) -> None:
    await chat.say("general", "one", "two", "three", "four")
    head = await chat.verbs.history("general")

    since = f"{head.epoch}:{head.seq - 3}"
    lines = await run("tail", chat.urls[where], "general", "--json", "--since", since, "--count", "2")

    assert texts(lines) == ["two", "three"]


@BOTH
async def test_tail_says_so_if_a_position_is_lost(chat: Chat, run: Run, where: str) -> None:
    said = await run("tail", chat.urls[where], "general", "--since", "other:1", status=1)

    assert "is not there any more" in said[-1]


@BOTH
async def test_tail_prints_lines_that_do_nothing_to_a_terminal(chat: Chat, run: Run, where: str) -> None:
    await chat.say("general", "a\x1b[2J[red]b\nc")
    await chat.verbs.publish("general", "poll.opened", {"by": "app"})

    first, second, third = await run("tail", chat.urls[where], "general", "--count", "2")

    assert first.endswith("  Ada  a␛[2J[red]b")
    assert second == "          c"
    assert third.endswith("  (app)  poll.opened by=app")


@BOTH
async def test_publish_stores_a_message_once_under_one_key(chat: Chat, run: Run, where: str) -> None:
    publish = ["publish", chat.urls[where], "general", "hello there", "--key", "a-key-of-16-and-more"]

    first, second = [await run(*publish, "--json") for _ in range(2)]

    stored, again = decoded([*first, *second])
    assert (stored["duplicate"], again["duplicate"]) == (False, True)
    [message] = [
        event for event in (await chat.verbs.history("general")).messages if event["type"] == "message"
    ]
    assert (message["payload"], message["seq"]) == ({"text": "hello there"}, stored["seq"])
    assert ("sender" in message) == (where == "server")


async def test_publish_takes_the_text_from_the_input(
    chat: Chat, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("load average: 0.1\n"))
    monkeypatch.setenv("CHATROOMS_URL", chat.urls["store"])

    said = await run("publish", "general", "--sender", "bot")

    assert "of general" in said[0]
    [message] = (await chat.verbs.history("general")).messages
    assert (message["payload"]["text"], message["sender"]) == (
        "load average: 0.1",
        {"id": "bot", "name": "bot"},
    )


async def test_publish_stores_an_event_of_the_app(chat: Chat, run: Run) -> None:
    await run("publish", chat.urls["store"], "general", "--type", "poll.opened", "--payload", '{"n":1}')

    [event] = (await chat.verbs.history("general")).messages
    assert (event["type"], event["payload"]) == ("poll.opened", {"n": 1})


async def test_publish_sends_a_command_of_the_app_to_a_server(chat: Chat, run: Run) -> None:
    vote = ["publish", chat.urls["server"], "general", "--type", "poll.vote", "--payload", '{"for":"tea"}']

    assert decoded(await run(*vote, "--json")) == [{"voted": "tea", "by": "u1"}]
    assert await run(*vote) == ["Done."]


@BOTH
async def test_publish_says_so_if_there_is_no_such_room(chat: Chat, run: Run, where: str) -> None:
    said = await run("publish", chat.urls[where], "nowhere", "hi", status=1)

    assert "there is no such room" in said[-1]


async def test_rooms_of_a_server_are_those_that_one_may_see(chat: Chat, run: Run) -> None:
    lines = await run("rooms", chat.urls["server"])

    assert lines[0].split() == ["ROOM", "VISIBILITY", "EVENTS", "TITLE"]
    assert [line.split()[:2] for line in lines[1:]] == [["general", "public"]]
    assert lines[1].endswith("All of us")
    assert [
        line["room"] for line in decoded(await run("rooms", chat.urls["server"], "--mine", "--json"))
    ] == ["general"]


async def test_white_space_around_a_token_does_not_count(
    chat: Chat, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHATROOMS_TOKEN", f" {token('u2')}\n")

    assert await run("rooms", chat.urls["server"], "--mine", "--json") == []


async def test_rooms_of_a_store_are_all(chat: Chat, run: Run) -> None:
    lines = decoded(await run("rooms", chat.urls["store"], "--json"))

    assert [(line["room"], line["visibility"]) for line in lines] == [
        ("general", "public"),
        ("secret", "private"),
    ]


@BOTH
async def test_export_writes_every_message(chat: Chat, run: Run, where: str) -> None:
    await chat.say("general", *(str(number) for number in range(210)))

    lines = await run("export", chat.urls[where])

    assert texts(lines) == [str(number) for number in range(210)]
    assert await run("export", chat.urls[where], "general", "--json") == lines


async def test_export_writes_what_is_stored_of_a_user(chat: Chat, run: Run) -> None:
    await chat.say("general", "hi")

    lines = decoded(await run("export", chat.urls["store"], "--user", "u1"))

    assert any(line.get("event", {}).get("payload") == {"text": "hi"} for line in lines)
    assert any(line.get("fact") == "member" for line in lines)


async def test_a_store_that_is_not_there_is_not_made(tmp_path: Path, run: Run) -> None:
    said = await run("rooms", f"sqlite:///{tmp_path}/typo.db", status=1)

    assert "there is no file" in said[-1]
    assert not (tmp_path / "typo.db").exists()


async def test_a_server_that_does_not_answer_ends_it_in_time(run: Run) -> None:
    said = await run("rooms", "http://127.0.0.1:9/chat", "--timeout", "0.2", status=1)

    assert "check 'http://127.0.0.1:9/chat'` tells why" in said[-1]
