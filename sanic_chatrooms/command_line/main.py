"""All commands together, and how they end: 0 done, 1 found wrong, 2 wrongly called, 130 interrupted."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from ..errors import ChatroomsError
from .check.command import check
from .export import export
from .migrate import migrate
from .new_epoch import new_epoch
from .output import note
from .publish import publish
from .rooms import rooms
from .tail import tail
from .token import token

__all__ = ["COMMANDS", "PROGRAM", "main"]

PROGRAM = "python -m sanic_chatrooms"
COMMANDS = (check, token, tail, publish, rooms, export, migrate, new_epoch)
FAILED, MISUSED, INTERRUPTED = 1, 2, 130


@click.group(
    commands=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=f"`{PROGRAM} COMMAND --help` tells more. Exit status: 0 done, 1 something is wrong, 2 wrongly called, 130 interrupted.",
)
def everything() -> None:
    """Look into a chat, and take care of it.

    URL is the address of a chat's server, such as https://example.com/chat, or of its store, such as
    postgresql://user@host/name. The variable CHATROOMS_URL names it for all commands, and CHATROOMS_TOKEN
    a token for servers.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out what the command line says; -> the status to exit with."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    with _any_text():
        try:
            status = _carry_out(given)
            sys.stdout.flush()
        except BrokenPipeError:  # `| head` has enough
            _say_no_more()
            return 0
        except KeyboardInterrupt:
            return INTERRUPTED
    return status


def _carry_out(given: list[str]) -> int:
    try:
        with everything.make_context(PROGRAM, given) as context:
            everything.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.UsageError as misuse:
        misuse.show()
        return MISUSED
    except click.Abort as end:
        raise KeyboardInterrupt from end
    except ChatroomsError as problem:
        note(str(problem))
        return FAILED
    return 0


@contextlib.contextmanager
def _any_text() -> Iterator[None]:
    """What a terminal cannot show is replaced, and ends nothing."""
    streams = [one for one in (sys.stdout, sys.stderr) if isinstance(one, io.TextIOWrapper)]
    known = [one.errors for one in streams]
    for one in streams:
        one.reconfigure(errors="replace")
    try:
        yield
    finally:
        for one, errors in zip(streams, known, strict=True):
            one.reconfigure(errors=errors)


def _say_no_more() -> None:
    """Python flushes the output once more when it ends, and would complain."""
    with contextlib.suppress(OSError, ValueError):
        output = sys.stdout.fileno()
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), output)
