"""`tail`: the events of a room, as they come."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import click

from . import options
from .output import safe, say, say_json, when
from .source import Source, with_source

if TYPE_CHECKING:
    from ..follows.event import RoomEvent

__all__ = ["tail"]

SOON = 1.0
"""Seconds between two looks at a store by whose broker nothing is heard here."""


@click.command()
@click.option(
    "-n",
    "--lines",
    default=10,
    show_default=True,
    metavar="N",
    type=click.IntRange(0, 200),
    help="So many of the past first.",
)
@click.option(
    "--since",
    metavar="POSITION",
    help="Everything after this position, which --json shows; then --lines does not count.",
)
@click.option(
    "--type",
    "types",
    multiple=True,
    metavar="TYPE",
    help="Only events of this type. May be given several times.",
)
@click.option("--count", metavar="N", type=click.IntRange(1), help="End after so many events.")
@with_source("[URL] ROOM", "token", "timeout", "instance", "namespace", "broker")
@options.as_json
def tail(
    source: Source,
    words: list[str],
    lines: int,
    since: str | None,
    types: tuple[str, ...],
    count: int | None,
    as_json: bool,
) -> None:
    """Show the events of a room as they come, until Ctrl-C.

    They come in order and without a gap, also when the connection breaks meanwhile. With --json, each event is a line,
    as on the wire, with its `position`.

    \b
    python -m sanic_chatrooms tail https://example.com/chat general
    python -m sanic_chatrooms tail sqlite:///chat.db general --json --type message | jq .payload.text
    """
    if len(words) != 1:
        raise click.UsageError("Give one room.")
    asyncio.run(_show(_events(source, words[0], lines, since), types, count, as_json))


async def _show(
    events: AsyncGenerator[dict[str, Any], None], types: tuple[str, ...], count: int | None, as_json: bool
) -> None:
    shown = 0
    async with aclosing(events):
        async for event in events:
            if types and event["type"] not in types:
                continue
            if as_json:
                say_json(event)
            else:
                _say_event(event)
            shown += 1
            if shown == count:
                return


def _say_event(event: dict[str, Any]) -> None:
    sender = event.get("sender")
    name = (
        "(app)" if sender is None else safe(str(sender.get("name") if isinstance(sender, dict) else sender))
    )
    first, *more = [safe(line) for line in _words(event).splitlines()] or [""]
    say((when(event.get("timestamp")), "dim"), "  ", (name, "bold"), "  ", first)
    for line in more:
        say(f"          {line}")


def _words(event: dict[str, Any]) -> str:
    """What people read of an event: a message's text, or the type and the payload of anything else."""
    payload = event.get("payload")
    if event.get("deleted"):
        return "(deleted)"
    if not isinstance(payload, dict):
        payload = {}
    if event["type"] == "message" and isinstance(payload.get("text"), str):
        return str(payload["text"])
    try:
        told = ", ".join(f"{key}={value}" for key, value in payload.items())
    except RecursionError:
        told = "(nested too deeply to be shown)"
    return f"{event['type']} {told}".rstrip()


def _events(source: Source, room: str, lines: int, since: str | None) -> AsyncGenerator[dict[str, Any], None]:
    return (
        _of_server(source, room, lines, since) if source.is_server else _of_store(source, room, lines, since)
    )


async def _of_server(
    source: Source, room: str, lines: int, since: str | None
) -> AsyncGenerator[dict[str, Any], None]:
    async with source.client() as client:
        ack = await client.join(room, history=0 if since is not None else lines)
        for message in ack["messages"]:
            yield message
        async with aclosing(client.follow(room, since=since or (ack["epoch"], ack["seq"]))) as events:
            async for event in events:
                yield {**event, "position": client.position(event)}


async def _of_store(
    source: Source, room: str, lines: int, since: str | None
) -> AsyncGenerator[dict[str, Any], None]:
    async with source.chat(position_check=SOON, presence="memory:") as chat:
        page = await chat.history(room, limit=max(1, lines))
        if since is None and lines:
            for message in page.messages:
                yield message
        async with aclosing(chat.follow(room, since=since or (page.epoch, page.seq))) as events:
            async for event in events:
                yield {**_on_the_wire(event), "position": chat.position(event)}


def _on_the_wire(event: "RoomEvent") -> dict[str, Any]:
    """The event with the names that clients see."""
    sender = event.sender
    told = {
        "type": event.type,
        "msgId": event.msg_id,
        "timestamp": event.timestamp,
        "room": event.room,
        "seq": event.seq,
        "sender": None if sender is None else {"id": sender.id, "name": sender.name},
        "clientMsgId": event.client_msg_id,
        "payload": event.payload,
        "edited": event.edited,
        "deleted": event.deleted or None,
        "changed": event.changed,
    }
    return {key: value for key, value in told.items() if value is not None}
