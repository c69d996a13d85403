"""Users who do everything that a chat has, on two workers (tests/support/together_play.py), driven long over each store: what each
connection has made of its events, what recovery and a fresh join show, what is unread and mentioned, and what the oracle says, are the
same.
"""

from __future__ import annotations

import secrets

from tests.soak.access import Make, making
from tests.soak.runs import Progress, Verdict, main
from tests.support.together_play import play

STORES = ("memory", "SQLite", "PostgreSQL", "Valkey")
OPERATIONS = 10_000
"""Over each store."""
PORTION = 250
LEAST = 30
SHORT = 0.001
FOUND = 3


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict = Verdict()
    for store in STORES:
        async with making(store) as make:
            await _drive(store, make, max(LEAST, int(OPERATIONS * scale)), verdict, progress)
    return verdict


async def _drive(store: str, make: Make, operations: int, verdict: Verdict, progress: Progress) -> None:
    wrong: list[str] = []
    done = 0
    while done < operations and len(wrong) < FOUND:
        portion, number = min(PORTION, operations - done), secrets.randbelow(2**32) or 1
        try:
            await play(make(), steps=portion, number=number)
        except Exception as exc:  # noqa: BLE001 - the finding, with the steps that lead to it
            wrong.append("\n".join([f"over {store}, {number}", repr(exc), *getattr(exc, "__notes__", [])]))
        done += portion
        progress(done / operations, f"{done:,} operations over {store}")
    verdict.wrong += wrong
    verdict.figures[f"operations over {store}"] = f"{done:,}; differences: {len(wrong)}"


if __name__ == "__main__":
    main(soak)
