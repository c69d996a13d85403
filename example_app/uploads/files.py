"""The files on the disk: one file with the content and one with what is known of it, named by a random id.

A new file waits among those that came in. When a message has it, it is kept; if none has it for a day, it is deleted.
"""

import hashlib
import os
import re
import secrets
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from sanic_chatrooms import RateLimited, Unavailable

from .kinds import Kind, kind_of, plain_name

__all__ = ["LARGEST", "File", "Files", "attachment_of", "id_in"]

LARGEST = 10_000_000  # bytes of a file
IN_ALL = 2_000_000_000  # bytes of all files
PER_HOUR, BYTES_PER_HOUR = 60, 100_000_000  # of one user, or from one network, on one worker
UNSENT = 86_400.0  # seconds for which a file is kept that no message has
SWEEP_EVERY = 3_600.0
REMEMBERED = 10_000  # users and networks
URL = re.compile(r"/files/[\w.:~-]{1,128}/([0-9a-f]{32})", re.ASCII)


class File(msgspec.Struct, frozen=True, rename="camel"):
    """What is known of a file: who brought it, to which room, and what its message says of it."""

    id: str
    room: str
    user: str
    name: str
    type: str
    size: int
    sha256: str
    width: int | None = None
    height: int | None = None

    @property
    def is_picture(self) -> bool:
        return self.width is not None


def attachment_of(file: File) -> dict[str, str | int]:
    """What a message says of the file."""
    fields = {name: getattr(file, name) for name in ("name", "type", "size", "sha256", "width", "height")}
    known = {name: value for name, value in fields.items() if value is not None}
    return {"url": f"/files/{file.room}/{file.id}", **known}


def id_in(url: object) -> str | None:
    """The id of a file of ours, by its address."""
    found = URL.fullmatch(url) if isinstance(url, str) else None
    return found[1] if found else None


class Files:
    """All of it touches the disk: call it in a thread, but `count`."""

    def __init__(self, directory: Path, clock: Callable[[], float] = time.time) -> None:
        self._kept, self._incoming = directory / "kept", directory / "incoming"
        self._clock = clock
        self._swept = 0.0
        self._bytes = 0
        self._lately: dict[str, deque[tuple[float, int]]] = {}

    def start(self) -> None:
        for directory in (self._kept, self._incoming):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sweep()

    # ---- coming in ----

    def count(self, who: str, size: int) -> None:
        """Note that a user, or somebody of a network, brings so much. Raises `RateLimited`."""
        now = self._clock()
        if len(self._lately) >= REMEMBERED:
            self._lately.clear()
        lately = self._lately.setdefault(who, deque())
        while lately and lately[0][0] <= now - 3600:
            lately.popleft()
        if len(lately) >= PER_HOUR or sum(one for _, one in lately) + size > BYTES_PER_HOUR:
            wait = lately[0][0] + 3600 - now if lately else 3600
            raise RateLimited("You have sent many files. Wait before you send more.", retry_after=round(wait))
        lately.append((now, size))

    def keep(self, room: str, user: str, name: str, content: bytes) -> File:
        """Raises `WrongFile`, `Unavailable`."""
        kind = kind_of(content)
        if self._clock() - self._swept > SWEEP_EVERY:
            self._sweep()
        if self._bytes + len(content) > IN_ALL:
            raise Unavailable("There is no place for more files here.")
        file = _file(room, user, plain_name(name), kind, content)
        self._write(file.id, content)
        self._write(f"{file.id}.json", msgspec.json.encode(file))
        self._bytes += len(content)
        return file

    def _write(self, name: str, content: bytes) -> None:
        path = self._incoming / name
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123
            file.write(content)

    # ---- afterwards ----

    def find(self, id: str) -> tuple[File, bytes] | None:
        """A file and its content."""
        for directory in (self._incoming, self._kept):  # a file only moves to those that are kept
            with suppress(FileNotFoundError):
                known = msgspec.json.decode((directory / f"{id}.json").read_bytes(), type=File)
                return known, (directory / id).read_bytes()
        return None

    def send(self, id: str) -> None:
        """A message has it. To repeat it does nothing."""
        for name in (id, f"{id}.json"):
            with suppress(FileNotFoundError):
                (self._incoming / name).replace(self._kept / name)

    def delete(self, id: str) -> None:
        for directory in (self._kept, self._incoming):
            for name in (f"{id}.json", id):
                (directory / name).unlink(missing_ok=True)

    def _sweep(self) -> None:
        """Delete what was never sent, and count the rest. Another worker may do the same."""
        self._swept = self._clock()
        sizes = 0
        for directory in (self._kept, self._incoming):
            for path in directory.iterdir():
                try:
                    known = path.stat()
                except FileNotFoundError:
                    continue
                if directory is self._incoming and known.st_mtime < self._clock() - UNSENT:
                    path.unlink(missing_ok=True)
                else:
                    sizes += known.st_size
        self._bytes = sizes


def _file(room: str, user: str, name: str, kind: Kind, content: bytes) -> File:
    sha256 = hashlib.sha256(content).hexdigest()
    return File(
        secrets.token_hex(16), room, user, name, kind.type, len(content), sha256, kind.width, kind.height
    )
