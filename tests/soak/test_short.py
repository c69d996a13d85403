"""Every long run, for a moment: the same code, so that it works on the day when it is run for long.

The clock is not asked: what is too slow shows at full length only.
"""

from __future__ import annotations

import pytest

from tests.soak.runs import load, modules, quiet
from tests.support.thorough import unless_thorough

DEAR = {"page", "rates"}
"""They measure more than they prove, and take half a minute of both cores."""


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", unless_thorough([name for name in modules() if name not in DEAR], modules()))
async def test_short_of_a_long_run_finds_nothing_wrong(name: str) -> None:
    module = load(name)

    verdict = await module.soak(module.SHORT, quiet)

    assert verdict.wrong == []
