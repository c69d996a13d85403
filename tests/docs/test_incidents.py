"""The pages for operators name alerts, metrics and log lines that there are, and alerts lead to their sections."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from sanic_chatrooms.observe.instruments import INSTRUMENTS
from tests.docs.test_snippets import anchors, blocks_of

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "howto" / "incidents.md"
PAGES = [
    ROOT / "docs" / name
    for name in ("howto/incidents.md", "howto/rolling-updates.md", "explanation/capacity.md")
]
ALERTS = [
    rule
    for group in yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
SERVED = "https://docs.example/howto/incidents.html#"


def section(anchor: str) -> str:
    """The text of a section, by its anchor."""
    parts = re.split(r"^## (.+)$", PAGE.read_text(), flags=re.MULTILINE)
    found = {
        title.lower().replace(" ", "-"): text for title, text in zip(parts[1::2], parts[2::2], strict=True)
    }
    return found[anchor]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_leads_to_a_section_that_names_it(alert: dict[str, dict[str, str]]) -> None:
    url = alert["annotations"]["runbook_url"]

    assert url.startswith(SERVED)
    assert f"`{alert['alert']}`" in section(url.removeprefix(SERVED))


def test_the_page_names_no_alert_that_is_none() -> None:
    named = set(re.findall(r"`(Chat[A-Z]\w+)`", PAGE.read_text())) - {"ChatRooms", "ChatClient"}

    assert named == {rule["alert"] for rule in ALERTS}


@pytest.mark.parametrize("anchor", sorted(anchors(PAGE) - {"incidents-by-symptom"}))
def test_a_section_says_what_is_seen_why_and_what_to_do(anchor: str) -> None:
    text = section(anchor)

    assert "**What you see.**" in text
    assert re.search(r"\*\*Why(\.|, and what to do\.)\*\*", text)
    assert re.search(r"what to do", text, re.IGNORECASE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_metrics_that_a_page_names_are_there(page: Path) -> None:
    named = set(re.findall(r"\bchatrooms_\w+\b", page.read_text()))

    assert len(named) > 0
    assert named - {"chatrooms_"} <= {f"chatrooms_{one.name}" for one in INSTRUMENTS}


# ---- lines of the log ----


def messages() -> Iterator[str]:
    """What the package logs, with the signs for values."""
    for path in (ROOT / "sanic_chatrooms").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                first = node.args[0]
                if (
                    node.func.attr in LEVELS
                    and isinstance(first, ast.Constant)
                    and isinstance(first.value, str)
                ):
                    yield first.value


@functools.cache
def logged() -> list[str]:
    """The same, as patterns."""
    return [".*".join(map(re.escape, re.split(r"%[.\d]*[a-z]", text))) for text in messages()]


LEVELS = ("debug", "info", "warning", "error", "exception", "critical")
LOGGERS = set(
    re.findall(
        r'getLogger\("(.+?)"\)',
        "".join(path.read_text() for path in (ROOT / "sanic_chatrooms").rglob("*.py")),
    )
)
LINES = [
    line
    for block in blocks_of(PAGE)
    if block.language == "text"
    for line in block.text.splitlines()
    if line.startswith("sanic_chatrooms.")
]


def test_there_are_lines() -> None:
    assert len(LINES) > 8
    assert len(logged()) > 50


@pytest.mark.parametrize("line", LINES)
def test_a_line_of_the_log_is_one_that_is_logged(line: str) -> None:
    logger, _, text = line.partition(": ")

    assert logger in LOGGERS
    assert any(re.fullmatch(pattern, text) for pattern in logged())


SOURCE = "".join(path.read_text() for path in (ROOT / "sanic_chatrooms").rglob("*.py"))


@pytest.mark.parametrize(
    "reason",
    re.findall(r"`([a-z ]+)`", section("gaps-or-resets-rise").partition("| Cause |")[2].partition("\n\n")[0]),
)
def test_a_reason_for_a_reset_is_one(reason: str) -> None:
    assert f'"{reason}"' in SOURCE
