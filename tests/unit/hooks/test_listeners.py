from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from sanic_chatrooms.errors import Forbidden
from sanic_chatrooms.hooks.listeners import WAITING, Happening, Listeners
from sanic_chatrooms.models import Event, Sender, User

EVENT = Event("m1", 1.0, "message", msgspec.Raw(b'{"text":"hi"}'), "general", 7, Sender("u1", "Ada"))


async def turn() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_plain_functions_and_coroutines_hear_it_in_order() -> None:
    heard: list[tuple[str, Happening]] = []

    async def later(happening: Happening) -> None:
        heard.append(("later", happening))

    listeners = Listeners({"room.entered": [lambda h: heard.append(("plain", h)), later]}, app="app")
    listeners.fire("room.entered", room="general", user=User("u1", "Ada"))
    assert heard == []  # nobody waits for them
    await turn()

    assert [name for name, _ in heard] == ["plain", "later"]
    assert heard[0][1] == Happening("room.entered", "general", User("u1", "Ada"), app="app")


async def test_only_those_who_listen_to_it_hear_it() -> None:
    heard: list[Happening] = []
    listeners = Listeners({"message": [heard.append]})

    listeners.fire("connect")
    listeners.stored(msgspec.structs.replace(EVENT, type="ORDER"))
    await turn()

    assert heard == []


async def test_an_event_is_heard_with_its_payload() -> None:
    heard: list[Happening] = []
    listeners = Listeners({"message": [heard.append]})

    listeners.stored(EVENT)
    await turn()

    assert heard[0].room == "general"
    assert heard[0].user == Sender("u1", "Ada")
    assert heard[0].event is EVENT
    assert heard[0].payload == {"text": "hi"}
    assert heard[0].payload is not heard[0].payload


async def test_what_is_no_event_has_an_empty_payload() -> None:
    assert Happening("connect").payload == {}


async def test_a_listener_that_fails_is_logged_and_the_others_hear_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    heard: list[Happening] = []

    def fail(happening: Happening) -> None:
        raise ZeroDivisionError

    listeners = Listeners({"message": [fail, heard.append]})
    listeners.stored(EVENT)
    await turn()

    assert len(heard) == 1
    assert "a listener for message failed (room general)" in caplog.text


async def test_asking_waits_for_each_in_turn_and_lets_a_refusal_through() -> None:
    asked: list[str] = []

    async def first(happening: Happening) -> None:
        await asyncio.sleep(0)
        asked.append("first")

    def refuse(happening: Happening) -> None:
        asked.append("second")
        raise Forbidden("not today")

    listeners = Listeners({"connect": [first, refuse, lambda h: asked.append("third")]})

    with pytest.raises(Forbidden, match="not today"):
        await listeners.ask("connect", user=User("u1", "Ada"))
    assert asked == ["first", "second"]
    await listeners.ask("unheard")


async def test_stopping_ends_what_is_under_way() -> None:
    ended = []

    async def wait(happening: Happening) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(happening.type)

    listeners = Listeners({"message": [wait]})
    listeners.stored(EVENT)
    await turn()

    await listeners.stop()
    await listeners.stop()

    assert ended == ["message"]


# ---- one that is slow ----


async def test_a_listener_hears_one_thing_at_a_time_in_order() -> None:
    heard: list[str] = []
    first = asyncio.Event()

    async def slow(happening: Happening) -> None:
        heard.append(f"{happening.type} begins")
        if len(heard) == 1:
            await first.wait()
        heard.append(f"{happening.type} ends")

    listeners = Listeners({"message": [slow], "message.edited": [slow]})
    listeners.fire("message")
    listeners.fire("message.edited")
    await turn()
    assert heard == ["message begins"]

    first.set()
    await listeners.idle()

    assert heard == ["message begins", "message ends", "message.edited begins", "message.edited ends"]


async def test_what_a_slow_listener_cannot_keep_up_with_is_dropped_and_counted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # The quick one keeps up on any machine.
    monkeypatch.setattr("sanic_chatrooms.hooks.listeners.TURN", 60.0)
    go, heard, quick = asyncio.Event(), list[Any](), list[Any]()

    async def slow(happening: Happening) -> None:
        await go.wait()
        heard.append(happening.room)

    listeners = Listeners({"message": [slow, lambda h: quick.append(h.room)]})
    before = len(asyncio.all_tasks())
    for number in range(3_000):
        listeners.fire("message", room=str(number))
        if number % 500 == 0:
            await turn()

    assert len(asyncio.all_tasks()) <= before + 2
    assert listeners.dropped == 3_000 - WAITING - 1
    assert len(caplog.records) == 1
    assert "slow is too slow: 1000 wait for it" in caplog.text

    go.set()
    await listeners.idle()

    assert heard == [str(number) for number in range(WAITING + 1)]
    assert quick == [str(number) for number in range(3_000)]


async def test_a_listener_that_never_waits_leaves_turns_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sanic_chatrooms.hooks.listeners.TURN", 0.0)
    heard: list[Happening] = []
    listeners = Listeners({"message": [heard.append]})
    for _ in range(100):
        listeners.fire("message")

    await turn()

    assert 0 < len(heard) < 100
    await listeners.idle()
    assert len(heard) == 100


async def test_a_listener_that_waits_for_something_cancelled_hears_what_comes_after(
    caplog: pytest.LogCaptureFixture,
) -> None:
    heard: list[str | None] = []

    async def waits(happening: Happening) -> None:
        heard.append(happening.room)
        if happening.room == "one":
            gone = asyncio.get_running_loop().create_future()
            gone.cancel()
            await gone

    listeners = Listeners({"room.entered": [waits]})
    for room in ("one", "two", "three"):
        listeners.fire("room.entered", room=room)
    await listeners.idle()

    assert heard == ["one", "two", "three"]
    assert "a listener for room.entered failed (room one)" in caplog.text
