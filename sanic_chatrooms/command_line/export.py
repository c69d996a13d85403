"""`export`: messages as JSON lines."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from ..client import ChatClient
from ..support.paging import PAGE_LIMIT
from .answers import messages_in
from .output import note, say_json, write_json
from .rooms import WITHOUT_OTHERS, of_server, of_store
from .source import Source, patiently, with_source

if TYPE_CHECKING:
    from ..server_api import ServerAPI

__all__ = ["export"]

Line = dict[str, Any]


@click.command()
@click.option(
    "--user", metavar="USER", help="All that is stored of this user, in all rooms; for a store's URL."
)
@with_source("[URL] [ROOM]...", "token", "timeout", "instance", "namespace")
@click.option(
    "--json", is_flag=True, expose_value=False, help="Changes nothing: what is printed is JSON anyway."
)
def export(source: Source, chosen: list[str], user: str | None) -> None:
    """Write messages as JSON lines.

    Of these rooms, or of all: of a server those that you are a member of, of a store every one. Each line is a message as
    it is now, or an event of the app, as on the wire.

    \b
    python -m sanic_chatrooms export sqlite:///chat.db general > general.jsonl
    python -m sanic_chatrooms export postgresql://chat@db/shop --namespace Shop --user u1 > u1.jsonl
    """
    if user is not None and (source.is_server or chosen):
        raise click.UsageError("--user is for the URL of a store, and for all rooms.")
    written = asyncio.run(_of_user(source, user) if user is not None else _of_rooms(source, chosen))
    note(f"{written:,} lines")


async def _of_user(source: Source, user: str) -> int:
    written = 0
    async with source.chat(**WITHOUT_OTHERS) as chat:
        async for line in chat.export_user(user):
            write_json(line.decode())
            written += 1
    return written


async def _of_rooms(source: Source, rooms: Sequence[str]) -> int:
    written = 0
    async with aclosing(_lines(source, rooms)) as lines:
        async for line in lines:
            say_json(line)
            written += 1
    return written


async def _lines(source: Source, rooms: Sequence[str]) -> AsyncGenerator[Line, None]:
    if source.is_server:
        async with source.client() as client, aclosing(_chosen(client, rooms)) as ids:
            async for room in ids:
                async for message in _past(partial(_of_server, client, room)):
                    yield message
    else:
        async with source.chat(**WITHOUT_OTHERS) as chat:
            for room in rooms or [line["room"] async for line in of_store(chat)]:
                async for message in _past(partial(_of_store, chat, room)):
                    yield message


async def _chosen(client: ChatClient, rooms: Sequence[str]) -> AsyncGenerator[str, None]:
    for room in rooms:
        yield room
    if not rooms:
        async for line in of_server(client, mine=True):
            yield line["room"]


async def _past(page: Callable[[int], Awaitable[tuple[list[Line], bool]]]) -> AsyncGenerator[Line, None]:
    after, more = 0, True
    while more:
        messages, more = await page(after)
        for message in messages:
            yield message
            after = message["seq"]


async def _of_server(client: ChatClient, room: str, after: int) -> tuple[list[Line], bool]:
    page = await patiently(partial(client.history, room, after=after, limit=PAGE_LIMIT))
    return messages_in(page, after)


async def _of_store(chat: "ServerAPI", room: str, after: int) -> tuple[list[Line], bool]:
    page = await chat.history(room, after=after, limit=PAGE_LIMIT)
    return page.messages, page.more and bool(page.messages)
