"""The types of the JavaScript client say what the structs of the server say."""

from __future__ import annotations

import re

import msgspec

from sanic_chatrooms.verbs.described import DURABLE, Shown, live_events
from sanic_chatrooms.verbs.table import commands, events
from scripts.client_types import TYPES, made_anew

TEXT = TYPES.read_text()


def test_the_region_is_what_the_structs_make_of_it() -> None:
    assert made_anew(TEXT) == TEXT, "run `python scripts/client_types.py`"


def test_all_commands_and_events_have_types() -> None:
    named = set(re.findall(r'^  "([\w.]+)": ', TEXT, re.MULTILINE))

    assert named >= {*commands(), *events(), *live_events()}
    assert set(DURABLE) == events()


def test_an_envelope_has_the_fields_of_a_message() -> None:
    (envelope,) = re.findall(r"export interface Envelope<.*?\n}\n", TEXT, re.DOTALL)
    named = set(re.findall(r"^  (\w+)\??: ", envelope, re.MULTILINE))

    assert named == {field.encode_name for field in msgspec.structs.fields(Shown)}
