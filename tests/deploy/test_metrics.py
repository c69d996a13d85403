"""The dashboard and the alerts ask for metrics that there are, by labels and values that they have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
import yaml

from sanic_chatrooms import errors
from sanic_chatrooms.observe.instruments import CLOSED, COMMANDS, INSTRUMENTS
from sanic_chatrooms.observe.meter import Histogram
from sanic_chatrooms.wire.codes import CloseCode
from tests.support.deployed import DEPLOY, ROOT

TABLE = (ROOT / "docs" / "reference" / "metrics.md").read_text()
LABELS = {
    name: set(re.findall(r"`(\w+)`", labels))
    for name, labels in re.findall(r"^\| `(chatrooms_\w+)` \| \w+ \| (.*?) \|", TABLE, re.MULTILINE)
}
SUFFIXES = "|".join(("bucket", "sum", "count"))
OURS_TO_ADD = {"instance", "le", "job"}  # Prometheus' own
CODES = {one.code for one in vars(errors).values() if isinstance(one, type) and hasattr(one, "code")}


def expressions() -> Iterator[tuple[str, str]]:
    for panel in json.loads((DEPLOY / "grafana" / "chat.json").read_text())["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for group in yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]


ASKED = list(expressions())


def names_in(expression: str) -> set[str]:
    return {re.sub(rf"_({SUFFIXES})$", "", name) for name in re.findall(r"chatrooms_\w+", expression)}


def test_the_table_has_every_instrument() -> None:
    assert {f"chatrooms_{one.name}": set(getattr(one, "labels", ())) for one in INSTRUMENTS} == LABELS
    assert len(LABELS) >= 30


@pytest.mark.parametrize(("where", "expression"), ASKED, ids=[where for where, _ in ASKED])
def test_an_expression_asks_for_what_there_is(where: str, expression: str) -> None:
    names = names_in(expression)
    histograms = {f"chatrooms_{one.name}" for one in INSTRUMENTS if isinstance(one, Histogram)}

    assert names <= LABELS.keys()
    for name in re.findall(rf"(chatrooms_\w+)_(?:{SUFFIXES})\b", expression):
        assert name in histograms
    labels = {
        *re.findall(r'(\w+)=~?"', expression),
        *re.findall(r"\w+", " ".join(re.findall(r"by \((.*?)\)", expression))),
    }
    assert labels <= OURS_TO_ADD.union(*(LABELS[name] for name in names))
    if names:
        assert expression.count("(") == expression.count(")")


def test_expressions_ask_for_values_that_there_are() -> None:
    text = " ".join(expression for _, expression in ASKED)
    codes = {code for found in re.findall(r'code=~?"(.+?)"', text) for code in found.split("|")}
    results = set(re.findall(r'result!?="(.+?)"', text))

    assert codes - CODES <= {str(int(code)) for code in CloseCode}
    assert results <= CODES | {"ok"}
    assert {"code", "result"} <= {*CLOSED.labels, *COMMANDS.labels}


def test_the_dashboard_shows_every_instrument() -> None:
    dashboard = (DEPLOY / "grafana" / "chat.json").read_text()

    assert LABELS.keys() - names_in(dashboard) == set()


def test_counters_are_asked_for_their_rate() -> None:
    for where, expression in ASKED:
        for name in re.findall(r"chatrooms_\w+_total", expression):
            assert re.search(rf"(rate|increase)\({name}\b", expression), where


def test_an_alert_says_what_it_means() -> None:
    for group in yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in ("warning", "critical")
            assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
            used = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
            assert used <= OURS_TO_ADD.union(*(LABELS[name] for name in names_in(rule["expr"])))
