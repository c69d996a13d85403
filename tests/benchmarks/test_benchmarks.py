"""The benchmarks run, count what is delivered, and write what they found. How fast that is, is not judged here."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from benchmarks.fanout import Fanout, Outcome, Scenario, fanout
from benchmarks.load import load
from benchmarks.peers import NAIVE, OURS
from benchmarks.report import Results, machine, write

SMALL = Scenario("5 members, all sending", 5, 5)

needs_a_compiler = pytest.mark.skipif(
    shutil.which("cc") is None and shutil.which("gcc") is None, reason="the load generator is a C program"
)


@needs_a_compiler
def test_one_short_round_leaves_a_result_that_can_be_read(tmp_path: Path) -> None:
    lines: list[str] = []

    found = fanout(lines.append, rounds=1, seconds=0.3, warmup=0.1, peers=(OURS, NAIVE), scenarios=(SMALL,))
    files = write(Results(machine(), 1, 0.3, found), tmp_path)

    assert [file.name for file in files] == ["latest.md", "latest.json", "latest.svg"]
    read = msgspec.json.decode((tmp_path / "latest.json").read_bytes(), type=Results)
    assert read.fanout == found
    assert len(lines) == 2
    assert all(outcome.rate > 0 and not outcome.missing for outcome in found.outcomes)


@needs_a_compiler
def test_everything_that_is_sent_is_counted_once_per_member() -> None:
    with OURS.start() as server:
        run = load(
            server, OURS.dialect, connections=4, senders=1, pace=2_000, warmup=0.1, seconds=1.0, pad=10
        )

    assert run.sent > 0
    # What is under way when the counting begins and ends is counted at one end only: a message or two, times four.
    assert abs(run.deliveries - 4 * run.sent) <= 8
    assert run.dropped == 0


def test_a_server_that_cannot_run_is_said_in_the_table(tmp_path: Path) -> None:
    missing = Outcome("Bun (uWebSockets)", "1 sender → 1,000", missing="no npm to install Bun with")
    ours = Outcome(OURS.name, "1 sender → 1,000", rate=2.0, per_cpu_second=2.0)

    page, *_ = write(Results(machine(), 1, 1.0, Fanout([ours, missing])), tmp_path)

    assert "left out: no npm to install Bun with" in page.read_text()
