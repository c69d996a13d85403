"""The benchmark of disks runs on every system."""

from __future__ import annotations

import pytest

from benchmarks.disk import SYSTEMS, measure
from tests.support.thorough import unless_thorough


@pytest.mark.parametrize("system", unless_thorough(("sqlite", "valkey"), SYSTEMS))
async def test_messages_take_room(system: str) -> None:
    found = await measure(system, 200)

    assert set(found) <= {"disk", "memory"}
    assert found["disk"] >= 0
