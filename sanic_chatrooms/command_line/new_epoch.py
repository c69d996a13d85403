"""`new-epoch`: clients start afresh, after a backup was restored."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import click

from ..support.paging import PAGE_LIMIT
from . import options
from .output import note, say, say_json
from .source import Source, with_source

__all__ = ["new_epoch"]


@click.command("new-epoch")
@with_source("[URL] [ROOM]...", "instance", "namespace")
@options.as_json
def new_epoch(source: Source, rooms: list[str], as_json: bool) -> None:
    """Let every client start afresh, after a backup was restored.

    Gives these rooms, or all of the instance, a new epoch. Clients then know that what they have seen may not be there
    any more. Servers may run meanwhile.

    \b
    python -m sanic_chatrooms new-epoch sqlite:///chat.db
    """
    renewed = asyncio.run(_renew(source, rooms))
    missing = [room for room in rooms if room not in renewed]
    if as_json:
        say_json({"renewed": renewed, "missing": missing})
    else:
        say(f"{len(renewed)} rooms have a new epoch: every client starts afresh there.")
    for room in missing:
        note(f"{room}: there is no such room")
    if missing:
        raise click.exceptions.Exit(1)


async def _renew(source: Source, rooms: Sequence[str]) -> list[str]:
    async with source.store() as store:
        if source.is_database:  # with the rooms that nobody sees
            renewed: list[str] = await store.renew_epochs(rooms or None)
            return renewed
        return await _renew_each(store, rooms or [room async for room in _all_of(store)])


async def _all_of(store: Any) -> AsyncIterator[str]:
    cursor = None
    while True:
        page = await store.rooms(visibility=None, cursor=cursor, limit=PAGE_LIMIT)
        for room in page.rooms:
            yield room.id
        if (cursor := page.cursor) is None:
            return


async def _renew_each(store: Any, rooms: Sequence[str]) -> list[str]:
    heads = await store.heads(rooms)
    for room, head in heads.items():
        await store.renew_epoch(room, head.epoch)
    return list(heads)
