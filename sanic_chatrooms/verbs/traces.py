"""What events and facts tell of a user: where a user is erased, it goes out of what is of somebody else."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from ..access.needs import need_of
from ..access.standing import BAN, INVITE, MUTE
from ..models import Event, Fact, Known, Related
from ..stores.streams import STREAM
from ..wire.encode import encode
from .reports import REPORT, kept_until

__all__ = [
    "NAMING",
    "changed",
    "is_about",
    "is_user",
    "target_of",
    "user_in",
    "without_name",
    "without_needs",
]

Value = dict[str, Any]


class _User(msgspec.Struct):
    id: str = ""


class _About(msgspec.Struct):
    user: _User | None = None


class _Target(msgspec.Struct):
    seq: int = 0


_about = msgspec.json.Decoder(_About)
_target = msgspec.json.Decoder(_Target)
_any = msgspec.json.Decoder(float_hook=float)


# ---- events ----


def user_in(event: Event) -> str | None:
    """The id of the user whom an event is about; None: of nobody."""
    about = _about.decode(event.payload).user
    return None if about is None else about.id


def target_of(event: Event) -> int:
    """The number of the message that an event is about."""
    return _target.decode(event.payload).seq


def is_about(event: Event, user: str) -> bool:
    """Is this what somebody did to the user?"""
    return event.type.startswith(("member.", "reaction.")) and not event.deleted and user_in(event) == user


def is_user(value: Any, user: str) -> bool:
    """Is this value of a payload the user?"""
    return isinstance(value, dict) and value.get("id") == user


def changed(event: Event, related: Mapping[int, Related], user: str) -> bytes | None:
    """The payload without the user, of an event of somebody else; None: nothing of the user is in it, or on at it."""
    payload = bytes(event.payload)
    left = _without(payload, event.type, user)
    if left is not None:
        return left
    there = related.get(event.seq or 0)
    toggles = () if there is None else there.toggles.values()
    theirs = any(toggle.mine or (toggle.by is not None and toggle.by.id == user) for toggle in toggles)
    return payload if theirs else None


def _without(payload: bytes, type: str, user: str) -> bytes | None:
    if not _may_have(payload, user):
        return None  # most are not even decoded
    value: Value = _any.decode(payload)
    left = _within("body", _without_mentions(value, user), user)
    if type == "inbox" or type.startswith(("message.", "member.", "room.")):
        left_out = [name for name in ("by", "partner") if is_user(left.get(name), user)]
        left = {name: each for name, each in left.items() if name not in left_out} if left_out else left
    if type == "message.deleted":
        left = _without_last(left, user)
    elif type == "room.updated" and isinstance(needs := left.get("permissions"), dict):
        left = {**left, "permissions": {**needs, **found}} if (found := without_needs(needs, user)) else left
    return None if left is value else encode(left)


def _may_have(payload: bytes, user: str) -> bool:
    return encode(user)[1:-1] in payload or b"\\" in payload


def _within(name: str, value: Value, user: str) -> Value:
    """The value without mentions of the user in the body that it has under this name."""
    if not isinstance(body := value.get(name), dict):
        return value
    left = _without_mentions(body, user)
    return value if left is body else {**value, name: left}


def _without_mentions(body: Value, user: str) -> Value:
    mentions = body.get("mentions")
    if not isinstance(mentions, list) or user not in mentions:
        return body
    left = [name for name in mentions if name != user]
    return {**body, "mentions": left} if left else {k: v for k, v in body.items() if k != "mentions"}


def _without_last(deletion: Value, user: str) -> Value:
    """The deletion of a reply tells who wrote the last one of those that were left."""
    thread = deletion.get("thread")
    last = thread.get("last") if isinstance(thread, dict) else None
    if thread is None or not isinstance(last, dict) or not is_user(last.get("sender"), user):
        return deletion
    return {**deletion, "thread": {**thread, "last": {**last, "sender": None}}}


def without_needs(permissions: Mapping[str, Any], user: str) -> Value:
    """Those of a room's needs that name the user, without them."""
    named = {
        action: value
        for action, value in permissions.items()
        if isinstance(value, dict) and user in value.get("users", ())
    }
    needs = {action: need_of(value, action) for action, value in named.items()}
    return {
        action: replace(need, users=tuple(one for one in need.users if one != user)).told()
        for action, need in needs.items()
    }


# ---- facts ----


def without_name(known: Known, user: str) -> Fact | None:
    """The fact without the user, of a kind in `NAMING`; None: nothing of the user is in it."""
    if not _may_have(known.value, user):
        return None
    value: Value = _any.decode(known.value)
    left, until = NAMING[known.kind](value, user)
    if left is value:
        return None
    return Fact(known.kind, known.key, encode(left), until=until, was=known.value)


def _decided(value: Value, user: str) -> tuple[Value, float | None]:
    if is_user(value.get("by"), user):
        value = {name: each for name, each in value.items() if name != "reason"} | {"by": None}
    return value, value.get("until")


def _invited(value: Value, user: str) -> tuple[Value, float | None]:
    # Nobody else has granted the role, and the user cannot any more.
    left, until = _decided(value, user)
    return (left if left is value else left | {"role": "member"}), until


def _written(value: Value, user: str) -> tuple[Value, float | None]:
    return _within("body", value, user), None


def _reported(value: Value, user: str) -> tuple[Value, float | None]:
    line = _within("held", value["line"], user)
    until = kept_until(line["at"], line.get("outcome"))
    return (value if line is value["line"] else {**value, "line": line}), until


NAMING: Mapping[str, Callable[[Value, str], tuple[Value, float | None]]] = {
    BAN: _decided,
    MUTE: _decided,
    INVITE: _invited,
    STREAM: _written,
    REPORT: _reported,
}
"""Kinds of facts that may name a user although they are about somebody else: -> the value without the user, and until when it is kept."""
