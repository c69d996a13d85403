"""Fails a test that left behind what asyncio would merely log.

"Task exception was never retrieved", "Task was destroyed but it is pending", an exception in a callback: the loop
hands all of them to its exception handler, which logs them as errors of the logger `asyncio`. Many appear only when
garbage is collected or when the loop closes, so the guard spans setup, call and teardown of a test, and collects
garbage before it looks. Warnings, coroutines that were never awaited among them, are errors by `filterwarnings`.
"""

from __future__ import annotations

import gc
import itertools
import logging
from collections.abc import Generator, Iterator

import pytest

__all__ = ["collect_garbage", "keep_collecting_cheap"]


FORGET_EVERY = 20
"""After so many tests of a module what lives on is forgotten too: an app that a test has served leaves thousands of objects."""


class _Complaints(logging.Handler):
    """Keeps the errors of one test."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        # Formatted at once: a record keeps the failed task alive, and through it whatever that task held.
        self.texts.append(logging.Formatter().format(record))


def pytest_configure() -> None:
    # Python's own limit is 700: it would look through what a test is just making a hundred times, and each test is followed by
    # a collection anyway.
    gc.set_threshold(10_000, 20, 20)


_complaints = pytest.StashKey[_Complaints]()
_asyncio_logger = logging.getLogger("asyncio")


def pytest_collection_finish() -> None:
    _forget_survivors()


@pytest.fixture(autouse=True, scope="module")
def keep_collecting_cheap() -> Iterator[None]:
    yield
    _forget_survivors()


def _forget_survivors() -> None:
    """Take what lives on out of the collector's sight, or each test after it pays for walking through it: a module that
    a test imports, or remembers much, can make every later collection take a second."""
    gc.collect()
    gc.freeze()


_since_forgotten = itertools.count(1)


@pytest.fixture(autouse=True)
def collect_garbage() -> Iterator[None]:
    """Collect after all other fixtures are gone, the event loop among them, and before pytest looks for warnings.

    Autouse fixtures of plugins are set up first and so torn down last.
    """
    yield
    gc.collect()
    if next(_since_forgotten) % FORGET_EVERY == 0:
        gc.freeze()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    handler = _Complaints()
    item.stash[_complaints] = handler
    _asyncio_logger.addHandler(handler)
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    handler = item.stash[_complaints]
    try:
        yield
    finally:
        _asyncio_logger.removeHandler(handler)
    if handler.texts:
        pytest.fail("asyncio complained:\n" + "\n".join(handler.texts), pytrace=False)
