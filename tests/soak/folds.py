"""Users who talk, reply, react, pin, edit and delete on two workers (tests/support/fold_play.py), driven long over each store: what each
client has made of the events, what recovery and a fresh join show, and what the model says, are the same messages.

The JavaScript client makes the same of the same events, where there is a Node.
"""

from __future__ import annotations

import asyncio
import secrets

from tests.soak.access import Make, making
from tests.soak.runs import Progress, Verdict, main
from tests.support.fold_again import fold_again
from tests.support.fold_play import play

STORES = ("memory", "SQLite", "PostgreSQL", "Valkey")
STEPS = 10_000
"""Over each store."""
PORTION = 500
SHORT = 0.01
FOUND = 3


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict = Verdict()
    for store in STORES:
        async with making(store) as make:
            await _drive(store, make, max(50, int(STEPS * scale)), verdict, progress)
    return verdict


async def _drive(store: str, make: Make, steps: int, verdict: Verdict, progress: Progress) -> None:
    wrong: list[str] = []
    done = compared = 0
    while done < steps and len(wrong) < FOUND:
        portion, number = min(PORTION, steps - done), secrets.randbelow(2**32) or 1
        try:
            cases = await play(make(), steps=portion, number=number)
            compared += await asyncio.to_thread(fold_again, cases)
        except Exception as exc:  # noqa: BLE001 - the finding, with the steps that lead to it
            wrong.append("\n".join([f"over {store}, {number}", repr(exc), *getattr(exc, "__notes__", [])]))
        done += portion
        progress(done / steps, f"{done:,} steps over {store}")
    verdict.wrong += wrong
    verdict.figures[f"steps over {store}"] = f"{done:,}; messages compared in JavaScript: {compared:,}"


if __name__ == "__main__":
    main(soak)
