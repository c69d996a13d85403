"""Where tests keep their files: in memory, if the system has enough of it. There, nobody waits for a disk.

What a killed process has written stays there as on a disk, and only a power failure would show the difference. At the end
the files are removed, unless a test failed; of earlier runs pytest keeps as many as `tmp_path_retention_count` says.
"""

from __future__ import annotations

import functools
import os
import shutil
from pathlib import Path

import psutil
import pytest

__all__ = ["memory"]

_MEMORY = Path("/dev/shm")
_ENOUGH = 6 * 1024**3
"""Bytes: several times what all tests keep."""


@functools.cache
def memory() -> Path | None:
    """The directory; None where there is none, or not enough, or where no program may be run in it."""
    try:
        flags = os.statvfs(_MEMORY).f_flag
        free = min(shutil.disk_usage(_MEMORY).free, psutil.virtual_memory().available)
    except OSError:
        return None
    return _MEMORY if free >= _ENOUGH and not flags & os.ST_NOEXEC else None


def pytest_configure() -> None:
    place = memory()
    if place is not None:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(place))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    place, factory = memory(), getattr(session.config, "_tmp_path_factory", None)
    if place is None or factory is None or exitstatus or hasattr(session.config, "workerinput"):
        return
    made = factory._basetemp
    if made is not None and made.is_relative_to(place):
        shutil.rmtree(made, ignore_errors=True)
