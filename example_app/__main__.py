"""Serve the example: HOST, PORT and DATABASE from the environment, http://127.0.0.1:8000 and a file here without them."""

import os
import sys

from example_app.server import create_app


def main() -> None:
    host = os.environ.get("HOST") or "127.0.0.1"
    port = os.environ.get("PORT") or "8000"
    if not port.isdecimal() or not 0 < int(port) < 65536:
        sys.exit(f"PORT is {port!r}; it must be a number from 1 to 65535")
    database = os.environ.get("DATABASE") or "example_chat.sqlite3"
    shown = f"[{host}]" if ":" in host else host
    print(f"The example chat is at http://{shown}:{port}", flush=True)
    # One process: a store that all workers share is not enough for more, they also have to ring each other.
    create_app(database).run(host=host, port=int(port), single_process=True, access_log=False, motd=False)


if __name__ == "__main__":
    main()
