"""Locks by name."""

from __future__ import annotations

import gc

from sanic_chatrooms.support.locks import Locks


async def test_a_name_has_one_lock_for_as_long_as_somebody_needs_it() -> None:
    locks = Locks()
    mine = locks.of("general")

    async with mine:
        assert locks.of("general") is mine
        assert locks.of("team") is not mine
        assert locks.of("general").locked()

    del mine
    gc.collect()
    assert len(locks) == 0
