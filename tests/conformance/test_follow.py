"""Code in every worker follows a room, and one of them gets each event: also when its process is killed."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

import sanic_chatrooms as chatrooms
from sanic_chatrooms import ChatRooms, RoomEvent
from sanic_chatrooms.errors import RoomNotFound
from tests.support.fixtures import SubprocessServer
from tests.support.postgres import PostgresServer, new_database
from tests.support.valkey import running as running_valkey
from tests.support.wire import SECRET

APP = Path(__file__).parents[1] / "support" / "following_app.py"
WITHIN = 80.0


@pytest.fixture(params=["valkey", "postgres"])
async def store(request: pytest.FixtureRequest, postgres: PostgresServer) -> AsyncIterator[str]:
    if request.param == "postgres":
        yield await new_database(postgres)
        return
    with running_valkey() as valkey:
        yield valkey.url


async def say(chat: ChatRooms, numbers: range) -> None:
    for n in numbers:
        await chat.publish("work", "WORK", {"n": n})


async def answers(events: AsyncIterator[RoomEvent], numbers: range) -> list[tuple[int, int]]:
    """What was answered, and by which process, until all of these have been."""
    got = list[tuple[int, int]]()
    async with asyncio.timeout(WITHIN):
        while not {n for n, _ in got} >= set(numbers):
            event = await anext(events)
            got.append((event.payload["n"], event.payload["pid"]))
    return got


async def begun(chat: ChatRooms) -> None:
    """A worker has its turn: what is said now is its."""
    async with asyncio.timeout(WITHIN):
        while True:
            facts = await chat.running().store.facts_about("work", "worker")
            if any(kind.startswith("follow.") for kind in facts):
                return
            await asyncio.sleep(0.05)


@pytest.mark.timeout(240)
async def test_another_worker_goes_on_when_the_one_at_work_is_killed(
    store: str, subprocess_server: SubprocessServer
) -> None:
    env = {"CHAT_STORE": store, "CHAT_SECRET": SECRET}
    await subprocess_server(APP, workers=2, env=env)
    async with chatrooms.connect(namespace="none", jwt_secret=SECRET, store=store) as chat:
        await begun(chat)
        done = await chat.room("done")
        if done is None:
            raise RoomNotFound
        async with aclosing(chat.follow("done", since=(done.epoch, 0))) as events:
            await say(chat, range(20))
            got = await answers(events, range(20))
            os.kill(got[-1][1], signal.SIGKILL)
            await say(chat, range(20, 40))
            got += await answers(events, range(20, 40))

    counted = Counter(n for n, _ in got)
    assert sorted(counted) == list(range(40))
    assert sum(counted.values()) <= 45, (
        "only what was in hand is done again, also if a worker was too busy to keep its turn"
    )
    assert len({pid for _, pid in got}) >= 2
