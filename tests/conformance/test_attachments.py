"""The app hears of the same files over every store: those of what was deleted, edited, trimmed, or gone with its room."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sanic_chatrooms import ChatRooms, Happening, User
from sanic_chatrooms.models import EVERYONE
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs.attachments import FILES
from tests.support.valkey import ValkeyServer, running

ADA = User("u1", "Ada")
SHA = "0123456789abcdef" * 4


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    with running() as server:
        yield server


def body(*urls: str) -> dict[str, Any]:
    files = [{"url": u, "name": "a", "type": "text/plain", "size": 1, "sha256": SHA} for u in urls]
    return {"text": "look", "attachments": files}


async def hear(url: str) -> None:
    """Play a story over this store, and compare what the app hears."""
    rooms, told = ChatRooms("test", guests=True), set[tuple[str | None, str]]()

    @rooms.on("message.unattached")
    async def forget(event: Happening) -> None:
        told.update((event.room, one["url"]) for one in event.payload["attachments"])

    async with running_core(rooms, store=url, broker="memory:", presence="memory:", history_max=6) as chat:
        for room in ("one", "two"):
            await rooms.create_room(room)
        edited = await rooms.publish("one", "message", body("/1", "/2"), as_user=ADA)
        deleted = await rooms.publish("one", "message", body("/3"))
        await rooms.publish("two", "message", body("/4", "/5"))
        kept = await rooms.publish("one", "message", body("/6"))
        await rooms.edit("one", edited.msg_id, body("/2", "/7"))
        await rooms.delete("one", deleted.msg_id)
        await rooms.delete_room("two")
        await chat.core.unattached.sweep()
        assert told == {("one", "/1"), ("one", "/3"), ("two", "/4"), ("two", "/5")}

        await rooms.edit("one", kept.msg_id, {"text": "nothing"})
        while await chat.store.message("one", edited.msg_id) is not None:
            await rooms.publish("one", "message", {"text": "more"})
            await asyncio.sleep(0)
        await chat.core.unattached.sweep()

        assert told >= {("one", "/2"), ("one", "/6"), ("one", "/7")}
        assert (await chat.store.facts("one", FILES)).facts == []
        assert (await chat.store.facts(EVERYONE, FILES)).facts == []


async def test_every_file_that_no_message_has_any_more_is_told() -> None:
    await hear("memory:")


async def test_every_file_that_no_message_has_any_more_is_told_over_sqlite(tmp_path: Path) -> None:
    await hear(f"sqlite:///{tmp_path}/chat.db")


async def test_every_file_that_no_message_has_any_more_is_told_over_postgresql(postgres_url: str) -> None:
    await hear(postgres_url)


async def test_every_file_that_no_message_has_any_more_is_told_over_valkey(valkey: ValkeyServer) -> None:
    await hear(valkey.url)
