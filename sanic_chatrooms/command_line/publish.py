"""`publish`: a message, or an event of the app, to a room."""

import asyncio
import json
import sys
from typing import Any

import click

from ..client import NoAnswer
from ..models import Sender
from ..support.ids import new_id
from . import options
from .output import say, say_json
from .source import Source, with_source

__all__ = ["publish"]

MESSAGE = "message"


@click.command()
@click.option(
    "--type",
    "type_",
    default=MESSAGE,
    show_default=True,
    metavar="TYPE",
    help="An event of your app, such as poll.opened.",
)
@click.option("--payload", metavar="JSON", help="All of the payload, in the place of TEXT.")
@click.option("--key", metavar="KEY", help="16 to 64 characters: what has the same key is stored once.")
@click.option("--sender", metavar="USER", help="Who says it, for a store's URL; without it, the app.")
@with_source("[URL] ROOM [TEXT]", "token", "timeout", "instance", "namespace", "broker")
@options.as_json
def publish(
    source: Source,
    words: list[str],
    type_: str,
    payload: str | None,
    key: str | None,
    sender: str | None,
    as_json: bool,
) -> None:
    """Say something in a room.

    Without TEXT, or with -, the text is what comes in. By a server's URL it is you who says it, by a store's the app.

    \b
    python -m sanic_chatrooms publish https://example.com/chat general "Back in five minutes"
    uptime | python -m sanic_chatrooms publish postgresql://chat@db/shop ops --namespace Shop
    """
    room, text = _read(words)
    if sender is not None and source.is_server:
        raise click.UsageError("--sender is for the URL of a store: of a server you are who your token says.")
    body = _body(text, payload)
    key = key or new_id()
    stored = asyncio.run(_publish(source, room, type_, body, key, sender))
    if as_json:
        say_json(stored)
    elif "seq" in stored:
        say(f"Stored as number {stored['seq']} of {room}.")
    else:
        say("Done.")


def _read(words: list[str]) -> tuple[str, str | None]:
    if not 1 <= len(words) <= 2:
        raise click.UsageError("Give a room, and the text in quotes.")
    return words[0], words[1] if len(words) == 2 else None


def _body(text: str | None, payload: str | None) -> dict[str, Any]:
    if payload is None:
        said = sys.stdin.read().removesuffix("\n") if text in (None, "-") else text
        return {"text": said}
    if text is not None:
        raise click.UsageError("Give TEXT or --payload, and not both.")
    try:
        body = json.loads(payload)
    except ValueError as problem:
        raise click.UsageError(f"--payload is no JSON: {problem}") from None
    if not isinstance(body, dict):
        raise click.UsageError('--payload must be an object, such as {"text": "hi"}.')
    return body


async def _publish(
    source: Source, room: str, type: str, body: dict[str, Any], key: str, sender: str | None
) -> dict[str, Any]:
    if source.is_server:
        try:
            async with asyncio.timeout(source.timeout):
                return await _say(source, room, type, body, key)
        except TimeoutError:
            said = (
                f"no answer within {source.timeout:g} s: it may be stored or not. Repeat it with --key {key}"
            )
            raise NoAnswer(said) from None
    async with source.chat() as chat:
        who = None if sender is None else Sender(sender, sender)
        stored = await chat.publish(room, type, body, key=key, sender=who)
        return {"seq": stored.seq, "msgId": stored.msg_id, "duplicate": stored.duplicate}


async def _say(source: Source, room: str, type: str, body: dict[str, Any], key: str) -> dict[str, Any]:
    async with source.client() as client:
        await client.join(room, history=0)
        if type == MESSAGE:
            return await client.send(room, body, msg_id=key)
        return await client.request(type, room=room, payload=body, msg_id=key)
