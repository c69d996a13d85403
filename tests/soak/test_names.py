"""Which long runs `make soak` carries out."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

from tests.soak.__main__ import chosen
from tests.soak.runs import load, modules
from tests.support.thorough import only_thorough


def test_without_names_it_is_all_of_them() -> None:
    assert chosen([]) == modules()


def test_names_and_patterns_select() -> None:
    assert chosen(["nats_gateway"]) == ["nats_gateway"]
    assert chosen(["sqlite_t*", "joins"]) == ["joins", "sqlite_two"]


def test_a_name_that_fits_none_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match=r"there is no run nats; there are .*nats_gateway"):
        chosen(["joins", "nats"])


def test_each_can_be_loaded() -> None:
    assert [name for name in modules() if not inspect.iscoroutinefunction(load(name).soak)] == []


@only_thorough
def test_a_run_that_is_named_runs_alone_and_as_long_as_was_asked() -> None:
    command = [sys.executable, "-m", "tests.soak", "fuzz_reader", "--scale", "0.0001"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert (done.returncode, done.stderr) == (0, "")
    assert "== 1/1 fuzz_reader" in done.stdout
    assert "at scale 0.0001" in done.stdout
