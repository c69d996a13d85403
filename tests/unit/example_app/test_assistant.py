"""The assistant in a running chat, with a model that a test plays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from example_app.assistant import AT_ONCE, BOT, ROOM, Assistant, add_assistant
from sanic_chatrooms import ChatRooms, User
from sanic_chatrooms.testing import MemoryClient, chat_client, running_chat
from tests.support.server import new_app

ADA, BEN = User("u1", "Ada"), User("u2", "Ben")


class Model:
    """Answers "slow" with pieces that a test hands over, "fail" with an error, everything else at once."""

    def __init__(self) -> None:
        self.pieces: asyncio.Queue[str] = asyncio.Queue()

    async def __call__(self, question: str) -> AsyncIterator[str]:
        yield f"{question}: "
        if question == "fail":
            raise RuntimeError("the provider is down")
        while question == "slow":
            yield await self.pieces.get()
        yield "done"


class Served:
    """The assistant without a server: a test calls what the app's listeners call."""

    def __init__(self) -> None:
        self.app = new_app()
        self.chat, self.model = ChatRooms(guests=True), Model()
        self.assistant = Assistant(self.chat, self.model)
        add_assistant(self.app, self.chat, self.assistant)

    async def start(self) -> None:
        await self.assistant.start(self.app)

    async def stop(self) -> None:
        await self.assistant.stop(self.app)

    async def client(self, user: User) -> MemoryClient:
        client = await chat_client(self.chat, user)
        await client.ack("join", room=ROOM)
        return client


@asynccontextmanager
async def serving() -> AsyncIterator[Served]:
    served = Served()
    async with running_chat(served.chat):
        await served.assistant.open()
        try:
            yield served
        finally:
            await served.stop()


async def ask(client: MemoryClient, text: str, **more: Any) -> str:
    answer = await client.ack("message", room=ROOM, payload={"text": text, **more})
    return str(answer["msgId"])


async def answered(client: MemoryClient) -> dict[str, Any]:
    closed: dict[str, Any] = (await client.expect("message.edited"))["payload"]
    return closed


async def opened(client: MemoryClient) -> dict[str, Any]:
    """The next message of the assistant's that is being written."""
    while True:
        event = await client.expect("message")
        if "streaming" in event:
            return dict(event)


async def test_a_question_is_answered() -> None:
    async with serving() as served:
        ada = await served.client(ADA)
        await ask(ada, "What?")
        answer = await answered(ada)

    assert answer["body"] == {"text": "What?: done"}
    assert "ended" not in answer


async def test_a_reply_is_answered_in_its_thread() -> None:
    async with serving() as served:
        ada = await served.client(ADA)
        asked = await ask(ada, "What?")
        await answered(ada)
        await ask(ada, "And then?", parent=asked)
        answer = await answered(ada)

    assert answer["body"] == {"text": "And then?: done", "parent": asked}


async def test_everybody_in_the_room_may_stop_it_and_is_answered_again() -> None:
    async with serving() as served:
        ada, ben = await served.client(ADA), await served.client(BEN)
        await ask(ada, "slow")
        served.model.pieces.put_nowait("one ")
        written = await opened(ada)
        await ada.expect("message.delta")
        await ben.ack("message.cancel", room=ROOM, payload={"msgId": written["msgId"]})
        stopped = await answered(ada)
        await ask(ada, "What?")
        answer = await answered(ada)

    assert stopped["ended"] == "cancelled"
    assert answer["body"]["text"] == "What?: done"


async def test_it_survives_errors_of_the_model(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as served:
        ada = await served.client(ADA)
        await ask(ada, "fail")
        failed = await answered(ada)
        await ask(ada, "What?")
        answer = await answered(ada)

    assert (failed["body"]["text"], failed["ended"]) == ("fail: ", "error")
    assert answer["body"]["text"] == "What?: done"
    assert "an answer of the assistant failed" in caplog.text


async def test_it_answers_some_questions_of_one_user_at_once_and_others_as_ever() -> None:
    async with serving() as served:
        ada, ben = await served.client(ADA), await served.client(BEN)
        for _ in range(AT_ONCE):
            await ask(ada, "slow")
        await ask(ada, "slow")
        while "One question" not in (await ada.expect("message"))["payload"]["text"]:
            pass
        await ask(ben, "What?")
        answer = await answered(ben)

    assert answer["body"]["text"] == "What?: done"


async def test_it_is_there_greets_once_and_its_answers_are_interrupted_when_the_server_stops() -> None:
    async with serving() as served:
        ada = await served.client(ADA)
        await served.start()
        greeting = await ada.expect("message")
        here = {one.id for one in (await served.chat.presence(ROOM)).users}
        await ask(ada, "slow")
        await opened(ada)
        await served.stop()
        interrupted = await answered(ada)
        await served.start()
        await ask(ada, "What?")
        await answered(ada)
        said = (await served.chat.history(ROOM)).messages

    assert "I am the assistant" in greeting["payload"]["text"]
    assert here == {"u1", BOT.id}
    assert interrupted["ended"] == "interrupted"
    assert sum("I am the assistant" in event["payload"].get("text", "") for event in said) == 1
