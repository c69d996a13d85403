"""The questions 1 to 5, each before the next."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sanic_chatrooms.access.actions import action
from sanic_chatrooms.access.decide import Denial, first_refusal, may_reach
from sanic_chatrooms.access.scopes import Scopes, scopes_of
from sanic_chatrooms.access.standing import Restriction, Standing
from sanic_chatrooms.errors import RoomNotFound
from sanic_chatrooms.models import DIRECT, PRIVATE, PUBLIC, RESERVED, Room, User

NOW = 1_000.0
ADA = User("u1", "Ada")
STRANGER, OUTSIDER, MEMBER, MODERATOR = (
    Standing("guest", 1), Standing(), Standing("member", 10, 0), Standing("moderator", 50, 0, role_seq=4),
)  # fmt: skip
BAN, MUTE = Restriction(2_000.0, "spam", seq=7), Restriction(seq=8)
READ = scopes_of(("chat:read",))


def refusal(name: str, room: str | Room, standing: Standing, scopes: Scopes | None = None) -> Denial | None:
    where = Room("general", "e", 9, visibility=room) if isinstance(room, str) else room
    return first_refusal(action(name), ADA, scopes, where, standing, NOW)


def rule(name: str, room: str | Room, standing: Standing, scopes: Scopes | None = None) -> str:
    refused = refusal(name, room, standing, scopes)
    return "allowed" if refused is None else refused.rule


@pytest.mark.parametrize("visibility", [PRIVATE, DIRECT])
@pytest.mark.parametrize("name", ["join", "message", "leave", "explain", "message.delete.any"])
def test_1_a_hidden_room_is_none_for_everybody_else(name: str, visibility: str) -> None:
    refused = refusal(name, visibility, replace(OUTSIDER, banned=BAN), READ)

    assert refused is not None
    assert (refused.rule, refused.error.payload()) == ("unknown", RoomNotFound().payload())
    assert rule(name, RESERVED, MEMBER) == "unknown"


def test_1_the_invited_know_of_the_room_and_may_join_it() -> None:
    invited = replace(OUTSIDER, invited=True)

    assert rule("join", PRIVATE, invited) == "allowed"
    assert rule("history", PRIVATE, invited) == "need"


def test_2_a_ban_stops_everything_but_leaving_and_asking_why() -> None:
    banned = replace(MEMBER, banned=BAN)

    refused = refusal("history", PUBLIC, banned, READ)

    assert refused is not None
    assert (refused.rule, refused.error.code, refused.seq) == ("restriction", "banned", 7)
    assert refused.error.fields == {"until": 2_000.0, "reason": "spam"}
    assert rule("leave", PUBLIC, banned) == rule("explain", PUBLIC, banned) == "allowed"
    assert rule("leave", PRIVATE, banned) == rule("explain", PRIVATE, banned) == "unknown"


@pytest.mark.parametrize(
    ("name", "stopped"),
    [
        ("message", True), ("message.edit", True), ("typing", True), ("message.pin", True), ("message.unpin", True),
        ("message.delete", False), ("history", False), ("leave", False),
    ],
)  # fmt: skip
def test_2_a_mute_stops_what_puts_words_before_others(name: str, stopped: bool) -> None:
    refused = refusal(name, PUBLIC, replace(MODERATOR, muted=MUTE))

    assert (refused is not None) is stopped
    assert refused is None or (refused.error.code, refused.seq) == ("muted", 8)


@pytest.mark.parametrize("passed", [{"banned": Restriction(NOW)}, {"muted": Restriction(NOW)}])
def test_2_what_has_passed_stops_nothing(passed: dict[str, Restriction]) -> None:
    assert rule("message", PUBLIC, replace(MEMBER, **passed)) == "allowed"


@pytest.mark.parametrize(
    ("name", "stopped"),
    [
        ("message", True), ("typing", True), ("message.pin", True), ("message.edit", True),
        ("history", False), ("join", False), ("leave", False), ("message.delete", False), ("message.delete.any", False),
    ],
)  # fmt: skip
def test_2_an_archived_room_is_read_and_moderated(name: str, stopped: bool) -> None:
    archived = Room("general", "e", 9, archived=True)

    refused = refusal(name, archived, Standing("owner", 100, 0, creator=True), scopes_of(("chat:moderate",)))

    assert (refused is not None) is stopped
    assert refused is None or (refused.rule, refused.error.fields) == ("archived", {"needs": "unarchived"})


@pytest.mark.parametrize(
    ("name", "needs"),
    [("join", None), ("leave", None), ("message", "chat:write"), ("message.pin", "chat:moderate")],
)
def test_3_a_token_narrows(name: str, needs: str | None) -> None:
    refused = refusal(name, PUBLIC, MODERATOR, READ)

    assert (refused and refused.error.fields.get("needs")) == needs
    assert refused is None or refused.rule == "scope"


def test_3_what_counts_as_moderation_depends_on_the_kind_of_room() -> None:
    write = scopes_of(("chat:write",))

    assert rule("message.pin", PRIVATE, MODERATOR, write) == "scope"
    assert rule("message.pin", DIRECT, MEMBER, write) == "allowed"


def test_4_the_default_need_holds_unless_the_room_has_its_own() -> None:
    quiet = Room("general", "e", 9, permissions={"message": 50, "message.pin": {"users": ["u1"]}})

    refused = refusal("message", quiet, replace(MEMBER, role_seq=3))

    assert refused is not None
    assert (refused.rule, refused.error.fields, refused.seq) == ("need", {"needs": 50}, 3)
    assert rule("message.pin", quiet, MEMBER) == "allowed"
    assert rule("message.edit", quiet, MEMBER) == "allowed"


@pytest.mark.parametrize(
    ("standing", "allowed"), [(STRANGER, True), (Standing("reader", 5, 0), False), (MEMBER, True)]
)
def test_4_strangers_talk_in_public_rooms_and_readers_do_not(standing: Standing, allowed: bool) -> None:
    assert (rule("message", PUBLIC, standing) == "allowed") is allowed


def test_4_what_nobody_may_no_room_allows() -> None:
    room = Room("~direct.1", "e", 9, visibility=DIRECT, permissions={"leave": 0})

    refused = refusal("leave", room, replace(MEMBER, creator=True))

    assert refused is not None
    assert (refused.rule, refused.error.fields) == ("need", {})


@pytest.mark.parametrize(
    ("actor", "target", "reached"),
    [(50, 10, True), (50, 50, False), (50, 75, False), (100, 100, False)],
)
def test_5_one_reaches_only_below_ones_own_level(actor: int, target: int, reached: bool) -> None:
    refused = may_reach(Standing("x", actor, 0), Standing("x", target, 0))

    assert (refused is None) is reached
    assert refused is None or (refused.rule, refused.error.code) == ("rank", "forbidden")


def test_5_the_creator_stands_above_all_owners() -> None:
    owner, creator = Standing("owner", 100, 0), Standing("owner", 100, 0, creator=True)

    assert may_reach(creator, owner) is None
    assert may_reach(owner, creator) is not None


def test_the_scopes_that_would_do_are_named() -> None:
    refused = refusal("message", PUBLIC, MEMBER, READ)

    assert refused is not None
    assert refused.error.message == (
        "your token does not allow this: it needs chat:write or room:general:write"
    )
    assert refused.error.fields["needs"] == "chat:write"
