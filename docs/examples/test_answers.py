from collections.abc import AsyncIterator
from types import SimpleNamespace as Made
from typing import Any

import pytest
from sanic_chatrooms import ChatRooms, User
from sanic_chatrooms.testing import MemoryClient, chat_client, running_chat

from adaptors import write_completion, write_run
from answers import chat

ADA, BOT = User("u1", "Ada"), User("bot", "Bot")


async def chunks(*texts: str | None, finish: str = "stop") -> AsyncIterator[Any]:
    """What an OpenAI-like API yields."""
    for text in texts:
        yield Made(choices=[Made(delta=Made(content=text), finish_reason=None)])
    yield Made(choices=[Made(delta=Made(content=None), finish_reason=finish)])
    yield Made(choices=[], usage=Made(total_tokens=7))


async def events(*pairs: tuple[str, str]) -> AsyncIterator[Any]:
    """What an AG-UI agent yields."""
    for type, text in pairs:
        yield Made(type=type, message_id=text, delta=text, message=text)


async def joined(rooms: ChatRooms) -> MemoryClient:
    ada = await chat_client(rooms, ADA)
    await ada.ack("join", room="support")
    return ada


async def closed(ada: MemoryClient) -> Any:
    return (await ada.expect("message.edited"))["payload"]


async def test_a_question_is_answered_piece_by_piece_below_it() -> None:
    async with running_chat(chat):
        ada = await joined(chat)
        asked = await ada.ack("message", room="support", payload={"text": "/ask Why?"})

        answer = await closed(ada)

    assert answer["body"]["text"] == "You asked: Why? Let me think about it. "
    assert (answer["body"]["parent"], answer["body"]["model"]) == (asked["msgId"], "example")
    assert ada.unread("message.delta")


async def test_a_completion_becomes_a_message() -> None:
    async with running_chat(ChatRooms(guests=True)) as rooms:
        ada = await joined(rooms)
        await write_completion(rooms, "support", BOT, chunks("He", None, "llo"))

        assert (await closed(ada))["body"]["text"] == "Hello"
        with pytest.raises(RuntimeError, match="provider"):
            await write_completion(rooms, "support", BOT, chunks("He", finish="content_filter"))
        assert (await closed(ada))["ended"] == "error"


async def test_the_texts_of_a_run_become_messages() -> None:
    run = events(
        ("RUN_STARTED", ""), ("TEXT_MESSAGE_START", "m1"), ("TEXT_MESSAGE_CONTENT", "He"), ("TEXT_MESSAGE_CONTENT", "llo"),
        ("TEXT_MESSAGE_END", "m1"), ("TOOL_CALL_START", "t1"), ("TEXT_MESSAGE_START", "m2"), ("TEXT_MESSAGE_CONTENT", "Bye"),
        ("RUN_ERROR", "out of tokens"),
    )  # fmt: skip
    async with running_chat(ChatRooms(guests=True)) as rooms:
        ada = await joined(rooms)
        with pytest.raises(RuntimeError, match="out of tokens"):
            await write_run(rooms, "support", BOT, run)

        first, second = await closed(ada), await closed(ada)

    assert (first["body"]["text"], first["body"]["run"], "ended" in first) == ("Hello", "m1", False)
    assert (second["body"]["text"], second["ended"]) == ("Bye", "error")
