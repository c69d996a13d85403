"""The model of two workers (tests/support/model.py), driven long, over the store that SOAK_STORE names."""

from __future__ import annotations

import asyncio
import os

from sanic_chatrooms.backends import make_store
from sanic_chatrooms.stores.base import Store
from tests.soak.runs import Progress, Verdict, main
from tests.support.model import ChatModel, explore

RUNS = 500
STEPS = 50
SHORT = 0.002
PORTION = 50


class OverStore(ChatModel):
    @staticmethod
    def make() -> Store:
        return make_store(os.environ.get("SOAK_STORE", "memory:"))


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict, total, done = Verdict(), max(1, int(RUNS * scale)), 0
    while done < total and not verdict.wrong:
        portion = min(PORTION, total - done)
        try:
            # In a thread: it runs loops of its own.
            await asyncio.to_thread(explore, OverStore, examples=portion, steps=STEPS)
        except Exception as exc:  # noqa: BLE001 - the finding, with the steps that lead to it
            verdict.wrong.append("\n".join([repr(exc), *getattr(exc, "__notes__", [])]))
        done += portion
        progress(done / total, f"{done:,} runs of up to {STEPS} steps")
    verdict.figures = {"runs": done}
    return verdict


if __name__ == "__main__":
    main(soak)
