"""The check before publishing: what it may do, and what happens if it fails."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sanic_chatrooms import ChatRooms, ConfigError, Context, Forbidden, Held, RoomNotFound, User
from sanic_chatrooms.observe.instruments import CHECKS
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.testing.meter import RecordingMeter
from tests.support.joined import joined

ADA, MOD = User("u1", "Ada"), User("u7", "Mod")


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
        if text != text.upper():
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


@pytest.mark.parametrize(
    "wrong", [{"budget": 0}, {"budget": 60}, {"budget": "0.2"}, {"budget": None}, {"on_failure": "hope"}]
)
def test_wrong_arguments_are_refused_where_they_stand(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        ChatRooms("test", guests=True).before_publish(**wrong)


async def test_what_is_held_is_refused_and_moderators_get_it_as_a_report() -> None:
    rooms = ChatRooms("test", guests=True)

    @rooms.before_publish()
    async def check(ctx: Context) -> None:
        if "bank" in ctx.payload["text"]:
            raise Held("may be fraud")

    async with running_core(rooms) as chat:
        await rooms.create_room("general")
        await rooms.add_member("general", MOD, "moderator")
        ada, mod = await joined(chat, ADA, "general"), await joined(chat, MOD, "general")
        body = {"text": "my bank", "x": 1}

        for _ in range(2):  # a repetition is no second report
            refused = await ada.error("message", room="general", msg_id="0123456789abcdef", payload=body)
            assert (refused["code"], refused["message"]) == ("forbidden", "may be fraud")

        told = (await mod.expect("report"))["payload"]
        assert (told["msgId"], told["reason"], told["held"]) == ("", "may be fraud", True)
        [line] = (await rooms.reports()).reports
        assert (line.id, line.held, line.by and line.by.id) == (told["id"], body, "u1")
        assert (await mod.ack("history", room="general"))["messages"] == []
        elsewhere = await mod.error("message", room="other", payload=body)
        assert elsewhere["code"] == "not_a_member"
        assert (await ada.error("direct", payload={"to": "u2", "body": body}))["code"] == "forbidden"
        assert len((await rooms.reports()).reports) == 1


async def test_who_may_not_speak_there_is_told_so_and_nothing_is_held() -> None:
    rooms = ChatRooms("test", guests=True)

    @rooms.before_publish()
    async def check(ctx: Context) -> None:
        raise Held

    async with running_core(rooms) as chat:
        await rooms.create_room("general")
        ada = await joined(chat, ADA, "general")
        await rooms.mute("general", ADA)

        assert (await ada.error("message", room="general", payload={"text": "hi"}))["code"] == "muted"
        with pytest.raises(RoomNotFound):
            await rooms.publish("nowhere", "message", {"text": "hi"}, as_user=ADA)
        assert (await rooms.reports()).reports == []


async def test_without_parentheses_it_is_the_same() -> None:
    rooms = ChatRooms("test", guests=True)

    @rooms.before_publish
    async def check(ctx: Context) -> None:
        raise Forbidden("not now")

    async with running_core(rooms) as chat:
        ada = await joined(chat, ADA, "general")
        assert (await ada.error("message", room="general", payload={"text": "hi"}))["message"] == "not now"


def test_without_parentheses_a_function_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match="before_publish"):
        ChatRooms("test", guests=True).before_publish(lambda ctx: None)  # type: ignore[arg-type,return-value]


async def test_an_edit_by_an_author_who_has_not_joined_is_held_too() -> None:
    rooms = ChatRooms("test", guests=True)

    @rooms.before_publish()
    async def check(ctx: Context) -> None:
        if "bad" in ctx.payload["text"]:
            raise Held("may be rude")

    async with running_core(rooms) as chat:
        await rooms.create_room("general")
        ada = await joined(chat, ADA, "general")
        said = await ada.ack("message", room="general", payload={"text": "hi"})
        other = await joined(chat, ADA)
        edit = {"msgId": said["msgId"], "body": {"text": "bad"}}

        assert (await other.error("message.edit", room="general", payload=edit))["code"] == "forbidden"
        assert (await other.error("message", room="general", payload={"text": "bad"}))[
            "code"
        ] == "not_a_member"
        [line] = (await rooms.reports()).reports
        assert (line.held, line.reason) == ({"text": "bad"}, "may be rude")


async def test_several_checks_run_in_order_and_half_a_change_is_none() -> None:
    rooms = ChatRooms("test", guests=True)

    @rooms.before_publish(on_failure="allow")
    async def broken(ctx: Context) -> None:
        ctx.payload = {"text": "half"}
        raise KeyError("x")

    @rooms.before_publish()
    async def louder(ctx: Context) -> None:
        ctx.payload = {"text": ctx.payload["text"] + "!"}

    @rooms.before_publish()
    async def twice(ctx: Context) -> None:
        ctx.payload = {"text": ctx.payload["text"] * 2}

    async with running_core(rooms) as chat:
        await rooms.create_room("general")
        stored = await rooms.publish("general", "message", {"text": "hi"}, as_user=ADA)
        assert stored is not None

        message = await chat.store.message("general", stored.msg_id)

        assert message is not None
        assert bytes(message.payload) == b'{"text":"hi!hi!"}'


async def test_every_check_is_counted_by_its_result() -> None:
    meter = RecordingMeter()
    async with running_core(checked("refuse", 0.01), meter=meter) as chat:
        ada = await joined(chat, ADA, "general")
        for text in ("hi", "YES", "spam", "broken", "slow"):
            await ada.request("message", room="general", payload={"text": text})

    counts = {
        of: meter.value(CHECKS, of) for of in ("changed", "passed", "refused", "failed", "late", "held")
    }
    assert counts == {"changed": 1, "passed": 1, "refused": 1, "failed": 1, "late": 1, "held": 0}
