"""`migrate`: the chat's tables, as this version has them."""

import asyncio

import click

from . import options
from .output import say, say_json
from .source import Source, no_more, with_source

__all__ = ["migrate"]


@click.command()
@with_source("[URL]", "instance", "namespace")
@options.as_json
def migrate(source: Source, words: list[str], as_json: bool) -> None:
    """Bring the chat's tables to this version.

    Creates them, or changes those of an older version. Workers do it when they start; with a large database, run this
    first. Stop all workers of the older version before.

    \b
    python -m sanic_chatrooms migrate postgresql://chat@db/shop --namespace Shop
    """
    no_more(words)
    asyncio.run(_make(source))
    if as_json:
        say_json({"ok": True})
    else:
        say("The tables are of this version.")


async def _make(source: Source) -> None:
    async with source.store(create=True):
        pass  # the start does it
