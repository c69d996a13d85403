"""Which packages a requirement brings, by the metadata of what is installed here and by our own pyproject.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

__all__ = ["OURS", "closure", "link"]

OURS = "sanic-chatrooms"
_PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]


def closure(*requirements: str) -> set[str]:
    """The names of all packages that `pip install` of these brings; our own is not among them."""
    found: set[tuple[str, str]] = set()
    todo = [Requirement(one) for one in requirements]
    while todo:
        one = todo.pop()
        for extra in ("", *one.extras):
            key = (canonicalize_name(one.name), extra)
            if key not in found:
                found.add(key)
                todo += _needed(key[0], extra)
    return {name for name, _ in found} - {OURS}


def _needed(name: str, extra: str) -> list[Requirement]:
    if name == OURS:
        lines = _PROJECT["optional-dependencies"][extra] if extra else _PROJECT["dependencies"]
    else:
        lines = distribution(name).requires or []
    needed = [Requirement(line) for line in lines]
    return [one for one in needed if one.marker is None or one.marker.evaluate({"extra": extra})]


def link(names: Iterable[str], into: Path) -> None:
    """Let what these packages consist of be found in a directory."""
    for name in names:
        dist = distribution(name)
        for top in _tops(dist):
            target = into / top
            if not target.exists():
                target.symlink_to(Path(str(dist.locate_file(top))))


def _tops(dist: Distribution) -> set[str]:
    return {file.parts[0] for file in dist.files or () if file.parts[0] not in ("..", "__pycache__")}
