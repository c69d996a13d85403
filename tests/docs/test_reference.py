"""The reference has a place for every public name, and says what each is."""

from __future__ import annotations

import importlib
import inspect
import re
from collections import Counter

import pytest

import sanic_chatrooms
from sanic_chatrooms import testing
from tests.docs.test_snippets import DOCS

PLACED = Counter(
    name
    for page in sorted((DOCS / "reference" / "api").glob("*.md"))
    for name in re.findall(r"^::: (\S+)$", page.read_text(), re.MULTILINE)
)
PUBLIC = [
    *(f"sanic_chatrooms.{name}" for name in [*sanic_chatrooms.__all__, *sanic_chatrooms._LAZY]),
    *(f"sanic_chatrooms.testing.{name}" for name in testing.__all__),
]
DESCRIBED = sorted(set(PUBLIC) - {"sanic_chatrooms.__version__"})


def test_every_public_name_has_one_place_in_the_reference() -> None:
    assert sorted(PLACED.elements()) == DESCRIBED


@pytest.mark.parametrize("name", DESCRIBED)
def test_every_public_name_says_what_it_is(name: str) -> None:
    module, _, attribute = name.rpartition(".")
    thing = getattr(importlib.import_module(module), attribute)

    assert inspect.getdoc(thing)
