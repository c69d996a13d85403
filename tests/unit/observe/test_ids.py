"""Lines of the log say what they are about, as attributes of their records."""

from __future__ import annotations

import ast
import logging
from pathlib import Path
from typing import Any

import pytest

import sanic_chatrooms
from sanic_chatrooms import ChatRooms, Context
from sanic_chatrooms.observe.ids import ids
from sanic_chatrooms.testing import chat_client, running_chat

PACKAGE = Path(sanic_chatrooms.__file__).parent
LEVELS = {"debug", "info", "warning", "error", "exception"}
ELSEWHERE = {"client", "testing"}
"""They run in other processes, beside the chat."""


def test_only_what_is_known_is_there_and_it_is_short() -> None:
    assert ids(room="general", user=None, msg_id="x" * 1000) == {
        "chat_room": "general",
        "chat_msg_id": "x" * 128,
    }


def lines() -> list[tuple[str, ast.Call]]:
    return [
        (f"{path.relative_to(PACKAGE)}:{node.lineno}", node)
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.relative_to(PACKAGE).parts[0] not in ELSEWHERE
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in LEVELS
        and ast.unparse(node.func.value).endswith("logger")
    ]


def test_every_line_that_names_a_room_or_a_user_has_their_ids() -> None:
    names = ("room %s", "user %s", "session %s", "(room")

    lacking = [
        where
        for where, call in lines()
        if any(name in ast.unparse(call.args[0]) for name in names)
        and "extra" not in {keyword.arg for keyword in call.keywords}
    ]

    assert len(lines()) > 50
    assert lacking == []


async def test_a_command_that_fails_is_named_and_its_words_are_not(caplog: pytest.LogCaptureFixture) -> None:
    chat = ChatRooms(guests=True)

    @chat.command("shop.buy")
    async def buy(ctx: Context, payload: Any) -> None:
        raise RuntimeError("sold out")

    async with running_chat(chat):
        ada = await chat_client(chat)
        with caplog.at_level(logging.ERROR, "sanic_chatrooms"):
            await ada.error("shop.buy", payload={"card": "4111 secret"}, msg_id="buy-1-of-the-shop")

    [record] = [one for one in caplog.records if one.levelno == logging.ERROR]
    attributes = {name: value for name, value in vars(record).items() if name.startswith("chat_")}
    assert attributes == {
        "chat_connection": ada.session.id,
        "chat_user": ada.session.user.id,
        "chat_command": "shop.buy",
        "chat_msg_id": "buy-1-of-the-shop",
    }
    assert "4111" not in str(vars(record))
