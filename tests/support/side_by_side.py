"""In which order files of tests are dealt out when several run side by side (`pytest -n 5 --dist loadfile`).

A file stays together, since its tests may share a server; each of those in `APART` shares none, and goes where there is room.
Those that take long come first, or one process would have the last of them when all others have ended. Folders are mixed
like cards: most tests that start servers and browsers wait, and do so best beside some that compute.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

__all__ = ["arranged", "scope_of"]

APART = ("tests/soak/test_short.py", "tests/browser/test_offline.py", "tests/integration/test_ending.py")
FIRST = ("tests/docs/test_tutorial.py", "tests/rfc/test_autobahn.py")
LAST = ("unit", "typing")


class _Scheduling(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _Scheduling | None:
    if config.getvalue("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False  # it would put files of few tests last, which take longest
    return _Scheduling(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        places = arranged(dict.fromkeys(scope_of(item.nodeid) for item in items))
        items.sort(key=lambda item: places[scope_of(item.nodeid)])


def scope_of(nodeid: str) -> str:
    """What stays together: the file, or the test alone."""
    file = nodeid.split("::", 1)[0]
    return nodeid if file in APART else file


def arranged(scopes: Mapping[str, None]) -> dict[str, tuple[int, float]]:
    """The place of each, as a key to sort by: in three parts, and in each part evenly mixed."""
    folders: dict[str, list[str]] = defaultdict(list)
    for scope in scopes:
        folders[PurePath(scope).parts[1]].append(scope)
    return {
        scope: (_part_of(scope, folder), (number + 0.5) / len(members))
        for folder, members in folders.items()
        for number, scope in enumerate(members)
    }


def _part_of(scope: str, folder: str) -> int:
    return 0 if scope in FIRST else 2 if folder in LAST else 1
