"""Serves the app of a Python file: run_app.py FILE PORT WORKERS. Each worker prints "worker ready <pid>"."""

import importlib.util
import os
import sys
from functools import partial
from typing import Any

from sanic import Sanic
from sanic.worker.loader import AppLoader


def load(path: str) -> Sanic[Any, Any]:
    spec = importlib.util.spec_from_file_location("served_app", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["served_app"] = module
    spec.loader.exec_module(module)
    app: Sanic[Any, Any] = module.app if hasattr(module, "app") else module.create_app()
    app.config.MOTD = False
    app.register_listener(announce, "after_server_start")
    return app


async def announce(*_: object) -> None:
    # One write, so that the lines of several workers cannot mix.
    os.write(sys.stdout.fileno(), f"worker ready {os.getpid()}\n".encode())


def main(path: str, port: str, workers: str) -> None:
    loader = AppLoader(factory=partial(load, path))
    app = loader.load()
    app.prepare(host="127.0.0.1", port=int(port), workers=int(workers), motd=False)
    Sanic.serve(primary=app, app_loader=loader)


if __name__ == "__main__":
    main(*sys.argv[1:])
