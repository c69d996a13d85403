"""Whatever happened in a room, what is unread and who is mentioned is what a simple account of it says. `tests.soak.counts` goes on
for longer, over every store."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from sanic_chatrooms import ChatRooms
from sanic_chatrooms.testing.connections import running_core
from tests.support.unread_oracle import HISTORY_MAX, UnreadOracle


@pytest.mark.parametrize("store", ["memory", "sqlite"])
@pytest.mark.parametrize("seed", range(2))
async def test_counts_are_those_of_the_account(store: str, seed: int, tmp_path: Any) -> None:
    url = "memory:" if store == "memory" else f"sqlite:///{tmp_path}/chat.db"
    rooms = ChatRooms("test", guests=True, store=url, history_max=HISTORY_MAX, rate_limits=False)
    async with running_core(rooms) as chat:
        oracle = UnreadOracle(rooms, chat, Random(seed))
        await oracle.begin()
        done = []
        for _ in range(250):
            done.append(await oracle.step())
            if len(done) % 10 == 0:
                assert not await oracle.differences(), done[-10:]
