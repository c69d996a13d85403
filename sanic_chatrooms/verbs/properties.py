"""What a room is besides its past: the fields of `room.create` and `room.update`, checked and applied."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from ..access.actions import actions
from ..access.needs import NEVER, need_of
from ..access.roles import CREATOR, level_of
from ..access.standing import Standing
from ..auth.names import is_visible
from ..errors import Forbidden, InvalidField, TooLarge
from ..models import DIRECT, PRIVATE, PUBLIC, Room, Sender
from ..stores.properties import shown
from ..wire.decode import checked, decode_payload
from ..wire.encode import encode_object
from .retention import check_retention

__all__ = [
    "ATTRIBUTES_LIMIT",
    "WORDS",
    "AppChanges",
    "Changes",
    "RoomUpdated",
    "applied",
    "as_changes",
    "check_levels",
    "updated",
]

TITLE_LIMIT, TOPIC_LIMIT = 200, 1_000
"""Characters."""
ATTRIBUTES_LIMIT = 4096
PERMISSIONS_LIMIT = 16_384
"""Bytes of all needs of a room: they are in each of its `room.updated`."""
SLOWEST = 86_400
"""Seconds of slow mode."""
DEFAULT_PAST = "members"
PASTS = ("world", "members", "invited", "joined")
WORDS = ("title", "topic", "attributes")
"""Fields that others read."""
GOVERNED = ("permissions", "visibility", "history_visibility", "archived")
"""Fields that need `room.govern`."""

_attributes = msgspec.json.Decoder(dict[str, Any])


class Changes(msgspec.Struct, rename="camel"):
    """The payload of `room.update`: properties that change. Others stay. A permission that is null is the default again."""

    title: str | UnsetType = UNSET
    topic: str | UnsetType = UNSET
    attributes: msgspec.Raw | UnsetType = UNSET
    visibility: str | UnsetType = UNSET
    permissions: dict[str, Any] | UnsetType = UNSET
    history_visibility: str | UnsetType = UNSET
    slow_mode: float | UnsetType = UNSET
    announce: bool | UnsetType = UNSET
    archived: bool | UnsetType = UNSET

    def given(self) -> dict[str, Any]:
        """The fields that were given."""
        values = ((name, getattr(self, name)) for name in self.__struct_fields__)
        return {name: value for name, value in values if value is not UNSET}

    @property
    def governs(self) -> bool:
        """Whether it needs `room.govern`."""
        return any(name in GOVERNED for name in self.given())

    @property
    def words(self) -> bool:
        """Whether it puts words before others."""
        return any(getattr(self, name) is not UNSET for name in WORDS)


class AppChanges(Changes):
    """Properties that only the app may change, too."""

    retention: float | UnsetType = UNSET


def as_changes(properties: Mapping[str, Any]) -> AppChanges:
    """What the app gives by name, None for what it leaves out. Raises `InvalidField`, `InvalidText`."""
    given = {name: value for name, value in properties.items() if value is not None}
    if "attributes" in given:
        given["attributes"] = msgspec.Raw(encode_object(given["attributes"], "attributes"))
    return checked(AppChanges(**given))


class RoomUpdated(msgspec.Struct, frozen=True, rename="camel"):
    """`room.updated`: all properties as they are now, the names of those that are `changed`, and who changed them."""

    title: str
    topic: str
    visibility: str
    attributes: Mapping[str, Any]
    permissions: Mapping[str, Any]
    history_visibility: str
    slow_mode: float
    announce: bool
    archived: bool
    changed: list[str]
    by: Sender | None = None


def updated(room: Room, by: Sender | None, was: Room) -> RoomUpdated:
    """The payload of the event after which the room is so, and no longer as it `was`."""
    now, before = _properties(room, by), _properties(was, by)
    names = zip(now.__struct_fields__, now.__struct_encode_fields__, strict=True)
    changed = [name for field, name in names if getattr(now, field) != getattr(before, field)]
    return replace(now, changed=changed)


def _properties(room: Room, by: Sender | None) -> RoomUpdated:
    return RoomUpdated(
        room.title,
        room.topic,
        room.visibility,
        room.attributes,
        room.permissions,
        shown(room),
        room.slow_mode,
        room.announce,
        room.archived,
        [],
        by,
    )


def applied(room: Room, ask: Changes, *, trusted: bool) -> Room:
    """The room with these changes. `trusted`: the app makes them. Raises `InvalidField`, `TooLarge`."""
    given = ask.given()
    if ask.attributes is not UNSET:
        given["attributes"] = _small(ask.attributes, trusted=trusted)
    if ask.permissions is not UNSET:
        given["permissions"] = _merged(room.permissions, ask.permissions, trusted=trusted)
    if ask.history_visibility == DEFAULT_PAST and room.history_visibility is None:
        del given["history_visibility"]  # it is so, and an event would say that something changed
    changed = replace(room, **given)
    _check(changed, was=room)
    return changed


def _small(attributes: msgspec.Raw, *, trusted: bool) -> dict[str, Any]:
    # Check the size first: decoding numbers and lists can take long.
    if len(attributes) > ATTRIBUTES_LIMIT and not trusted:
        raise TooLarge("attributes have too many bytes", limit=ATTRIBUTES_LIMIT, size=len(attributes))
    return decode_payload(bytes(attributes), _attributes, "attributes")


def _merged(known: Mapping[str, Any], asked: Mapping[str, Any], *, trusted: bool) -> dict[str, Any]:
    merged = dict(known)
    for name, value in asked.items():
        field = f"permissions.{name}"
        found = actions().get(name)
        if found is None or not found.in_a_room:
            raise InvalidField("is no action in a room", field=field)
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = need_of(value, field).told()
    if merged and not trusted and (size := len(encode_object(merged, "permissions"))) > PERMISSIONS_LIMIT:
        raise TooLarge("permissions have too many bytes", limit=PERMISSIONS_LIMIT, size=size)
    return merged


def _check(room: Room, was: Room) -> None:
    if room.visibility not in (PUBLIC, PRIVATE) and room.visibility != was.visibility:
        raise InvalidField("must be public or private", field="visibility")
    if room.visibility != was.visibility and DIRECT in (room.visibility, was.visibility):
        raise InvalidField("of a direct room stays", field="visibility")
    if room.history_visibility is not None and room.history_visibility not in PASTS:
        raise InvalidField(f"must be one of {', '.join(PASTS)}", field="historyVisibility")
    check_retention(room)
    if not 0 <= room.slow_mode <= SLOWEST:
        raise InvalidField(f"must be from 0 to {SLOWEST} seconds", field="slowMode", limit=SLOWEST)
    for field, text, limit in (("title", room.title, TITLE_LIMIT), ("topic", room.topic, TOPIC_LIMIT)):
        if not isinstance(text, str):
            raise InvalidField(f"must be a string, and not {type(text).__name__}", field=field)
        if len(text) > limit:
            raise TooLarge(f"{field} has too many characters", limit=limit, size=len(text))
        if text and not is_visible(text):
            raise InvalidField("has no visible character; leave it empty instead", field=field)
        encode_object({field: text}, field)


def check_levels(ask: Changes, standing: Standing, levels: Mapping[str, int]) -> None:
    """Nobody sets a need above their own level. Raises `Forbidden`."""
    if ask.permissions is UNSET or standing.creator:
        return
    for name, value in ask.permissions.items():
        if value is None:
            continue
        need = need_of(value, f"permissions.{name}")
        # An empty set excludes all but the creator.
        least = CREATOR if need == NEVER else need.level or 0
        wanted = [least, *(level_of(role, levels) for role in need.roles)]
        if max(wanted) > standing.level:
            raise Forbidden(
                f"permissions.{name}: you cannot set a need above your own level", needs=max(wanted)
            )
