"""The reference has a place for every public name, and says what each is."""

from __future__ import annotations

import importlib
import inspect
import re
from collections import Counter

import pytest

import sanic_chatrooms
from sanic_chatrooms import client, testing
from sanic_chatrooms.web.assets import FOLDER
from tests.docs.test_snippets import DOCS

PLACED = Counter(
    name
    for page in sorted((DOCS / "reference" / "api").glob("*.md"))
    for name in re.findall(r"^::: (\S+)$", page.read_text(), re.MULTILINE)
)
PUBLIC = [
    *(f"sanic_chatrooms.{name}" for name in {*sanic_chatrooms.__all__, *sanic_chatrooms._MODULES}),
    *(f"sanic_chatrooms.testing.{name}" for name in testing.__all__),
    *(f"sanic_chatrooms.client.{name}" for name in client.__all__),
]
DESCRIBED = sorted(set(PUBLIC) - {"sanic_chatrooms.__version__"})


def test_every_public_name_has_one_place_in_the_reference() -> None:
    assert sorted(PLACED.elements()) == DESCRIBED


@pytest.mark.parametrize("name", DESCRIBED)
def test_every_public_name_says_what_it_is(name: str) -> None:
    module, _, attribute = name.rpartition(".")
    thing = getattr(importlib.import_module(module), attribute)

    assert inspect.getdoc(thing)


# ---- the JavaScript client ----

TYPES = (FOLDER / "client.d.ts").read_text()
CLIENT_PAGE = (DOCS / "reference" / "javascript-client.md").read_text()


def declared(start: str) -> list[str]:
    """The names of the members that `client.d.ts` declares in one block."""
    [block] = re.findall(
        rf"^export (?:interface|class) {start}[^\n]*\{{\n(.*?)^\}}", TYPES, re.MULTILINE | re.DOTALL
    )
    names = re.findall(r"^  (?:readonly )?\"?(\w+)\"?[?<(:]", block, re.MULTILINE)
    return sorted(set(names) - {"constructor"})


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (kind, name)
        for kind in ("Options", "ChatRooms", "ClientEvents", "ChatError")
        for name in declared(kind)
    ],
)
def test_every_option_method_and_event_of_the_client_is_listed(kind: str, name: str) -> None:
    assert re.search(rf"`{name}\b", CLIENT_PAGE)


def test_the_client_has_members() -> None:
    assert {"join", "outbox", "request", "state"} <= set(declared("ChatRooms"))
    assert {"url", "backoff"} <= set(declared("Options"))
