"""Several Redis or Valkey servers: a Sentinel's fail-over, and a slot that moves. Nothing is lost unsaid."""

from __future__ import annotations

import asyncio

from sanic_chatrooms.drivers.redis.cluster import slot_of
from sanic_chatrooms.models import Appended
from sanic_chatrooms.stores.redis.store import RedisStore
from tests.support.on_redis import arrived, brokers, said, store_at
from tests.support.sentinel import guarded
from tests.support.valkey import ValkeyServer, make_cluster, move_slot, until


async def test_a_sentinels_fail_over_loses_nothing_unsaid() -> None:
    with guarded() as servers:
        async with (
            store_at(servers.url, "r") as store,
            brokers(servers.url, servers.url) as ((one, _), (other, heard)),
        ):
            await other.subscribe("r")
            (before,) = await said(store, "one")
            until(lambda: servers.replica.ask("HLEN", "chatrooms:test:{r}:m") == "1", "the replica has it")

            servers.master.kill()
            (again, after) = await said(store, "one", "two")

            assert isinstance(before, Appended)
            assert isinstance(again, Appended)
            assert isinstance(after, Appended)
            assert (again.seq, again.duplicate, after.seq) == (1, True, 2)
            assert after.epoch != before.epoch, "the new master may not have had all that was acknowledged"
            await arrived(one, heard, 2)
            assert heard.reconnects >= 1


async def test_a_slot_that_moves_to_another_node_takes_its_room_along() -> None:
    with make_cluster() as nodes:
        url = f"redis+cluster://127.0.0.1:{nodes[0].port}"
        async with store_at(url, "r") as store, brokers(url, url) as ((one, _), (other, heard)):
            await other.subscribe("r")
            await arrived(one, heard, 1)
            stored = asyncio.ensure_future(_say_until(store, moved := asyncio.Event()))

            await asyncio.to_thread(_move, slot_of("r"), nodes)
            moved.set()
            answers = await stored

            assert [answer.seq for answer in answers] == list(range(1, len(answers) + 1))
            page = await store.history("r", after=0, limit=10_000)
            assert [event.msg_id for event in page.events] == [answer.msg_id for answer in answers]
            await arrived(one, heard, 2)
            assert heard.reconnects >= 1


async def _say_until(store: RedisStore, moved: asyncio.Event) -> list[Appended]:
    answers: list[Appended] = []
    after = 0
    while after < 20:
        (answer,) = await said(store, str(len(answers)))
        assert isinstance(answer, Appended)
        answers.append(answer)
        after += moved.is_set()
    return answers


def _move(slot: int, nodes: list[ValkeyServer]) -> None:
    (source,) = [n for n in range(3) if n * 5461 <= slot and (n == 2 or slot < (n + 1) * 5461)]
    move_slot(slot, nodes[source], nodes[(source + 1) % 3])
