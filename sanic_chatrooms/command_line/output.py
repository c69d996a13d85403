"""What commands print: lines for people, JSON for scripts. Colours are for terminals only (and `NO_COLOR` turns them off)."""

import json
import re
import sys
import time
import unicodedata
from collections.abc import Sequence
from typing import Any, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from .answers import Nonsense

__all__ = ["Table", "console", "note", "safe", "say", "say_json", "short", "span", "when", "write_json"]

JOINER = "\u200d"
"""Invisible, but a part of emoji."""
_INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp")
_ACTIVE = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What JSON may hold as it is, and terminals obey."""
AT_ONCE, WIDEST = 200, 80
"""Rows of a table that wait for others, so that cells stand below each other; and cells to which others are filled up."""
LONGEST = 1_000
"""Characters of what a server has said that are shown beside the output."""
_UNITS = (("d", 86_400), ("h", 3600), ("min", 60))


def console(*, errors: bool = False) -> Console:
    """The terminal, a file or a pipe. Nothing that is printed is read as markup."""
    return Console(stderr=errors, markup=False, emoji=False, highlight=False, soft_wrap=True)


def say(*parts: str | tuple[str, str]) -> None:
    """Print a line; a part may come with its style, as (text, style). Control characters are shown, not sent."""
    known = [(part, "") if isinstance(part, str) else part for part in parts]
    _print(sys.stdout, console(), Text.assemble(*((_safe_lines(text), style) for text, style in known)))


def note(text: str) -> None:
    """Print a line beside the output: what is wrong, or going on. It may be what a server has said."""
    _print(sys.stderr, console(errors=True), Text(_safe_lines(short(text))))


def _print(stream: TextIO, terminal: Console, text: Text) -> None:
    # Written by ourselves, since rich ends the program where nobody reads any more.
    with terminal.capture() as written:
        terminal.print(text)
    stream.write(written.get())
    stream.flush()


def say_json(value: Any) -> None:
    """Print a value as one line of JSON."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (ValueError, RecursionError):
        raise Nonsense("what has come is no JSON, or nested too deeply to be written as such") from None
    write_json(text)
    sys.stdout.flush()


def write_json(text: str) -> None:
    """Write a line that is JSON. What would do something to a terminal is escaped, so it means the same."""
    sys.stdout.write(_ACTIVE.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n")


def short(text: str) -> str:
    """What others have said, in a length that people read."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"


def _safe_lines(text: str) -> str:
    return "\n".join(safe(line) for line in text.split("\n"))


def safe(text: str) -> str:
    """What others have written, in one line that does nothing to a terminal: control characters are shown, not sent."""
    return "".join(_visible(sign) for sign in text)


def _visible(sign: str) -> str:
    if sign == JOINER or unicodedata.category(sign) not in _INVISIBLE:
        return sign
    return chr(0x2400 + ord(sign)) if sign < " " else "\ufffd"


class Table:
    """Rows whose cells stand below each other. It prints some at a time, so that it may have any length."""

    def __init__(self, *head: str) -> None:
        self.rows = 0
        self._head = head
        self._waiting: list[list[str]] = []
        self._widths = [0] * len(head)

    def add(self, *cells: str) -> None:
        """Add a row; a cell may be what others have written."""
        if not self.rows:
            self._waiting.append([*self._head])
        self.rows += 1
        self._waiting.append([safe(cell) for cell in cells])
        if len(self._waiting) > AT_ONCE:
            self.end()

    def end(self) -> None:
        """Print what waits."""
        columns = zip(self._widths, *self._waiting, strict=True)
        self._widths = [min(max([width, *map(cell_len, cells)]), WIDEST) for width, *cells in columns]
        for row in self._waiting:
            say(_line(row, self._widths))
        self._waiting.clear()


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)]
    return "  ".join(padded).rstrip()


def when(timestamp: object) -> str:
    """A time of today, or a date and a time, in the time zone of this machine; a question mark for what is no time."""
    try:
        then, today = time.localtime(timestamp), time.localtime()  # type: ignore[arg-type] # a server may say anything
    except (TypeError, ValueError, OverflowError, OSError):
        return "?"
    same_day = then[:3] == today[:3]
    return time.strftime("%H:%M:%S" if same_day else "%Y-%m-%d %H:%M:%S", then)


def span(seconds: float) -> str:
    """How long something takes, in words: "3 h 20 min"."""
    left, words = round(abs(seconds)), list[str]()
    for unit, size in _UNITS:
        if left >= size:
            words.append(f"{left // size} {unit}")
            left %= size
    if not words:
        return f"{abs(seconds):.1f} s" if abs(seconds) < 10 else f"{left} s"
    return " ".join(words[:2])
