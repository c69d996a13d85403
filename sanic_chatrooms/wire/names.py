"""Names on the wire: rooms, message ids, types of commands and events, the protocol itself."""

import re

from ..errors import InvalidField

__all__ = [
    "MSG_ID",
    "MSG_ID_RULE",
    "PROTOCOL",
    "ROOM_ID",
    "ROOM_RULE",
    "SUBPROTOCOL",
    "check_room_id",
    "check_type",
    "is_msg_id",
    "is_ours",
    "is_room_id",
]

PROTOCOL = 1
SUBPROTOCOL = "chatrooms.v1"

ROOM_ID = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9_.:~-]{1,128}")
MSG_ID = re.compile(r"[!-~]{16,64}")
APP_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)+|[A-Z][A-Z0-9_]*")
OURS = re.compile(r"(message|reaction|member|room|presence|auth|user|report)\..*|[a-z]+")

MSG_ID_RULE = (
    "must be 16 to 64 visible ASCII characters: it also makes the command idempotent, so a counter is too short; "
    "use a UUID"
)
ROOM_RULE = "must be 1 to 128 of A-Z a-z 0-9 _ . : ~ -, and not . or .."


def is_msg_id(id: str) -> bool:
    """Whether a client can give a command this id: what `MSG_ID` says, in a tenth of the time."""
    return 16 <= len(id) <= 64 and id.isascii() and id.isprintable() and " " not in id


def is_room_id(room: str) -> bool:
    """Whether a room can have this id."""
    return ROOM_ID.fullmatch(room) is not None


def check_room_id(room: object) -> str:
    """The room's id, or `InvalidField`."""
    if not isinstance(room, str) or not is_room_id(room):
        raise InvalidField(ROOM_RULE, field="room")
    return room


def is_ours(type: str) -> bool:
    """Whether a type belongs to the protocol, or may in a later version."""
    return OURS.fullmatch(type) is not None


def check_type(type: str) -> str:
    """An app's own type: with a dot or in upper case, and none of ours; else `InvalidField`."""
    if is_ours(type) or len(type) > 64 or not APP_TYPE.fullmatch(type):
        raise InvalidField(
            f"{type!r} is not an app's type: use a dot or upper case, like poll.vote or ORDER_CREATED",
            field="type",
        )
    return type
