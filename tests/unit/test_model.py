"""Two workers and their clients do what a small model does, over the store in memory and over SQLite."""

from __future__ import annotations

from pathlib import Path

from sanic_chatrooms import MemoryStore
from sanic_chatrooms.stores.base import Store
from sanic_chatrooms.stores.sql.store import SQLStore
from tests.support.model import ChatModel, explore


class OverMemory(ChatModel):
    make = MemoryStore


def test_everybody_sees_what_was_said_whatever_happens() -> None:
    explore(OverMemory, examples=12, steps=30)


def test_everybody_sees_what_was_said_over_a_file_of_sqlite(tmp_path: Path) -> None:
    class OverSQLite(ChatModel):
        @staticmethod
        def make() -> Store:
            return SQLStore(f"sqlite:///{tmp_path}/chat.db")

    explore(OverSQLite, examples=5, steps=20)
