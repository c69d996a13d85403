"""What is done by hand: `python -m sanic_chatrooms --help`."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

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
        renewed = asyncio.run(_new_epoch(given))
    except ChatroomsError as problem:
        print(problem, file=sys.stderr)  # noqa: T201 - it talks to the terminal
        return 1
    missing = [room for room in given.rooms if room not in renewed]
    for room in missing:
        print(f"{room}: there is no such room", file=sys.stderr)  # noqa: T201 - the same
    print(f"{len(renewed)} rooms have a new epoch: every client starts afresh there")  # noqa: T201 - the same
    return 1 if missing else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sanic_chatrooms", description="Chat rooms, by hand.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    renew = commands.add_parser(
        "new-epoch",
        help="let every client start afresh, after a backup was restored",
        description="Give rooms a new epoch: their clients then know that what they have seen may not be there any more. "
        "To be used after a backup was restored; servers may run meanwhile.",
    )
    renew.add_argument("url", metavar="URL", help="the database, as in CHATROOMS_STORE: sqlite:///chat.db")
    renew.add_argument("rooms", metavar="ROOM", nargs="*", help="rooms; none: all of the instance")
    renew.add_argument("--instance", default="default", metavar="NAME", help="default: %(default)s")
    renew.add_argument(
        "--namespace",
        default="",
        metavar="NAME",
        help="the name of the app, or its setting NAMESPACE: needed with postgresql://, and not with sqlite://",
    )
    return parser


async def _new_epoch(given: argparse.Namespace) -> list[str]:
    store = sql_store(given.url, create=False)
    settings = Settings(instance=given.instance, namespace=given.namespace)
    await store.start(settings.space(shared=store.scope is Scope.CLUSTER), Bounds(timeout=30.0))
    try:
        renewed: list[str] = await store.renew_epochs(given.rooms or None)
        return renewed
    finally:
        await store.stop()


if __name__ == "__main__":
    sys.exit(main())
