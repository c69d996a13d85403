"""The table of threats names for each row a test that exists, or the work that brings one."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TABLE = (ROOT / "docs" / "explanation" / "security.md").read_text().partition("## Threats")[2]
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in TABLE.splitlines()
    if line.startswith("| S")
]
NAMED = re.findall(r"`([\w/.]+\.py)::(\w+)`", TABLE)


@cache
def functions_of(path: str) -> frozenset[str]:
    nodes = ast.walk(ast.parse((ROOT / path).read_text()))
    return frozenset(node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_the_table_has_all_threats_in_order() -> None:
    assert [row[0] for row in ROWS] == [f"S{number}" for number in range(1, 53)]
    assert {len(row) for row in ROWS} == {4}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_has_a_test_or_says_which_work_brings_one(row: list[str]) -> None:
    assert re.search(r"`[\w/.]+\.py::test_\w+`|\*not yet:\* \S|out of scope", row[3])


@pytest.mark.parametrize(("path", "name"), sorted(set(NAMED)))
def test_the_tests_that_it_names_exist(path: str, name: str) -> None:
    assert name in functions_of(path), f"docs/explanation/security.md names a test that {path} has not"
