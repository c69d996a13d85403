"""The table of what Sanic and websockets do not document has everything that is used. tests/integration/test_capability.py
takes the names away."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import sanic_chatrooms.web
from sanic_chatrooms.web.sanic_contract import INSTEAD, NEEDS

WEB = Path(sanic_chatrooms.web.__file__).parent
SOURCES = [path for path in sorted(WEB.rglob("*.py")) if path.name != "sanic_contract.py"]
# By how a variable of the code is called: whose attributes it has, in the table's words.
OWNERS = {
    "_ws": "websocket",
    "ws": "websocket",
    "_io": "connection",
    "io": "connection",
    "manager": "manager",
    "_manager": "manager",
    "process": "process",
    "stream": "http",
}
DOCUMENTED = {"websocket": {"recv", "send", "ping", "close"}}


def used(path: Path) -> Iterator[tuple[str, str]]:
    """Owner and name of every attribute of Sanic's that a module reads or writes."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute):
            owner, name = node.value, node.attr
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("getattr", "hasattr")
            and isinstance(node.args[1], ast.Constant)
        ):
            owner, name = node.args[0], str(node.args[1].value)
        else:
            continue
        called = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
        if called in OWNERS:
            yield OWNERS[called], name


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_every_name_that_is_used_stands_in_the_table(path: Path) -> None:
    known = {(owner, name) for needs in NEEDS.values() for owner, names in needs.items() for name in names}
    known |= {(owner, name) for owner, names in DOCUMENTED.items() for name in names}

    assert set(used(path)) - known == set()


def test_the_source_is_read() -> None:
    assert len({use for path in SOURCES for use in used(path)}) > 25


@pytest.mark.parametrize("capability", NEEDS)
def test_every_capability_says_what_happens_without_it(capability: str) -> None:
    assert INSTEAD[capability]
