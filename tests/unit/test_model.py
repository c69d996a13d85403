"""Two workers and their clients do what a small model does, over the store in memory."""

from __future__ import annotations

from sanic_chatrooms import MemoryStore
from tests.support.model import ChatModel, explore


class OverMemory(ChatModel):
    make = MemoryStore


def test_everybody_sees_what_was_said_whatever_happens() -> None:
    explore(OverMemory, examples=20, steps=30)
