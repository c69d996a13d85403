"""Who may do what, written a second time: from the description of the model alone, apart from the product.

It shares no code and no table with `sanic_chatrooms.access`, so that a mistake in one of them is a difference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

__all__ = [
    "DEEDS", "EVERYBODY", "NEEDS", "NO_CELLS", "PLACES", "SEARCH", "Deed", "Person", "Place", "answer", "is_joined", "verdict",
]  # fmt: skip

NEVER = None
Need = Any
"""A level, `NEVER`, or {"level", "roles", "users"}."""

LEVELS = {"owner": 100, "admin": 75, "moderator": 50, "editor": 30, "member": 10, "reader": 5}
UNDECLARED = 10
STRANGERS_TOO = {"level": 10, "roles": ["guest"]}
KINDS = ("public", "private", "direct")

NEEDS: dict[str, tuple[Need, Need, Need]] = {
    **dict.fromkeys(
        ("join", "history", "thread", "pins", "reactions", "members", "presence", "room", "explain", "read", "message.text",
         "search"),
        (0, 5, 10),
    ),
    **dict.fromkeys(
        ("message", "message.open", "typing", "message.edit", "message.delete", "reaction.add", "reaction.remove"),
        (STRANGERS_TOO, 10, 10),
    ),
    "prefs": (5, 5, 10),
    "report": (1, 5, 10),
    "message.delete.any": (50, 50, NEVER),
    **dict.fromkeys(("message.pin", "message.unpin"), (50, 50, 10)),
    "member.invite": (10, 10, NEVER),
    "member.add": (50, 50, NEVER),
    **dict.fromkeys(
        ("member.kick", "member.ban", "member.unban", "member.mute", "member.unmute", "restrictions", "reports",
         "report.close"),
        (50, 50, NEVER),
    ),
    "member.role": (75, 75, NEVER),
    "room.update": (75, 75, NEVER),
    "room.govern": (100, 100, NEVER),
    "room.delete": (100, 100, NEVER),
    "leave": (0, 0, NEVER),
    "member.accept": (0, 0, NEVER),
    "member.decline": (0, 0, NEVER),
}  # fmt: skip

NO_CELLS = {
    "auth": "it is about the connection",
    "ping": "it is about the connection",
    "exit": "it is about the connection: one may always go out of a room",
    **dict.fromkeys(("rooms", "unread", "badge"), "it is about no room that is there, and not tried here"),
    "search": "a store in memory has none; it has cells of its own",
    "room.create": "it is about no room that is there, and not tried here",
    "direct": "it is about no room that is there, and not tried here",
    **dict.fromkeys(
        ("message.append", "message.close", "message.cancel"),
        "it needs an open message, and asks who writes it",
    ),
    **dict.fromkeys(("user.block", "user.unblock", "user.blocked"), "it is about no room"),
}
"""Commands that have no cell in the matrix of rooms, and why."""

LOOKS = {
    "history",
    "thread",
    "pins",
    "reactions",
    "members",
    "presence",
    "room",
    "explain",
    "message.text",
    "search",
}
LOOKS_OF_MODERATORS = {"restrictions", "reports"}
READS = LOOKS | {"join", "leave", "read", "prefs"}
MODERATION = {
    "member.kick", "member.ban", "member.unban", "member.mute", "member.unmute", "restrictions", "reports",
    "report.close", "message.delete.any",
}  # fmt: skip
STILL_IN_THE_ARCHIVE = LOOKS | MODERATION | {
    "join", "leave", "read", "prefs", "report", "message.delete", "room.delete",
}  # fmt: skip
MUTED = {
    "message",
    "message.open",
    "typing",
    "message.edit",
    "message.pin",
    "message.unpin",
    "member.invite",
    "reaction.add",
}
SPEAKING = {"message", "message.open", "message.edit", "member.invite", "reaction.add"}
OF_THE_INVITED = {"room", "join", "member.accept", "member.decline"}
ON_A_SEAT = {"message", "message.open", "typing"}


@dataclass(frozen=True)
class Place:
    """A room."""

    name: str
    kind: str
    archived: bool = False
    permissions: dict[str, Need] = field(default_factory=dict)
    """`"me"` among users is the one who acts."""


@dataclass(frozen=True)
class Person:
    """Who acts. `role` None: no member."""

    name: str
    role: str | None = None
    creator: bool = False
    guest: bool = False
    invited: bool = False
    banned: bool = False
    muted: bool = False
    scopes: tuple[str, ...] = ()
    direct: bool = False
    """They have a part in direct rooms: nobody is more than a member there."""


@dataclass(frozen=True)
class Deed:
    """An action on something. `extra`: actions that it needs too."""

    command: str
    payload: dict[str, Any] = field(default_factory=dict)
    extra: tuple[str, ...] = ()
    words: bool = False
    """It carries words of one's own, beside what the action always carries."""
    target: int | None = None
    """The level that has to be below one's own. -1: one's own, of oneself."""
    grants: int | None = None
    """The level of the role that is given."""
    never: bool = False
    name: str = ""

    @property
    def title(self) -> str:
        return self.name or self.command


ROOM_PERMISSIONS: dict[str, Need] = {
    "message": {"level": 60},
    "typing": 5,
    "message.pin": {"level": 75, "users": ["me"]},
    "reaction.remove": {"level": 30},
    "thread": 10,
    "members": {"roles": ["editor", "owner"]},
    "history": 50,
    "search": 30,
    "member.invite": 5,
    "member.kick": 10,
    "message.delete.any": {"roles": ["editor"]},
    "room.update": 50,
    "room.delete": 75,
}
PLACES = (
    Place("public", "public"),
    Place("private", "private"),
    Place("direct", "direct"),
    Place("archived", "public", archived=True),
    Place("private-archived", "private", archived=True),
    Place("own-needs", "public", permissions=ROOM_PERMISSIONS),
    Place("private-own-needs", "private", permissions=ROOM_PERMISSIONS),
)
EVERYBODY = (
    Person("creator", "owner", creator=True),
    Person("owner", "owner"),
    Person("admin", "admin"),
    Person("moderator", "moderator"),
    Person("editor", "editor"),
    Person("undeclared role", "vip"),
    Person("member", "member", direct=True),
    Person("reader", "reader"),
    Person("guest", guest=True),
    Person("stranger"),
    Person("invited", invited=True),
    Person("banned", banned=True),
    Person("muted", "member", muted=True),
    Person("muted moderator", "moderator", muted=True),
    Person("owner, chat:read", "owner", scopes=("chat:read",), direct=True),
    Person("owner, chat:write", "owner", scopes=("chat:write",), direct=True),
    Person("owner, chat:moderate", "owner", scopes=("openid", "chat:moderate"), direct=True),
    Person("owner, chat:admin", "owner", scopes=("chat:admin",), direct=True),
    Person("owner, unrelated scopes", "owner", scopes=("openid", "profile", "chatter:x"), direct=True),
    Person("owner, write in these rooms", "owner", scopes=("room:at-*:write",), direct=True),
    Person("owner, moderate elsewhere", "owner", scopes=("room:else*:moderate",), direct=True),
    Person("member, chat:moderate", "member", scopes=("chat:moderate",)),
    Person("stranger, chat:read", scopes=("chat:read",)),
)

LOW, TOP = LEVELS["reader"], LEVELS["owner"]
DEEDS = (
    *(Deed(look) for look in ("join", "history", "pins", "members", "presence", "room", "leave", "typing", "prefs")),
    Deed("read", {"seq": 1}),
    Deed("join", {"since": "epoch"}, name="recovery"),
    Deed("explain", {"action": "message"}),
    Deed("message", {"text": "hi"}),
    Deed("message.edit", {"msgId": "mine", "body": {"text": "new"}}),
    Deed("message.edit", {"msgId": "theirs", "body": {"text": "new"}}, never=True, name="edit others'"),
    Deed("message.delete", {"msgId": "mine"}),
    Deed("message.delete", {"msgId": "low's"}, extra=("message.delete.any",), target=LOW, name="delete a reader's"),
    Deed("message.delete", {"msgId": "theirs"}, extra=("message.delete.any",), target=TOP, name="delete an owner's"),
    Deed("message.delete", {"msgId": "mine", "reason": "typo"}, words=True, name="delete with words"),
    Deed("reaction.add", {"msgId": "theirs", "emoji": "👍"}),
    Deed("reaction.remove", {"msgId": "theirs", "emoji": "👍"}),
    Deed("reactions", {"msgId": "theirs"}),
    Deed("thread", {"msgId": "theirs"}),
    Deed("message", {"text": "hi", "parent": "theirs"}, name="reply"),
    Deed("message.open", {"text": "hi"}),
    Deed("message.text", {"msgId": "theirs"}),
    Deed("message.pin", {"msgId": "theirs"}),
    Deed("message.unpin", {"msgId": "theirs"}),
    Deed("report", {"msgId": "theirs", "reason": "rude"}),
    Deed("reports"),
    Deed("report.close", {"id": "report", "outcome": "done"}),
    Deed("restrictions", {"kind": "ban"}),
    *(
        deed
        for command in ("member.kick", "member.ban", "member.mute")
        for deed in (
            Deed(command, {"user": "low"}, target=LOW),
            Deed(command, {"user": "low", "reason": "rude"}, target=LOW, words=True, name=f"{command} with words"),
            Deed(command, {"user": "top"}, target=TOP, name=f"{command} an owner"),
            Deed(command, {"user": "me"}, target=-1, name=f"{command} oneself"),
        )
    ),
    Deed("member.unban", {"user": "low"}),
    Deed("member.unmute", {"user": "low"}),
    Deed("member.role", {"user": "low", "role": "member"}, target=LOW, grants=10),
    Deed("member.role", {"user": "low", "role": "admin"}, target=LOW, grants=75, name="make an admin"),
    Deed("member.role", {"user": "low", "role": "owner"}, target=LOW, grants=100, name="make an owner"),
    Deed("member.role", {"user": "top", "role": "member"}, target=TOP, grants=10, name="demote an owner"),
    Deed("member.role", {"user": "me", "role": "reader"}, target=-1, grants=5, name="step down"),
    Deed("member.invite", {"user": "new"}),
    Deed("member.invite", {"user": "new", "role": "admin"}, grants=75, name="invite an admin"),
    Deed("member.add", {"user": "new"}),
    Deed("member.add", {"user": "new", "role": "admin"}, grants=75, name="add an admin"),
    Deed("member.accept"),
    Deed("member.decline"),
    Deed("room.update", {"slowMode": 1}),
    Deed("room.update", {"topic": "Tea"}, words=True, name="topic"),
    Deed("room.update", {"attributes": {"a": 1}}, words=True, name="attributes"),
    Deed("room.update", {"historyVisibility": "joined"}, extra=("room.govern",), name="history visibility"),
    Deed("room.update", {"permissions": {"pins": 1}}, extra=("room.govern",), name="permissions"),
    Deed("room.update", {"archived": False}, extra=("room.govern",), name="unarchive"),
    Deed("room.delete"),
)  # fmt: skip

SEARCH = Deed("search", {"query": "mine"})
"""Of stores that have an index."""


def level(person: Person, place: Place) -> int:
    if place.kind == "direct":
        return 10 if person.direct else 0
    if person.role is not None:
        return LEVELS.get(person.role, UNDECLARED)
    return 1 if place.kind == "public" else 0


def belongs(person: Person, place: Place) -> bool:
    return person.direct if place.kind == "direct" else person.role is not None


def is_creator(person: Person, place: Place) -> bool:
    return person.creator and place.kind != "direct"


def default(action: str, place: Place) -> Need:
    return NEEDS[action][KINDS.index(place.kind)]


def meets(action: str, person: Person, place: Place) -> bool:
    need = default(action, place)
    if need is NEVER:
        return False
    if is_creator(person, place):
        return True
    if person.invited and action in OF_THE_INVITED:
        return True
    need = place.permissions.get(action, need) or 0
    if not isinstance(need, dict):
        return level(person, place) >= need
    role = person.role or "guest"
    return (
        ("level" in need and level(person, place) >= need["level"])
        or role in need.get("roles", ())
        or ("me" in need.get("users", ()))
    )


RIGHTS = {"read": 0, "write": 1, "moderate": 2}


def right_for(action: str, place: Place) -> int | None:
    """None: the model does not say which."""
    need = default(action, place)
    if action in READS:
        return 0
    if need is NEVER or action in LOOKS_OF_MODERATORS:
        return None
    return 2 if isinstance(need, int) and need >= 50 else 1


def has_right(scopes: tuple[str, ...], right: int, room: str) -> bool:
    ours = [scope for scope in scopes if scope.startswith(("chat:", "room:"))]
    if not ours:
        return True
    for scope in ours:
        prefix, _, rest = scope.partition(":")
        pattern, _, given = ("*", "", rest) if prefix == "chat" else rest.rpartition(":")
        wanted = ".*".join(re.escape(part) for part in pattern.split("*"))
        if RIGHTS.get(given, -1) >= right and re.fullmatch(wanted, room):
            return True
    return False


def known_to(person: Person, place: Place) -> bool:
    if place.kind == "public":
        return True
    if place.kind == "private" and person.banned:
        return False
    return belongs(person, place) or (place.kind == "private" and person.invited)


def asked_in_order(
    actions: tuple[str, ...],
    person: Person,
    place: Place,
    room: str,
    *,
    scoped: bool,
    words: bool,
    unarchives: bool,
) -> set[str]:
    """The rules, of which the first that refuses is one; {"allowed"} if none does."""
    first = actions[0]
    if not known_to(person, place):
        return {"unknown"}
    if person.banned and first not in ("leave", "explain"):
        return {"restriction"}
    if person.muted and (words or any(action in MUTED for action in actions)):
        return {"restriction"}
    if place.archived and not unarchives and not all(action in STILL_IN_THE_ARCHIVE for action in actions):
        return {"archived"}
    if scoped:
        rights = [right_for(action, place) for action in actions]
        said = [right for right in rights if right is not None]
        if not all(has_right(person.scopes, right, room) for right in said):
            return {"scope"}
        if None in rights and not has_right(person.scopes, 2, room):
            rest = asked_in_order(
                actions, person, place, room, scoped=False, words=words, unarchives=unarchives
            )
            return rest | {"scope"}
    if first == "leave" and place.kind != "direct":
        return {"allowed"}
    speaks = ("message",) if words or any(action in SPEAKING for action in actions) else ()
    if not all(meets(action, person, place) for action in (*actions, *speaks)):
        return {"need"}
    return {"allowed"}


def verdict(deed: Deed, person: Person, place: Place, room: str, *, scoped: bool) -> set[str]:
    """What `explain` may answer about the deed's action: one of these rules. Empty: the model does not say."""
    if deed.command == "room.update" and place.archived and known_to(person, place) and not person.banned:
        return set()  # it depends on what is changed
    if unsaid(deed, person, place):
        return set()
    return asked_in_order((deed.command,), person, place, room, scoped=scoped, words=False, unarchives=False)


def unsaid(deed: Deed, person: Person, place: Place) -> bool:
    """Where the model leaves open what happens."""
    if not known_to(person, place) or person.banned:
        return False
    return (
        (deed.command in ("member.accept", "member.decline") and not person.invited)
        or (deed.command == "join" and place.archived and not belongs(person, place))
        or (
            "msgId" in deed.payload and person.invited and place.kind == "private"
        )  # they see no message of it
        or (
            deed.command in ("reports", "report.close") and "chat:admin" in person.scopes
        )  # the operator's page
        or (deed.name == "step down" and place.kind == "direct")
        or (deed.name == "step down" and level(person, place) == LEVELS["reader"])
    )


CODES = {
    "allowed": "ack",
    "unknown": "room_not_found",
    **dict.fromkeys(("archived", "scope", "need", "rank"), "forbidden"),
}


def answer(deed: Deed, person: Person, place: Place, room: str, *, way: str) -> set[str]:
    """The codes, of which one is the answer; "ack" if it is carried out. Empty: the model does not say."""
    scoped = way == "socket"
    if scoped and deed.command in ON_A_SEAT and not is_joined(person, place, room):
        return {"not_a_member"}
    if unsaid(deed, person, place):
        return set()
    rules = asked_in_order(
        (deed.command, *deed.extra), person, place, room,
        scoped=scoped, words=deed.words, unarchives=deed.name == "unarchive",
    )  # fmt: skip
    if rules == {"need"} and deed.name == "step down" and belongs(person, place):
        rules = {"allowed"}
    elif rules == {"allowed"} and (deed.never or outranked(deed, person, place)):
        rules = {"rank"}
    return {
        ("banned" if person.banned else "muted") if rule == "restriction" else CODES[rule] for rule in rules
    }


def outranked(deed: Deed, person: Person, place: Place) -> bool:
    if deed.name == "step down":
        return False
    own = 101 if is_creator(person, place) else level(person, place)
    if deed.target == -1 or (deed.target is not None and deed.target >= own):
        return True
    return deed.grants is not None and deed.grants != 10 and deed.grants >= own


def is_joined(person: Person, place: Place, room: str) -> bool:
    """Who has a part in the room joins it first; so do guests. (A stranger who joins becomes a member.)"""
    if not belongs(person, place) and not (person.guest and place.kind == "public" and not place.archived):
        return False
    return asked_in_order(
        ("join",), replace(person, invited=False), place, room, scoped=True, words=False, unarchives=False
    ) == {"allowed"}
