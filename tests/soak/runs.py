"""What all long runs share: a verdict, progress on the terminal, an exit status."""

from __future__ import annotations

import argparse
import asyncio
import functools
import importlib
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["Progress", "Soak", "Verdict", "main", "modules", "quiet"]

Progress = Callable[[float, str], None]
"""Told now and then how much is done, 0 to 1, and of what."""


@dataclass
class Verdict:
    """What a run found; nothing in `wrong` and `slow` means that it passed."""

    wrong: list[str] = field(default_factory=list)
    """What must not happen at any length."""
    slow: list[str] = field(default_factory=list)
    """What the clock says is too slow; judged at full length only, since short runs measure noise."""
    figures: dict[str, Any] = field(default_factory=dict)
    """What was measured."""


Soak = Callable[[float, Progress], Awaitable[Verdict]]


def quiet(done: float, what: str) -> None:
    """Progress for who does not watch."""


def modules() -> list[str]:
    """The names of all runs. None is loaded: that takes seconds, in each process that collects tests."""
    files = Path(__file__).parent.glob("*.py")
    return sorted(file.stem for file in files if "\nasync def soak(" in file.read_text())


def load(name: str) -> ModuleType:
    return importlib.import_module(f"tests.soak.{name}")


def main(soak: Callable[..., Awaitable[Verdict]], parts: Sequence[str] = ()) -> None:
    """Run it as a program: progress, figures, a verdict; exit status 0 if it passed.

    `parts`: what it measures, if it takes `only`: those of them that somebody asks for.
    """
    parser = argparse.ArgumentParser(description=sys.modules[soak.__module__].__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full length; default 1")
    if parts:
        parser.add_argument("--only", nargs="+", choices=parts, default=parts, help="measure only this")
    given = parser.parse_args()
    scale = given.scale
    if parts:
        soak = functools.partial(soak, only=given.only)
    began = time.monotonic()
    verdict = asyncio.run(_watched(soak, scale))
    for name, value in verdict.figures.items():
        print(f"  {name}: {value}")
    for finding in verdict.wrong:
        print(f"  WRONG: {finding}")
    for finding in verdict.slow:
        print(f"  TOO SLOW{'' if scale >= 1 else ' (not judged at this length)'}: {finding}")
    failed = bool(verdict.wrong or (verdict.slow and scale >= 1))
    print(f"{'FAILED' if failed else 'PASSED'} after {time.monotonic() - began:.0f} s at scale {scale:g}")
    sys.exit(1 if failed else 0)


async def _watched(soak: Soak, scale: float) -> Verdict:
    return await soak(scale, _Line())


class _Line:
    """One line that is written over; one line per tenth where nobody watches."""

    def __init__(self) -> None:
        self._tenth = -1

    def __call__(self, done: float, what: str) -> None:
        if sys.stdout.isatty():
            print(f"\r{done:5.0%} {what:<70}", end="\n" if done >= 1 else "", flush=True)
        elif int(done * 10) != self._tenth:
            self._tenth = int(done * 10)
            print(f"{done:5.0%} {what}", flush=True)
