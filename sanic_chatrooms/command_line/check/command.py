"""The command `check`."""

import asyncio
import textwrap

import click
import msgspec

from .. import options
from ..output import console, note, say, say_json
from ..source import alone
from .run import Report, Step, examine
from .visit import Visit

__all__ = ["check"]

ARROW, INDENT = "-> ", 30


@click.command()
@options.words("[URL]")
@options.token
@click.option(
    "--room",
    metavar="ROOM",
    help="The room to join. One message is sent there, and deleted. Without it, a room is made for this, and deleted.",
)
@click.option(
    "--watch",
    type=options.duration,
    metavar="TIME",
    help="How long a quiet connection is watched; 0: not at all. [default: 1.2 times the heartbeat's interval]",
)
@click.option(
    "--tries",
    default=8,
    show_default=True,
    type=click.IntRange(1, 100),
    metavar="N",
    help="Connections side by side, to meet all workers.",
)
@options.timeout
@options.as_json
def check(
    words: tuple[str, ...],
    token: str | None,
    room: str | None,
    watch: float | None,
    tries: int,
    timeout: float,
    as_json: bool,
) -> None:
    """Find out what is wrong with a deployment, and what to do.

    Looks from here as a client does: the name, the port, TLS, the upgrade to WebSocket, the token, a room, a message that
    comes back, a quiet connection, the clocks. URL is the chat's prefix or its socket. It goes there directly, without a proxy
    of the environment.

    \b
    python -m sanic_chatrooms check https://example.com/chat
    python -m sanic_chatrooms check wss://example.com/chat/ws --room probe --watch 2m --json
    """
    visit = Visit(url=alone(words), token=token, room=room, timeout=timeout, tries=tries, watch=watch)
    report = _examine_quietly(visit) if as_json else _examine_aloud(visit)
    if not report.ok:
        raise click.exceptions.Exit(1)


def _examine_quietly(visit: Visit) -> Report:
    report = asyncio.run(examine(visit))
    say_json(msgspec.to_builtins(report))
    return report


def _examine_aloud(visit: Visit) -> Report:
    if console(errors=True).is_terminal:
        visit.waiting = note
    report = asyncio.run(examine(visit, _say_step))
    if report.ok:
        say(("Everything works.", "bold green"))
    return report


def _say_step(step: Step) -> None:
    mark: tuple[str, str] = ("ok   ", "green") if step.ok else ("WRONG", "bold red")
    say(mark, f" {step.step:<9}", (f"{step.ms:>8,.0f} ms  ", "dim"), step.detail)
    if step.advice is not None:
        first, *more = _lines(step.advice)
        say((f"{ARROW:>{INDENT}}", "yellow"), first)
        for line in more:
            say(" " * INDENT + line)


def _lines(text: str) -> list[str]:
    """The text as it fits beside the steps on a terminal; elsewhere it stays one line."""
    terminal = console()
    room = terminal.width - INDENT
    return textwrap.wrap(text, room) if terminal.is_terminal and room > 30 else [text]
