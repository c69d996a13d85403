"""A directory that belongs to this user alone, with files by which processes find each other.

A user who can write into it could read what is kept there, or make this user write to files and end processes. So the
directory is this user's own, no other user can enter it, and nothing in it is opened through a link.
"""

import os
import stat
from pathlib import Path

from ..errors import ConfigError

__all__ = ["check_entries", "claim_directory", "open_lock"]

_NOT_THROUGH_LINKS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


def claim_directory(directory: Path, setting: str) -> None:
    """Make the directory if it is missing, and check that it is ours alone. Raises `ConfigError` that names the setting."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        problem = _problem(directory)
        if problem is None:
            directory.chmod(0o700)
    except OSError as exc:
        raise ConfigError(f"{setting}: {directory} cannot be used: {exc}") from exc
    if problem is not None:
        raise ConfigError(f"{setting}: {directory} {problem}; name a directory of this user's own")


def _problem(directory: Path) -> str | None:
    trusted = (0, os.geteuid())
    link = directory.lstat()
    if stat.S_ISLNK(link.st_mode) and link.st_uid not in trusted:
        return "is a link that another user made"
    found = directory.stat()
    if found.st_uid != os.geteuid():
        return "belongs to another user"
    if found.st_mode & 0o022:
        return "can be written to by other users"
    return None


def check_entries(directory: Path, setting: str) -> None:
    """Check that everything in the directory is this user's or the system's, and that nothing is a link: another user may have put
    it there before. Raises `ConfigError` that names the setting."""
    for entry in directory.iterdir():
        found = entry.lstat()
        # A volume's root may hold a lost+found.
        if stat.S_ISLNK(found.st_mode) or found.st_uid not in (0, os.geteuid()):
            raise ConfigError(
                f"{setting}: {directory} cannot be used: {entry.name} in it is a link, or another user's; remove it"
            )


def open_lock(path: Path) -> int:
    """Open a small file of ours, made if it is missing; -> its descriptor. Raises `OSError` if it is a link or another user's."""
    file = os.open(path, _NOT_THROUGH_LINKS, 0o600)
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_nlink != 1:
        os.close(file)
        raise PermissionError(f"{path} is no file of this user's own")
    return file
