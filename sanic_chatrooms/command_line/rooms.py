"""`rooms`: the list of rooms."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from ..client import ChatClient
from ..support.paging import PAGE_LIMIT
from . import answers, options
from .answers import Nonsense, rooms_in
from .output import Table, note, say_json
from .source import Source, no_more, patiently, with_source

if TYPE_CHECKING:
    from ..server_api import ServerAPI

__all__ = ["WITHOUT_OTHERS", "of_server", "of_store", "rooms"]

WITHOUT_OTHERS: dict[str, Any] = {"broker": "memory:", "presence": "memory:"}
"""Settings of a chat that only reads its store."""


@click.command()
@click.option("--mine", is_flag=True, help="Those that you are a member of, for a server's URL.")
@with_source("[URL]", "token", "timeout", "instance", "namespace")
@options.as_json
def rooms(source: Source, words: list[str], mine: bool, as_json: bool) -> None:
    """List rooms.

    Of a server, those that you may see. Of a store, all: private and direct ones too. With --json, each room is a line.

    \b
    python -m sanic_chatrooms rooms https://example.com/chat --mine
    python -m sanic_chatrooms rooms postgresql://chat@db/shop --namespace Shop
    """
    no_more(words)
    if mine and not source.is_server:
        raise click.UsageError("--mine is for the URL of a server: a store does not know who you are.")
    asyncio.run(_list(source, mine, as_json))


async def _list(source: Source, mine: bool, as_json: bool) -> None:
    table = Table("ROOM", "VISIBILITY", "EVENTS", "TITLE")
    async with aclosing(_all_of(source, mine)) as listed:
        async for room in listed:
            if as_json:
                say_json(room)
            else:
                table.add(*(str(room.get(field, "")) for field in ("room", "visibility", "seq", "title")))
    table.end()
    if not as_json and not table.rows:
        note("There are no rooms here.")


async def _all_of(source: Source, mine: bool) -> AsyncGenerator[dict[str, Any], None]:
    if source.is_server:
        async with source.client() as client, aclosing(of_server(client, mine=mine)) as found:
            async for room in found:
                yield room
    else:
        async with source.chat(**WITHOUT_OTHERS) as chat, aclosing(of_store(chat)) as found:
            async for room in found:
                yield room


async def of_server(client: ChatClient, *, mine: bool) -> AsyncGenerator[dict[str, Any], None]:
    """The rooms that a client may see, or is a member of, as the server lists them."""
    asked, cursor = None, None
    for _ in range(answers.MOST_PAGES):
        ask = partial(client.rooms, mine=mine or None, cursor=cursor, limit=PAGE_LIMIT)
        rooms, cursor = rooms_in(await patiently(ask))
        for room in rooms:
            yield room
        if cursor is None:
            return
        if cursor == asked:
            break
        asked = cursor
    raise Nonsense("the server's list of rooms does not end")


async def of_store(chat: "ServerAPI") -> AsyncGenerator[dict[str, Any], None]:
    """All rooms of a store."""
    cursor = None
    while True:
        page = await chat.all_rooms(cursor=cursor, limit=PAGE_LIMIT)
        for room in page.rooms:
            yield {
                "room": room.id,
                "title": room.title,
                "visibility": room.visibility,
                "seq": room.seq,
                "createdAt": room.created_at,
                "createdBy": room.created_by,
            }
        if (cursor := page.cursor) is None:
            return
