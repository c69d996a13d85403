"""Serves the app of a Python file: run_app.py FILE PORT WORKERS.

Each worker prints "worker ready <pid>" when it serves, the main process "manager ready <pid>" when it knows that all
workers have started. Before that Sanic (25.12) hangs on SIGTERM, where an app has no chat rooms: it goes on waiting for
workers that it has stopped.

With SERVER_FORKS in the environment, workers begin with what the main process has imported, and load the app themselves as ever.
"""

import importlib.util
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from sanic import Sanic
from sanic.worker.loader import AppLoader
from sanic.worker.manager import WorkerManager


def load(path: str) -> Sanic[Any, Any]:
    Sanic._app_registry.clear()  # a worker that was forked has the app of the main process
    spec = importlib.util.spec_from_file_location("served_app", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["served_app"] = module
    spec.loader.exec_module(module)
    app: Sanic[Any, Any] = module.app if hasattr(module, "app") else module.create_app()
    app.config.update(
        MOTD=False, AUTO_EXTEND=False
    )  # an import of sanic-ext takes each process a quarter of a second
    app.register_listener(announce, "after_server_start")
    return app


def say_ready(who: str) -> None:
    # One write, so that the lines of several processes cannot mix.
    os.write(sys.stdout.fileno(), f"{who} ready {os.getpid()}\n".encode())


async def announce(*_: object) -> None:
    say_ready("worker")


def announce_manager() -> None:
    wait_for_ack: Callable[[WorkerManager], None] = WorkerManager.wait_for_ack

    def wait_and_say(manager: WorkerManager) -> None:
        wait_for_ack(manager)
        say_ready("manager")

    WorkerManager.wait_for_ack = wait_and_say  # type: ignore[method-assign]  # Sanic has no hook at this point


def main(path: str, port: str, workers: str) -> None:
    announce_manager()
    if "SERVER_FORKS" in os.environ:
        Sanic.start_method = "fork"
    loader = AppLoader(factory=partial(load, path))
    app = loader.load()
    backlog = int(os.environ.get("SERVER_BACKLOG", "100"))  # Sanic's own default
    app.prepare(host="127.0.0.1", port=int(port), workers=int(workers), backlog=backlog, motd=False)
    Sanic.serve(primary=app, app_loader=loader)


if __name__ == "__main__":
    # Python has put this folder first. Some modules here are named as the packages that they start (nats, valkey).
    sys.path.pop(0)
    main(*sys.argv[1:])
