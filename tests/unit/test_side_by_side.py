"""How files of tests are dealt out when several run side by side."""

from __future__ import annotations

import pytest

from tests.support.process import ROOT
from tests.support.side_by_side import APART, FIRST, arranged, scope_of


@pytest.mark.parametrize("path", [*APART, *FIRST])
def test_what_is_named_is_there(path: str) -> None:
    assert (ROOT / path).exists()


def test_a_file_stays_together_unless_each_of_its_tests_stands_alone() -> None:
    assert scope_of("tests/unit/test_chat.py::TestChat::test_one[a::b]") == "tests/unit/test_chat.py"
    assert scope_of(f"{APART[0]}::test_one[a]") == f"{APART[0]}::test_one[a]"


def test_long_ones_come_first_quick_ones_last_and_folders_are_mixed() -> None:
    scopes = [
        "tests/browser/a.py", "tests/browser/b.py", "tests/integration/a.py", "tests/integration/b.py",
        "tests/unit/a.py", FIRST[0],
    ]  # fmt: skip
    places = arranged(dict.fromkeys(scopes))

    assert sorted(scopes, key=places.__getitem__) == [
        FIRST[0], "tests/browser/a.py", "tests/integration/a.py", "tests/browser/b.py", "tests/integration/b.py",
        "tests/unit/a.py",
    ]  # fmt: skip
