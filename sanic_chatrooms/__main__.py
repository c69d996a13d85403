"""`python -m sanic_chatrooms`: the command line. It needs the extra `cli`."""

import importlib
import sys
from collections.abc import Sequence

__all__ = ["main"]

NEEDED = ("click", "rich")


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out what the command line says; -> the status to exit with."""
    try:
        found = importlib.import_module(f"{__package__}.command_line.main")
    except ImportError as problem:
        if problem.name is None or problem.name.partition(".")[0] not in NEEDED:
            raise
        print(f'{problem}: pip install "sanic-chatrooms[cli]"', file=sys.stderr)  # noqa: T201 - it talks to the terminal
        return 2
    status: int = found.main(arguments)
    return status


if __name__ == "__main__":
    sys.exit(main())
