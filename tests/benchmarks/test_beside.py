"""Servers are compared in the same cases; what is missing is said."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from benchmarks import beside as module
from benchmarks.beside import CASES, Beside, Figure, beside
from benchmarks.peers import BUN, OURS
from benchmarks.report import Results, machine, write
from tests.benchmarks.test_benchmarks import needs_a_compiler
from tests.support.thorough import only_thorough


@needs_a_compiler
@only_thorough  # it starts three servers; `test_benchmarks.py` starts one and measures it by the same generator
def test_a_short_round_measures_each_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUIET", {"quiet": (2, 200), "small": (10, 200)})
    monkeypatch.setattr(module, "LEAST", 20)
    monkeypatch.setattr(module, "SETTLES", 0.1)
    lines: list[str] = []

    found = beside(lines.append, rounds=1, seconds=0.3, arrive=20, peers=(OURS,))

    assert len(lines) == len(CASES)
    assert [(one.peer, one.case) for one in found.figures] == [(OURS.name, case) for case in CASES]
    assert all(one.rounds and one.median > 0 for one in found.figures), found.figures


def test_ratios_are_above_one_where_ours_does_better(tmp_path: Path) -> None:
    figures = [
        Figure(OURS.name, "quiet", [2.0, 4.0, 3.0]),
        Figure(BUN.name, "quiet", [6.0]),
        Figure(OURS.name, "arrive", [100.0]),
        Figure(BUN.name, "arrive", [400.0]),
        Figure("Centrifugo", "arrive", missing="no Go"),
    ]

    found = Beside(figures)
    page, *_ = write(Results(machine(), 1, 1.0, beside=found), tmp_path)

    assert found.ratio(BUN.name, "quiet") == 2.0  # less is better
    assert found.ratio(BUN.name, "arrive") == 0.25
    assert found.ratio("Centrifugo", "arrive") is None
    assert "Left out: Centrifugo: no Go" in page.read_text()
    read = msgspec.json.decode((tmp_path / "latest.json").read_bytes(), type=Results)
    assert read.beside == found
