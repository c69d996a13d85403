"""Servers in processes of their own: several workers, signals, crashes."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.support.thorough import THOROUGH

__all__ = ["ServerProcess", "free_port", "start_app", "start_command"]

ROOT = Path(__file__).parents[2]
_RUNNER = Path(__file__).with_name("run_app.py")
_READY = re.compile(r"^worker ready (\d+)$", re.MULTILINE)
_MANAGER_READY = re.compile(r"^manager ready \d+$", re.MULTILINE)
_START_WITHIN = 100.0


class ServerProcess:
    """A running server; `output` is all that it printed so far."""

    def __init__(self, command: Sequence[str], port: int, *, env: Mapping[str, str], cwd: Path) -> None:
        self.port = port
        self.output = ""
        self._printed = threading.Condition()
        self._ended = False
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=cwd,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **env},
            start_new_session=True,  # a group of its own, so that `kill` takes the workers too
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def workers(self) -> list[int]:
        """Process ids of the workers in the order in which they got ready, those of dead ones included."""
        return [int(pid) for pid in _READY.findall(self.output)]

    def wait_for(
        self, condition: Callable[[str], object], what: str, *, within: float = _START_WITHIN
    ) -> None:
        """Block until `condition(output)` holds, or raise with the output."""
        with self._printed:
            if self._printed.wait_for(lambda: condition(self.output) or self._ended, within) and condition(
                self.output
            ):
                return
        raise RuntimeError(f"{what}: did not happen within {within} s. Output:\n{self.output[-4000:]}")

    def wait_until_answering(self, path: str = "/", *, within: float = _START_WITHIN) -> None:
        """Block until any HTTP answer comes, or raise with the output."""
        deadline = time.monotonic() + within
        while not _answers(self.url + path):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"no answer at {self.url}{path}. Output:\n{self.output[-4000:]}")
            time.sleep(0.05)  # between polls: nothing tells us when a foreign process begins to listen

    def terminate(self) -> None:
        """SIGTERM to the main process, as a service manager sends it."""
        self.process.send_signal(signal.SIGTERM)

    def stop(self, *, within: float = 40.0) -> int:
        """Stop gracefully, or by force after `within` seconds; the exit code, negative for a signal."""
        if self.process.poll() is None:
            self.terminate()
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            return self.kill()
        finally:
            self.kill()

    def kill(self) -> int:
        """SIGKILL to the main process and all workers, whoever of them is left."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        code = self.process.wait()
        self._reader.join(5.0)
        return code

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                with self._printed:
                    self.output += line
                    self._printed.notify_all()
        with self._printed:
            self._ended = True
            self._printed.notify_all()


def start_app(
    app_file: Path,
    *,
    workers: int = 1,
    port: int | None = None,
    env: Mapping[str, str] | None = None,
    within: float = _START_WITHIN,
    spawns: bool = THOROUGH,
) -> ServerProcess:
    """Serve the `app`, or what `create_app()` returns, of a Python file; return when all workers are ready.

    With `spawns`, workers are started as Sanic does by itself. Otherwise they are forked, where the system can: that takes a third of
    the processor time, most of which goes into imports. Tests of how servers start and end say `spawns=True`.
    """
    port = port or free_port()
    if not spawns and sys.platform == "linux":
        env = {"SERVER_FORKS": "1", **(env or {})}
    command = [sys.executable, str(_RUNNER), str(app_file), str(port), str(workers)]
    server = ServerProcess(command, port, env=with_root_on_path(env), cwd=ROOT)
    return _ready_or_killed(
        server,
        lambda: server.wait_for(lambda output: _all_ready(output, workers), "start", within=within),
    )


def start_command(
    command: Sequence[str],
    port: int,
    *,
    path: str = "/",
    env: Mapping[str, str] | None = None,
    within: float = _START_WITHIN,
) -> ServerProcess:
    """Start any server by its command; return when `path` is answered on `port`."""
    server = ServerProcess(command, port, env=with_root_on_path(env), cwd=ROOT)
    return _ready_or_killed(server, lambda: server.wait_until_answering(path, within=within))


_given = set[int]()


def free_port() -> int:
    """A port that nobody listens on, below those that systems give to outgoing connections. Each process that tests has ports of its
    own, and none is given twice: what is told to listen on one does so only after a while."""
    each = (32_000 - 20_000) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    first = 20_000 + each * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    while True:
        port = random.randrange(first, first + each)
        if port in _given and len(_given) < each / 2:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port


def _all_ready(output: str, workers: int) -> bool:
    return len(_READY.findall(output)) >= workers and bool(_MANAGER_READY.search(output))


def _ready_or_killed(server: ServerProcess, wait: Callable[[], None]) -> ServerProcess:
    try:
        wait()
    except BaseException:
        server.kill()
        raise
    return server


def with_root_on_path(env: Mapping[str, str] | None) -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    # Tests and long runs say more at once than anybody could, on machines with other work.
    off = {"SANIC_CHATROOMS_RATE_LIMITS": "off", "SANIC_CHATROOMS_OVERLOAD_LAG": "none"}
    return {"PYTHONPATH": path, **off, **(env or {})}


def _answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never through a proxy
    try:
        opener.open(url, timeout=10.0).close()
    except urllib.error.HTTPError as answer:
        answer.close()
        return True
    except OSError:
        return False
    return True
