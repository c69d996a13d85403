"""Events that the server makes: what the reference says of each is what it sends."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest

from sanic_chatrooms.models import Sender
from sanic_chatrooms.verbs.schema import shape
from sanic_chatrooms.wire.encode import encode, live_event
from sanic_chatrooms.wire.events import Deleted, Edited, LiveEvent, Presence, RoomAdded

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "events.md"
DOCUMENTED = dict(re.findall(r"^\| `([a-z.]+)` \| ✓? ?\| `(\{[^`]*\})`", PAGE.read_text(), re.MULTILINE))
KINDS = [kind for kind in LiveEvent.__subclasses__() if kind.type != "welcome"]  # which has a page of its own
ADA = Sender("u1", "Ada")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.type)
def test_a_live_event_has_the_shape_that_is_documented(kind: type[LiveEvent]) -> None:
    assert DOCUMENTED[kind.type] == shape(kind)


def test_an_event_has_the_type_of_its_payload() -> None:
    event = json.loads(live_event(RoomAdded("r", "e", 7, ADA), room="r"))

    assert (event["type"], event["room"]) == ("room.added", "r")
    assert event["payload"] == {"room": "r", "epoch": "e", "seq": 7, "with": {"id": "u1", "name": "Ada"}}


def test_where_many_are_present_only_their_number_is_told() -> None:
    assert encode(Presence(201)) == b'{"online":201}'
    assert json.loads(encode(Presence(1, [ADA], []))).keys() == {"online", "joined", "left"}


def test_a_change_of_a_message_names_it_and_leaves_its_number_to_the_store() -> None:
    assert encode(Deleted("m1")) == b'{"msgId":"m1","deleted":true}'
    assert encode(Edited("m1", msgspec.Raw(b'{"text": "x"}'), 1.5)) == (
        b'{"msgId":"m1","body":{"text": "x"},"edited":1.5}'
    )
