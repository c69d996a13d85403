"""What an app declares: what is wrong is said at the decorator."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import pytest

from sanic_chatrooms import (
    Authenticator,
    ChatRooms,
    ConfigError,
    Context,
    Happening,
    Policy,
    RoomPolicy,
    User,
)
from sanic_chatrooms.hooks.middleware import Handler
from sanic_chatrooms.testing import chat_client, running_chat

ADA = User("u1", "Ada")


@pytest.fixture
def chat() -> ChatRooms:
    return ChatRooms("test", guests=True)


class Closed(RoomPolicy):
    pass


async def wrap(ctx: Context, call_next: Handler) -> Any:
    return await call_next(ctx)


# ---- objects ----


@pytest.mark.parametrize("policy", [Closed, Policy])
def test_a_policys_class_is_to_be_called(chat: ChatRooms, policy: Any) -> None:
    wanted = rf"policy={policy.__name__} is the class: call it, policy={policy.__name__}\(\)"
    with pytest.raises(ConfigError, match=wanted):
        ChatRooms("support", policy=policy)
    with pytest.raises(ConfigError, match=wanted):
        chat.add_route("/desk", policy=policy)


@pytest.mark.parametrize("wrong", [object(), "Closed", lambda *_: None])
def test_what_is_no_policy_says_what_to_derive_from(wrong: Any) -> None:
    with pytest.raises(ConfigError, match=r"is no Policy; derive from sanic_chatrooms\.Policy"):
        ChatRooms("support", policy=wrong)


def test_an_authenticators_class_is_to_be_called(chat: ChatRooms) -> None:
    kind: Any = Authenticator
    with pytest.raises(ConfigError, match=r"call it, auth=Authenticator\(\)"):
        chat.add_route("/desk", auth=kind)


@pytest.mark.parametrize("path", ["", " ", "desk", "/my desk", None])
def test_a_route_begins_with_a_slash(chat: ChatRooms, path: Any) -> None:
    with pytest.raises(ConfigError, match="must begin with /"):
        chat.add_route(path)


# ---- types ----


def test_a_decorator_without_its_type_says_how_to_write_it(chat: ChatRooms) -> None:
    bare: Any = chat.on
    with pytest.raises(ConfigError, match=r'@chat.on\("message"\) above .*hear'):

        @bare  # type: ignore[untyped-decorator]
        def hear(event: Happening) -> None: ...

    with pytest.raises(ConfigError, match=r'@chat.on\("message"\)'):
        chat.on()

    command: Any = chat.command
    with pytest.raises(ConfigError, match=r'@chat.command\("poll.vote"\) above .*vote'):

        @command  # type: ignore[untyped-decorator]
        async def vote(ctx: Context, payload: Any) -> None: ...


@pytest.mark.parametrize(
    ("declare", "hint"),
    [
        (lambda chat: chat.on("mesage"), "did you mean message?"),
        (lambda chat: chat.on("Message"), "did you mean message?"),
        (lambda chat: chat.on("member.joind"), "did you mean member.joined?"),
        (lambda chat: chat.on("room.enterd"), "did you mean room.entered?"),
        (lambda chat: chat.on("typing"), "there is no such event"),
        (lambda chat: chat.middleware("mesage"), "did you mean message?"),
        (lambda chat: chat.middleware("message", "room.crate"), "did you mean room.create?"),
        (lambda chat: chat.middleware("message.edited"), "did you mean message.edit?"),
        (lambda chat: chat.middleware("message.deleted"), "did you mean message.delete?"),
        (lambda chat: chat.middleware("rooms "), "did you mean rooms?"),
        (lambda chat: chat.command("Vote"), "like poll.vote or ORDER_CREATED"),
        (lambda chat: chat.command("message"), "like poll.vote or ORDER_CREATED"),
    ],
)
def test_a_mistyped_type_is_refused_at_the_decorator(
    chat: ChatRooms, declare: Callable[[ChatRooms], Any], hint: str
) -> None:
    with pytest.raises(ConfigError) as error:
        declare(chat)
    assert hint in str(error.value)


@pytest.mark.parametrize("type", ["notice", "ORDER_CREATED", "poll.closed", "message.edited", "connected"])
def test_what_there_is_can_be_heard(chat: ChatRooms, type: str) -> None:
    chat.on(type)(lambda event: None)


async def test_middleware_around_a_command_that_is_never_declared_fails_at_the_start(chat: ChatRooms) -> None:
    chat.middleware("poll.vot")(wrap)

    @chat.command("poll.vote")
    async def vote(ctx: Context, payload: Any) -> None: ...

    with pytest.raises(ConfigError, match=r"poll.vot.*did you mean poll.vote\?"):
        async with running_chat(chat):
            pass


# ---- functions ----


def test_a_function_that_could_not_be_called_is_refused_at_the_decorator(chat: ChatRooms) -> None:
    async def none() -> None: ...

    async def one(event: Any) -> None: ...

    async def three(a: Any, b: Any, c: Any) -> None: ...

    def plain(ctx: Any, payload: Any) -> None: ...

    for wrong in (none, one, three, plain):
        with pytest.raises(ConfigError, match=r"async def.*\(ctx, payload\)"):
            chat.command("poll.vote")(wrong)
        with pytest.raises(ConfigError, match=r"async def.*\(ctx, call_next\)"):
            chat.middleware("message")(wrong)  # type: ignore[arg-type]
    for wrong in (none, three):
        with pytest.raises(ConfigError, match=r"function of \(event\)"):
            chat.on("message")(wrong)
    chat.on("message")(partial(three, 1, 2))


class Answer(msgspec.Struct):
    ok: bool


@pytest.mark.parametrize(
    "hint", [list, list[int], tuple[int, ...], str, bool, int, "list[int]", list[int] | None, "str | None"]
)
def test_a_command_whose_answer_is_no_object_is_refused_at_the_decorator(chat: ChatRooms, hint: Any) -> None:
    async def vote(ctx: Any, payload: Any) -> Any: ...

    vote.__annotations__["return"] = hint
    with pytest.raises(ConfigError, match="return a dict, a struct, or None"):
        chat.command("poll.vote")(vote)


@pytest.mark.parametrize("hint", [dict, dict[str, int], Answer, Answer | None, None, Any, "Unknown"])
def test_a_command_may_answer_with_an_object_or_with_nothing(chat: ChatRooms, hint: Any) -> None:
    async def vote(ctx: Any, payload: Any) -> Any: ...

    vote.__annotations__["return"] = hint
    chat.command("poll.vote")(vote)


async def test_an_answer_that_is_no_object_is_logged_and_no_ack(
    chat: ChatRooms, caplog: pytest.LogCaptureFixture
) -> None:
    @chat.command("poll.vote")
    async def vote(ctx: Context, payload: Any) -> Any:
        return [1, 2]

    async with running_chat(chat):
        ada = await chat_client(chat, ADA)
        with caplog.at_level(logging.ERROR):
            error = await ada.error("poll.vote")

    assert error["code"] == "internal"
    assert "poll.vote was answered by a list" in caplog.text


# ---- once from one place ----


def declare(chat: ChatRooms, calls: list[str]) -> None:
    @chat.middleware("message")
    async def around(ctx: Context, call_next: Handler) -> Any:
        calls.append("around")
        return await call_next(ctx)

    @chat.on("message")
    def hear(event: Happening) -> None:
        calls.append("heard")

    @chat.command("poll.vote")
    async def vote(ctx: Context, payload: Any) -> None:
        calls.append("voted")


async def test_what_is_declared_twice_from_one_place_is_there_once(chat: ChatRooms) -> None:
    calls: list[str] = []
    declare(chat, calls)
    declare(chat, calls)
    async with running_chat(chat):
        ada = await chat_client(chat, ADA)
        await ada.ack("join", room="general")
        await ada.ack("message", room="general", payload={"text": "hi"})
        await ada.ack("poll.vote")
        await ada.settle()

    assert sorted(calls) == ["around", "heard", "voted"]


async def test_a_loop_declares_as_many_as_it_makes(chat: ChatRooms) -> None:
    calls: list[str] = []
    for word in ("a", "b", "c"):

        @chat.middleware("message")
        async def note(ctx: Context, call_next: Handler, word: str = word) -> Any:
            calls.append(word)
            return await call_next(ctx)

    async with running_chat(chat):
        ada = await chat_client(chat, ADA)
        await ada.ack("join", room="general")
        await ada.ack("message", room="general", payload={"text": "hi"})

    assert calls == ["a", "b", "c"]


def test_another_command_of_the_same_type_is_refused(chat: ChatRooms) -> None:
    declare(chat, [])

    with pytest.raises(ConfigError, match="declared already"):

        @chat.command("poll.vote")
        async def vote(ctx: Context, payload: Any) -> None: ...
