"""The description of the wire: whole, in every reference, and a valid AsyncAPI 3 document."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from sanic_chatrooms.verbs.described import live_events
from sanic_chatrooms.verbs.table import commands, events
from sanic_chatrooms.web.asyncapi import document
from tests.support.npm import MODULES, install
from tests.support.references import references

DOCUMENT = document("/chat", "chat.example", secure=True)


def at(reference: str) -> Any:
    place: Any = DOCUMENT
    for name in reference.removeprefix("#/").split("/"):
        place = place[name]
    return place


def test_its_version_is_that_of_the_package() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]

    assert DOCUMENT["info"]["version"] == project["version"]


def test_every_command_answer_and_event_is_described() -> None:
    named = set(DOCUMENT["components"]["messages"])

    assert named >= {f"command.{type}" for type in commands()}
    assert named >= {f"event.{type}" for type in {*events(), *live_events()}}
    assert len([name for name in named if name.startswith(("ack.", "pong."))]) == len(commands())
    assert set(DOCUMENT["operations"]) == {*commands(), "events"}


def test_every_reference_leads_somewhere() -> None:
    for reference in set(references(DOCUMENT)):
        assert at(reference)


def test_features_that_are_missing_are_left_out() -> None:
    without = document("/chat", "chat.example", secure=False, missing=frozenset(("search",)))

    assert "search" not in without["operations"]
    assert without["servers"]["here"] == {"host": "chat.example", "protocol": "ws"}


def test_names_are_those_that_asyncapi_allows() -> None:
    names = [name for kind in DOCUMENT["components"].values() for name in kind]

    assert [name for name in names if not re.fullmatch(r"[\w.-]+", name)] == []


@pytest.mark.timeout(300)  # the tools may have to come first
def test_it_is_valid_asyncapi_3() -> None:
    install()
    schema = json.loads((MODULES / "@asyncapi" / "specs" / "schemas" / "3.0.0.json").read_text())

    problems = jsonschema_rs.validator_for(schema).iter_errors(DOCUMENT)
    assert [f"{list(problem.instance_path)}: {problem.message[:200]}" for problem in problems] == []
