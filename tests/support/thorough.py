"""Of tests that take long and nearly repeat each other, a few in each run, and all of them if `THOROUGH` is set in the environment."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TypeVar

import pytest

__all__ = ["THOROUGH", "only_thorough", "unless_thorough"]

T = TypeVar("T")
THOROUGH = bool(os.environ.get("THOROUGH"))
only_thorough = pytest.mark.skipif(
    not THOROUGH, reason="takes long, and others test nearly the same: for THOROUGH=1"
)


def unless_thorough(few: Iterable[T], everything: Iterable[T]) -> list[T]:
    """The parameters of a test in this run. Raises `ValueError` if the few are not among all."""
    chosen, known = list(few), list(everything)
    if strange := [one for one in chosen if one not in known]:
        raise ValueError(f"not among all parameters: {strange}")
    return known if THOROUGH else chosen
