"""Two workers and their clients do what a small model does, over the store in memory and over SQLite."""

from __future__ import annotations

from pathlib import Path

import pytest

from sanic_chatrooms import MemoryStore
from sanic_chatrooms.stores.base import Store
from sanic_chatrooms.stores.sql.store import SQLStore
from tests.support.model import ChatModel, explore


class OverMemory(ChatModel):
    make = MemoryStore


def test_everybody_sees_what_was_said_whatever_happens() -> None:
    explore(OverMemory, examples=12, steps=30)


def test_the_same_number_makes_the_same_run_again() -> None:
    first, again, other = (logs_of(number) for number in (7, 7, 8))

    assert first == again
    assert first != other


def logs_of(number: int) -> list[list[tuple[str, str, str]]]:
    logs: list[list[tuple[str, str, str]]] = []

    class Logged(OverMemory):
        def teardown(self) -> None:
            logs.extend(list(room.log) for room in self.rooms.values())
            super().teardown()

    explore(Logged, examples=3, steps=12, number=number)
    return logs


def test_a_failure_tells_how_to_see_it_again() -> None:
    class Failing(OverMemory):
        def teardown(self) -> None:
            super().teardown()
            raise AssertionError("found something")

    with pytest.raises(AssertionError) as failure:
        explore(Failing, examples=1, steps=1, number=7)

    assert "the same again: MODEL_SEED=7" in failure.value.__notes__


def test_everybody_sees_what_was_said_over_a_file_of_sqlite(tmp_path: Path) -> None:
    class OverSQLite(ChatModel):
        @staticmethod
        def make() -> Store:
            return SQLStore(f"sqlite:///{tmp_path}/chat.db")

    explore(OverSQLite, examples=5, steps=20)
