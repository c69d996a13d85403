"""What a page of unread counts costs the server: not more in longer rooms. SQLite's plans are in `tests/unit/stores/test_sql_schema.py`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest
import redis
from msgspec.structs import replace
from sqlalchemy import text

from sanic_chatrooms.models import Draft, Member, Room, Sender
from sanic_chatrooms.stores import members
from sanic_chatrooms.stores.base import Bounds, Store
from sanic_chatrooms.stores.redis.many import AT_ONCE
from sanic_chatrooms.stores.redis.store import RedisStore
from sanic_chatrooms.stores.sql.store import SQLStore
from tests.support.plans import statements, stop_indexing
from tests.support.process import free_port
from tests.support.valkey import running, until

ADA = Sender("u1", "Ada")


async def fill(store: Store, room: str, count: int) -> None:
    await store.create_room(Room(room, "", 0), facts=[members.member_fact(Member("u2", "Bob"))])
    said = drafts(room, count)
    said[::50] = [replace(one, mentions=("u2",)) for one in said[::50]]
    for low in range(0, count, 1_000):
        await store.append(said[low : low + 1_000])


def drafts(room: str, count: int) -> list[Draft]:
    draft = Draft(room, "message", b'{"text":"hi"}', "", 1.0, ADA)
    return [replace(draft, msg_id=f"{room}-{n}") for n in range(count)]


async def test_valkey_executes_as_many_commands_for_a_long_room_as_for_a_short_one() -> None:
    with running() as server, redis.Redis(port=server.port) as client:
        store = RedisStore(server.url)
        await store.start("cost", Bounds(history_max=100_000))
        await fill(store, "short", 600)
        await fill(store, "long", 5_000)
        counted = []
        for room in ("short", "long"):
            await store.unread("u2", [room])  # the script is loaded
            client.config_resetstat()
            found = (await store.unread("u2", [room]))[room]
            stats: dict[str, Any] = client.info("commandstats")
            asked = {name: one["calls"] for name, one in stats.items() if name != "cmdstat_info"}
            counted.append({name: calls for name, calls in asked.items() if "config" not in name})
            assert (found.count, found.more) == (100, True)
        await store.stop()

    assert counted[0] == counted[1]
    assert sum(counted[0].values()) < 20


async def test_valkey_begins_a_script_for_several_rooms_at_a_time() -> None:
    with running() as server, redis.Redis(port=server.port) as client:
        store = RedisStore(server.url)
        await store.start("cost", Bounds())
        rooms = [f"r{n:02}" for n in range(2 * AT_ONCE + 1)]
        for n, room in enumerate(rooms):
            await fill(store, room, n + 1)
        client.config_resetstat()
        found = await store.unread("u2", [*rooms, "nowhere"])
        began: dict[str, Any] = client.info("commandstats")["cmdstat_evalsha"]
        await store.stop()

    assert [one.count for one in found.values()] == [n + 1 for n in range(len(rooms))]
    assert began["calls"] == 3


async def test_rooms_are_asked_for_one_by_one_where_one_address_leads_to_several_servers() -> None:
    with running("--cluster-enabled", "yes", "--cluster-port", str(free_port())) as server:
        server.ask("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
        until(lambda: "cluster_state:ok" in server.ask("CLUSTER", "INFO"), "the server serves all slots")
        store = RedisStore(server.url)
        await store.start("cost", Bounds())
        for n, room in enumerate("abc"):
            await fill(store, room, n + 1)
        found = [await store.unread("u2", "abc") for _ in range(2)]
        await store.stop()

    assert [[one.count for one in page.values()] for page in found] == [[1, 2, 3]] * 2


@pytest.mark.parametrize("analysed", [True, False])
async def test_postgresql_reads_no_table_as_a_whole(postgres_url: str, analysed: bool) -> None:
    """Without statistics, since a new database has none until its server gets to it."""
    store = SQLStore(postgres_url)
    await store.start("default", Bounds())
    await stop_indexing(store)
    side = await asyncpg.connect(
        postgres_url, server_settings={"enable_seqscan": "off", "enable_bitmapscan": "off"}
    )
    for table in ("room", "event", "fact", "mention"):
        await side.execute(f"ALTER TABLE chatrooms_default_{table} SET (autovacuum_enabled = off)")
    rooms = [f"r{n:02}" for n in range(40)]
    for n, room in enumerate(rooms):
        await fill(store, room, 100 + 75 * (n % 20))
    others = [replace(one, mentions=("u3", "u4")) for one in drafts(rooms[0], 1_000)]
    await store.append([replace(one, msg_id=f"to-others-{one.msg_id}") for one in others])
    if analysed:
        await side.execute("VACUUM ANALYZE")
    with statements() as seen:
        found = await store.unread("u2", rooms[:10])
    (asked,) = [one for one in seen if "event" in one[0]]
    await side.execute("SET plan_cache_mode = force_generic_plan")  # as it is after a few pages
    explained = await side.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {asked[0]}", *asked[1])
    await side.close()
    await store.stop()

    nodes = list(_nodes(json.loads(explained)[0]["Plan"]))
    read = {noun: _of(nodes, noun) for noun in ("event", "fact", "room", "mention")}
    assert {node["Node Type"] for some in read.values() for node in some} <= {"Index Only Scan", "Index Scan"}
    assert max(node["Actual Rows"] for node in read["event"]) <= 101
    # Folded events stand in another one too; and of what is counted no row is read.
    assert all(node["Index Name"].endswith("event_line") for node in read["event"])
    assert "Index Only Scan" in [node["Node Type"] for node in read["event"]]
    assert all(node["Actual Rows"] + node.get("Rows Removed by Filter", 0) <= 101 for node in read["mention"])
    # Those of the user in one room after the other, and not all of the user's.
    assert max(node["Actual Rows"] for node in read["fact"]) <= 3
    assert sum(node["Actual Rows"] for node in read["room"]) <= 10
    assert all(one.count == 100 for one in found.values())


async def test_postgresql_does_not_plan_every_page_anew(postgres_url: str) -> None:
    store = SQLStore(postgres_url)
    await store.start("default", Bounds())
    await stop_indexing(store)
    rooms = [f"r{n:02}" for n in range(50)]
    for room in rooms:
        await fill(store, room, 20)
    for n in range(20):
        await store.unread("u2", rooms[: 30 + n])
    asked = text(
        "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE 'WITH stand%mention%'"
    )
    rows = await store._database.read(lambda connection: connection.execute(asked).all())
    await store.stop()

    (plans,) = rows  # however many rooms are asked for, it is one statement
    assert plans.generic_plans > plans.custom_plans


def _of(nodes: list[dict[str, Any]], noun: str) -> list[dict[str, Any]]:
    return [node for node in nodes if str(node.get("Relation Name")).endswith(f"_{noun}")]


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)
