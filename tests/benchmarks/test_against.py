"""Two trees are compared figure by figure: above 1 is better, whichever way a figure counts."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from benchmarks.against import Comparison, compare
from benchmarks.tools import HERE, Missing, unpacked
from tests.benchmarks.test_benchmarks import needs_a_compiler
from tests.support.thorough import only_thorough


@needs_a_compiler
@only_thorough
def test_one_short_round_compares_a_tree_with_itself() -> None:
    lines: list[str] = []

    found = compare(lines.append, HERE.parent, HERE.parent, ["latency"], rounds=1, seconds=0.3)

    assert set(found.ratios()) == {"latency p50, ms", "latency p99, ms"}
    assert all(ratio > 0 for ratio in found.ratios().values())
    assert len(lines) == 2


def test_more_is_better_but_for_times_and_memory() -> None:
    found = Comparison()
    found.add("old", {"deliveries/CPU s": 100.0, "latency, ms": 10.0, "a connection, KiB": 30.0})
    found.add("new", {"deliveries/CPU s": 200.0, "latency, ms": 20.0, "a connection, KiB": 15.0})

    assert found.ratios() == {"deliveries/CPU s": 2.0, "latency, ms": 0.5, "a connection, KiB": 2.0}
    assert found.worse() == ["latency, ms"]
    assert [line.endswith("WORSE") for line in found.lines()] == [False, False, True, False]


def test_the_ratio_is_the_median_of_the_rounds() -> None:
    found = Comparison()
    for old, new in ((100.0, 100.0), (50.0, 100.0), (100.0, 10.0)):
        found.add("old", {"joins/CPU s": old})
        found.add("new", {"joins/CPU s": new})

    assert found.ratios() == {"joins/CPU s": 1.0}


def test_a_revision_is_unpacked_as_it_was(tmp_path: Path) -> None:
    if not (HERE.parent / ".git").exists():
        pytest.skip("this is no clone of the repository")
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True, cwd=HERE)

    tree = unpacked("HEAD", tmp_path)

    assert tree == tmp_path / head.stdout.strip()
    assert (tree / "sanic_chatrooms" / "__init__.py").exists()
    assert unpacked("HEAD", tmp_path) == tree


def test_a_revision_that_git_does_not_know_is_named(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="no-such-revision"):
        unpacked("no-such-revision", tmp_path)
