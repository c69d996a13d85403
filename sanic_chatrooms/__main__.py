"""What is done by hand: `python -m sanic_chatrooms --help`."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from typing import Any

from .config.backends import sql_store
from .config.checks import check_name
from .config.settings import Settings
from .errors import ChatroomsError
from .models import Scope
from .stores.base import Bounds

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out what the command line says; -> the status to exit with."""
    given = _parser().parse_args(arguments)
    try:
        check_name(given.instance)
        status: int = given.carry_out(given)
    except ChatroomsError as problem:
        print(problem, file=sys.stderr)  # noqa: T201 - it talks to the terminal
        return 1
    return status


def _new_epoch(given: argparse.Namespace) -> int:
    renewed = asyncio.run(_renew_epochs(given))
    missing = [room for room in given.rooms if room not in renewed]
    for room in missing:
        print(f"{room}: there is no such room", file=sys.stderr)  # noqa: T201 - the same
    print(f"{len(renewed)} rooms have a new epoch: every client starts afresh there")  # noqa: T201 - the same
    return 1 if missing else 0


def _migrate(given: argparse.Namespace) -> int:
    asyncio.run(_start_and_stop(given))
    print("the tables are of this version")  # noqa: T201 - it talks to the terminal
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sanic_chatrooms", description="Chat rooms, by hand.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    renew = commands.add_parser(
        "new-epoch",
        help="let every client start afresh, after a backup was restored",
        description="Give rooms a new epoch: their clients then know that what they have seen may not be there any more. "
        "To be used after a backup was restored; servers may run meanwhile.",
    )
    migrate = commands.add_parser(
        "migrate",
        help="bring the chat's tables to this version",
        description="Create the chat's tables, or change those of an older version. Workers do it when they start; with a "
        "large database, run this first. Stop all workers of the older version before.",
    )
    for command, carry_out in ((renew, _new_epoch), (migrate, _migrate)):
        _add_database(command)
        command.set_defaults(carry_out=carry_out)
    renew.add_argument("rooms", metavar="ROOM", nargs="*", help="rooms; none: all of the instance")
    return parser


def _add_database(command: argparse.ArgumentParser) -> None:
    command.add_argument("url", metavar="URL", help="the database, as in CHATROOMS_STORE: sqlite:///chat.db")
    command.add_argument("--instance", default="default", metavar="NAME", help="default: %(default)s")
    command.add_argument(
        "--namespace",
        default="",
        type=lambda name: "" if name == "none" else name,
        metavar="NAME",
        help="the name of the app, or its setting NAMESPACE: needed with postgresql://, and not with sqlite://",
    )


async def _start_and_stop(given: argparse.Namespace) -> None:
    store = await _started(given, create=True)
    await store.stop()


async def _started(given: argparse.Namespace, *, create: bool) -> Any:
    store = sql_store(given.url, create=create)
    settings = Settings(instance=given.instance, namespace=given.namespace)
    await store.start(settings.space(shared=store.scope is Scope.CLUSTER), Bounds(timeout=30.0))
    return store


async def _renew_epochs(given: argparse.Namespace) -> list[str]:
    store = await _started(given, create=False)
    try:
        renewed: list[str] = await store.renew_epochs(given.rooms or None)
        return renewed
    finally:
        await store.stop()


if __name__ == "__main__":
    sys.exit(main())
