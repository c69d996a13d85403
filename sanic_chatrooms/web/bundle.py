"""A JavaScript module and all that it imports, as one file. The browser client is many files here and one for browsers.

One file can be checked with `integrity`, cached and copied as one, and never meets the parts of another version while servers
are being updated. The app joins it at startup: there is no build step, and nothing between a changed source and a restart.
"""

import re
from collections.abc import Iterator
from pathlib import Path

__all__ = ["bundle"]

_FROM = re.compile(r'^(?:import|(export)) (\{ (?:\w+, )*\w+ \}) from "(\./[\w./-]+)";\n', re.MULTILINE)
_EXPORTED = re.compile(r"^export (?=(?:class|function|const) )", re.MULTILINE)
_DECLARED = re.compile(r"^(?:class|function|const) (\w+)", re.MULTILINE)
_OTHER = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)
_OF_ENTRY = re.compile(r"^export (?:\{ (?:\w+, )*\w+ \}|default \w+);$")


def bundle(entry: Path) -> str:
    """The text of one module that exports what `entry` exports. Raises `ValueError` where that takes more than joining."""
    *imported, main = _parts(entry.resolve(), set())
    joined = "\n".join([*(_EXPORTED.sub("", part) for part in imported), main])
    _check(joined)
    return joined


def _parts(path: Path, seen: set[Path]) -> Iterator[str]:
    """Each part after those that it imports, as a class must be there before another one is made from it."""
    if path in seen:
        return
    seen.add(path)
    text = path.read_text(encoding="utf-8")
    for _, _, name in _FROM.findall(text):
        yield from _parts((path.parent / name).resolve(), seen)
    yield _FROM.sub(lambda line: f"{line[1]} {line[2]};\n" if line[1] else "", text).lstrip("\n")


def _check(joined: str) -> None:
    if twice := _twice(_DECLARED.findall(_EXPORTED.sub("", joined))):
        raise ValueError(f"two parts declare {', '.join(twice)}, and share one scope once they are joined")
    for line in _OTHER.findall(_EXPORTED.sub("", joined)):
        if not _OF_ENTRY.match(line):
            raise ValueError(f"{line!r} cannot be joined: name what a part has, in one line and without `as`")


def _twice(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
