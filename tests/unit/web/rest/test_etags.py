"""Tags of what was read, and the headers that compare them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sanic_chatrooms.web.rest.etags import etag_of, is_known, matches

MESSAGE = {"seq": 4, "changed": 7, "type": "message", "payload": {"text": "hi"}}
ROOM = {"title": "Club", "visibility": "public", "members": 2, "online": 1}


def tag(type: str, value: dict[str, Any]) -> str:
    return etag_of(type, json.dumps(value).encode())


def test_the_same_body_has_the_same_tag_and_another_one_another() -> None:
    assert tag("rooms", ROOM) == tag("rooms", ROOM) != tag("rooms", MESSAGE)


@pytest.mark.parametrize("header", ["{}", "W/{}", '"other", {}', '"other",W/{} , "more"', "*"])
def test_a_tag_is_known_in_a_list_and_if_it_is_weak(header: str) -> None:
    known = tag("rooms", ROOM)

    assert is_known(header.format(known), known)


@pytest.mark.parametrize("header", [None, "", '"other"', "nonsense", "W/"])
def test_another_tag_is_not_known(header: str | None) -> None:
    assert not is_known(header, tag("rooms", ROOM))


def test_a_reaction_changes_the_tag_and_not_the_version() -> None:
    before, after = tag("thread", MESSAGE), tag("thread", {**MESSAGE, "reactions": {":tada:": {"count": 1}}})

    assert not is_known(before, after)
    assert matches(before, after)


@pytest.mark.parametrize("change", [{"changed": 8}, {"seq": 5}])
def test_an_edit_changes_the_version(change: dict[str, int]) -> None:
    assert not matches(tag("thread", MESSAGE), tag("thread", {**MESSAGE, **change}))


def test_the_version_of_a_room_is_that_of_its_properties() -> None:
    assert matches(tag("room", ROOM), tag("room", {**ROOM, "online": 9, "members": 3}))
    assert not matches(tag("room", ROOM), tag("room", {**ROOM, "title": "The Club"}))


def test_a_weak_tag_matches_nothing_and_a_star_everything() -> None:
    assert not matches(f"W/{tag('room', ROOM)}", tag("room", ROOM))
    assert matches("*", tag("room", ROOM))
