"""The table of commands: what is made from its rows."""

from __future__ import annotations

import pytest

from sanic_chatrooms.verbs.context import Ctx
from sanic_chatrooms.verbs.table import Judged, Needs, Nothing, command, commands, events, features
from sanic_chatrooms.wire.names import is_ours

FIRST = {
    "auth", "ping", "join", "exit", "leave", "message", "direct", "message.edit", "message.delete", "typing", "history", "members",
    "presence", "rooms", "room.create",
}  # fmt: skip
"""The commands of the first version; a feature's own tests say what holds for its rows."""


def types(**wanted: object) -> set[str]:
    return {
        type
        for type in FIRST
        if all(getattr(commands()[type], field) == value for field, value in wanted.items())
    }


def test_the_table_has_the_commands_of_every_file() -> None:
    assert commands().keys() >= FIRST


def test_a_read_only_connection_changes_nothing() -> None:
    assert types(looks=True) == {
        "auth", "ping", "join", "exit", "history", "members", "presence", "rooms",
    }  # fmt: skip


def test_a_connection_for_one_room_is_led_to_no_other() -> None:
    assert types(roams=True) == {"direct", "rooms", "room.create"}


def test_most_commands_name_a_room() -> None:
    assert types(room=Needs.NOTHING) == {"auth", "ping", "direct", "rooms"}
    assert types(room=Needs.PERHAPS) == {"room.create"}


def test_the_app_does_in_a_users_name_what_needs_no_connection() -> None:
    assert types(as_user=True) == {"message", "message.edit", "message.delete", "history", "room.create"}


def test_whatever_holds_a_body_is_judged_as_speaking() -> None:
    assert types(speaks=True) == {"message", "direct", "message.edit"}
    assert all(row.speaks for row in commands().values() if row.body is not None)


def test_the_policy_is_asked_about_everything_but_who_one_is_and_going_out() -> None:
    assert types(judged=Judged.FREE) == {"auth", "ping", "exit"}


def test_events_and_features_are_those_of_the_rows() -> None:
    assert events() >= {
        "message", "message.edited", "message.deleted", "member.joined", "member.left", "member.kicked",
    }  # fmt: skip
    assert {"direct", "edits", "history", "presence", "recovery", "typing"} <= set(features())
    assert list(features()) == sorted(features())


def test_every_type_is_one_of_the_protocols() -> None:
    assert all(is_ours(type) for type in (*commands(), *events()))


def test_two_rows_for_one_type_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="two rows for ping"):

        @command("ping")
        async def again(ctx: Ctx, ask: Nothing) -> None: ...
