from __future__ import annotations

from typing import Any

import pytest

from sanic_chatrooms.errors import Forbidden
from sanic_chatrooms.hooks.middleware import Chain, Context, Handler, Middleware
from sanic_chatrooms.models import User
from sanic_chatrooms.wire.decode import Command


class Speaker:
    user = User("u1", "Ada")


def context(payload: bytes = b'{"text":"hi"}') -> Context:
    return Context(Speaker(), Command("message", "i" * 16, "general", payload), "chat", "app")


def named(name: str, log: list[str]) -> Middleware:
    async def middleware(ctx: Context, call_next: Handler) -> Any:
        log.append(name)
        answer = await call_next(ctx)
        log.append(f"{name} again")
        return answer

    return middleware


async def test_the_first_registered_is_outermost() -> None:
    log: list[str] = []

    async def handler(ctx: Context) -> str:
        log.append("handler")
        return "answer"

    chain = Chain([(None, named("a", log)), (frozenset(["message"]), named("b", log))])

    assert await chain.around("message", handler)(context()) == "answer"
    assert log == ["a", "b", "handler", "b again", "a again"]


async def test_it_wraps_only_the_types_it_names() -> None:
    log: list[str] = []
    chain = Chain([(frozenset(["join", "exit"]), named("a", log))])

    async def handler(ctx: Context) -> None: ...

    assert chain.around("message", handler) is handler
    assert [chain.concerns(type) for type in ("join", "exit", "message")] == [True, True, False]
    assert Chain([(None, named("a", log))]).concerns("anything")
    assert not Chain([]).concerns("message")


async def test_it_may_refuse_or_answer_by_itself() -> None:
    async def refuse(ctx: Context, call_next: Handler) -> Any:
        raise Forbidden("no links here")

    async def answer(ctx: Context, call_next: Handler) -> Any:
        return {"mine": True}

    async def handler(ctx: Context) -> None:
        raise AssertionError("the handler was reached")

    with pytest.raises(Forbidden):
        await Chain([(None, refuse)]).around("message", handler)(context())
    assert await Chain([(None, answer)]).around("message", handler)(context()) == {"mine": True}


async def test_it_may_call_twice() -> None:
    calls: list[int] = []

    async def twice(ctx: Context, call_next: Handler) -> Any:
        await call_next(ctx)
        return await call_next(ctx)

    async def handler(ctx: Context) -> int:
        calls.append(1)
        return len(calls)

    assert await Chain([(None, twice)]).around("message", handler)(context()) == 2


def test_the_context_tells_who_where_and_what() -> None:
    ctx = context()

    assert (ctx.user.id, ctx.room, ctx.payload, str(ctx.chat), ctx.app) == (
        "u1", "general", {"text": "hi"}, "chat", "app",
    )  # fmt: skip
    assert ctx.payload is ctx.payload


@pytest.mark.parametrize("value", [{"text": "ho"}, {}, {"a": [1, None]}])
def test_a_payload_that_is_assigned_is_carried_out(value: Any) -> None:
    ctx = context()
    assert ctx.payload == {"text": "hi"}

    ctx.payload = value

    assert ctx.payload == value
    assert Context(Speaker(), ctx.command, None, None).payload == value
