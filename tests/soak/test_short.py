"""Every long run, for a moment: the same code, so that it works on the day when it is run for long.

The clock is not asked: what is too slow shows at full length only.
"""

from __future__ import annotations

import pytest

from tests.soak.runs import load, modules, quiet
from tests.support.thorough import unless_thorough

DEAR = {"page", "rates", "streams", "redis_fleet", "access", "model", "followed", "last_event", "revocation"}
"""Even short they take 15 to 40 seconds each. Tests elsewhere do the same things once; these are for `THOROUGH`."""


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", unless_thorough([name for name in modules() if name not in DEAR], modules()))
async def test_short_of_a_long_run_finds_nothing_wrong(name: str) -> None:
    module = load(name)

    verdict = await module.soak(module.SHORT, quiet)

    assert verdict.wrong == []
