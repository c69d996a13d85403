"""What failed in the whole run gets one more run, alone, and says so: `scripts/test-once-more`."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.process import ROOT

FAILS_ONCE = """
import pathlib
import pytest

@pytest.mark.parametrize("number", range({number}))
def test_it(number):
    ran = pathlib.Path(__file__).with_name(f"ran-{{number}}")
    before = ran.exists()
    ran.touch()
    assert before and {again}
"""


@pytest.mark.parametrize(
    ("number", "again", "passes"),
    [(3, True, True), (4, True, False), (1, False, False), (0, True, False)],
    ids=["three", "four", "one-that-fails-again", "none"],
)
def test_up_to_three_tests_pass_at_their_second_run(
    tmp_path: Path, number: int, again: bool, passes: bool
) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "test-once-more").write_bytes((ROOT / "scripts" / "test-once-more").read_bytes())
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / ".cache/pytest/v/cache").mkdir(parents=True)
    (tmp_path / ".cache/pytest/v/cache/lastfailed").write_text("{}")
    (tmp_path / "pytest.ini").write_text("[pytest]\ncache_dir = .cache/pytest\n")
    (tmp_path / "test_one.py").write_text(FAILS_ONCE.format(number=number, again=again))

    subprocess.run([sys.executable, "-m", "pytest", "-q"], cwd=tmp_path, check=False, capture_output=True)
    done = subprocess.run(
        ["sh", "scripts/test-once-more"], cwd=tmp_path, check=False, capture_output=True, text=True
    )

    assert (done.returncode == 0) is passes, done
    assert done.stdout.count("PASSED ALONE: test_one.py::test_it[") == (number if passes else 0)
