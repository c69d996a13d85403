"""The check before publishing: what it may do, and what happens if it fails."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sanic_chatrooms import ChatRooms, ConfigError, Context, Forbidden, User
from sanic_chatrooms.testing.connections import running_core
from tests.support.joined import joined

ADA = User("u1", "Ada")


def checked(on_failure: Any, budget: float = 5.0) -> ChatRooms:
    rooms = ChatRooms("test", guests=True)

    @rooms.before_publish(budget=budget, on_failure=on_failure)
    async def check(ctx: Context) -> None:
        text = ctx.payload["text"]
        if text == "spam":
            raise Forbidden("no spam")
        if text == "broken":
            raise KeyError(text)
        if text == "slow":
            await asyncio.Event().wait()
        ctx.payload = {"text": text.upper()}

    return rooms


async def test_it_changes_and_refuses_whatever_shows_words() -> None:
    async with running_core(checked("refuse")) as chat:
        ada = await joined(chat, ADA, "general")
        said = await ada.ack("message", room="general", payload={"text": "hi"})
        edit = {"msgId": said["msgId"], "body": {"text": "ho"}}

        assert (await ada.expect("message"))["payload"] == {"text": "HI"}
        assert (await ada.error("message", room="general", payload={"text": "spam"}))["message"] == "no spam"
        await ada.ack("message.edit", room="general", payload=edit)
        assert (await ada.expect("message.edited"))["payload"]["body"] == {"text": "HO"}
        refused = await ada.error("direct", payload={"to": "u2", "body": {"text": "spam"}})
        assert refused["code"] == "forbidden"


@pytest.mark.parametrize("text", ["broken", "slow"])
async def test_if_it_fails_or_is_too_slow_the_app_has_said_what_then(text: str) -> None:
    async with running_core(checked("refuse", 0.01)) as chat:
        ada = await joined(chat, ADA, "general")
        assert (await ada.error("message", room="general", payload={"text": text}))["code"] == "unavailable"
    async with running_core(checked("allow", 0.01)) as chat:
        ada = await joined(chat, ADA, "general")
        await ada.ack("message", room="general", payload={"text": text})
        assert (await ada.expect("message"))["payload"] == {"text": text}


@pytest.mark.parametrize("wrong", [{"budget": 0}, {"budget": 60}, {"on_failure": "hope"}])
def test_wrong_arguments_are_refused_where_they_stand(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        ChatRooms("test", guests=True).before_publish(**wrong)
