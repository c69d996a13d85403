"""The statistic of `rates`, on figures that are known; and a flood of one class, for a moment."""

from __future__ import annotations

import random

import pytest

from tests.soak.crowd import percentile
from tests.soak.rates import SHORT, Round, judge, p99_of, ratio_of, redrawn, soak
from tests.soak.runs import Verdict, quiet


def a_round(flood: float, control: float = 1.0) -> Round:
    """Of deliveries that take up to so many milliseconds."""
    dice = random.Random(flood)
    beside, alone = (
        sorted(dice.uniform(0.0, most / 1000) for _ in range(1_000)) for most in (flood, control)
    )
    return Round(beside, alone, growth=0, unheard=0, sent=1, refused={"read": 1}, closed=0, turned_away=0)


def test_the_percentile_is_that_of_all_deliveries_together() -> None:
    rounds = [a_round(most) for most in (1.0, 1.1, 1.2, 9.0)]

    assert p99_of(rounds, "flood") == percentile([delay for one in rounds for delay in one.flood], 0.99)


def test_a_flood_that_hurts_in_less_than_half_of_the_rounds_is_too_slow() -> None:
    verdict = Verdict()

    judge("read", 0.001, [a_round(1.0)] * 6 + [a_round(5.0)] * 5, verdict)

    assert verdict.wrong == []
    assert len(verdict.slow) == 1
    assert "FAILED" in verdict.figures["read"]


def test_drawn_again_rounds_that_are_alike_give_a_narrow_interval() -> None:
    alike = [a_round(1.5 + n / 100) for n in range(11)]
    restless = [a_round(1.0)] * 9 + [a_round(9.0)] * 2

    narrow, wide = redrawn(alike), redrawn(restless)

    assert narrow[0] <= ratio_of(alike) <= narrow[-1]
    assert narrow[-1] - narrow[0] == pytest.approx(0.0, abs=0.1)
    assert wide[-1] - wide[0] > 2.0


async def test_a_flood_of_questions_is_refused_and_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOAK_RATES", "read")

    verdict = await soak(SHORT, quiet)

    assert verdict.wrong == []
    assert "read" in verdict.figures
