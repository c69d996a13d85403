"""The client and the page repeat a few rules of the server, which they need before they can ask it. Here both are compared."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import sanic_chatrooms
from sanic_chatrooms.access.standing import LEVELS
from sanic_chatrooms.auth.names import MAX_NAME
from sanic_chatrooms.config.load import load
from sanic_chatrooms.live import typing
from sanic_chatrooms.verbs import search
from sanic_chatrooms.wire.codes import CloseCode
from sanic_chatrooms.wire.names import SUBPROTOCOL, is_room_id

STATIC = Path(sanic_chatrooms.__file__).parent / "web" / "static"
SETTINGS = load("test", {}, {}, {"guests": True}, debug=False, instances=("test",))


def found(file: str, pattern: str) -> str:
    """The first group of the pattern, which is in this file."""
    match = re.search(pattern, (STATIC / file).read_text())
    assert match is not None, f"{file} has no {pattern}"
    return match[1]


@pytest.mark.parametrize(
    "room", ["general", "a" * 128, "a" * 129, "", ".", "..", "...", "a b", "ü", "a:b.c_d~e-f", "a/b", "~dm.x"]
)
def test_the_switcher_offers_the_rooms_that_may_exist_and_are_not_reserved(room: str) -> None:
    rule = re.compile(found("switcher.js", r"ROOM_ID = /(.+)/;"), re.ASCII)

    assert bool(rule.search(room)) == (is_room_id(room) and not room.startswith("~"))


def test_what_is_searched_for_may_be_as_long_as_the_server_takes_it() -> None:
    assert int(found("searching.js", r"LONGEST = (\d+);")) == search.LONGEST


def test_the_page_offers_deletion_to_the_roles_that_moderate() -> None:
    roles = re.findall(r'"(\w+)"', found("edits.js", r"MODERATORS = \[(.+)\]"))

    assert set(roles) == {role for role, level in LEVELS.items() if level >= LEVELS["moderator"]}


def test_typing_is_repeated_before_the_server_forgets_it() -> None:
    assert 2 * float(found("client.js", r"TYPING = ([\d.]+);")) <= typing.LINGER


def test_a_client_waits_longer_for_the_welcome_than_the_server_waits_for_the_token() -> None:
    assert float(found("client/link.js", r"DIAL = ([\d.]+);")) > SETTINGS.auth_timeout


def test_the_client_asks_for_the_subprotocol_of_the_server() -> None:
    assert found("client/link.js", r'\["(chatrooms[^"]+)"') == SUBPROTOCOL


@pytest.mark.parametrize(
    "file", ["sign-in.js", "belonging.js", "chat-room/name-form.js"], ids=["first", "later", "component"]
)
def test_names_may_be_as_long_as_the_server_takes_them(file: str) -> None:
    assert int(found(file, r"yourName, {[^}]*maxlength: (\d+)")) == MAX_NAME


def test_until_the_server_has_said_how_long_a_text_may_be_its_default_counts() -> None:
    assert int(found("writing.js", r"maxText = (\d+);")) == SETTINGS.max_text


def test_the_codes_after_which_a_client_waits_longer_are_those_of_overload() -> None:
    crowded = {int(code) for code in found("client/close-codes.js", r"CROWDED = \[(.+)\]").split(", ")}

    assert crowded == {CloseCode.OVERLOADED, CloseCode.SLOW_CONSUMER, CloseCode.RATE_LIMIT}
