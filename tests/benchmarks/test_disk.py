"""The benchmark of disks runs on every system."""

from __future__ import annotations

import pytest

from benchmarks.disk import SYSTEMS, measure


@pytest.mark.parametrize("system", SYSTEMS)
async def test_messages_take_room(system: str) -> None:
    found = await measure(system, 200)

    assert set(found) <= {"disk", "memory"}
    assert found["disk"] >= 0
