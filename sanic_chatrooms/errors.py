"""Every error of the package, in one tree.

    ChatroomsError
    ├── ConfigError                 the host's settings are wrong; said at start
    └── ChatError                   the answer to a command; `code` travels on the wire
        ├── BadFrame  UnknownCommand  InvalidField  InvalidText  TooLarge  InvalidCursor      the client's frame
        ├── Unauthenticated  TokenExpired  Forbidden  Banned  Muted                           who may
        ├── RoomNotFound  MessageNotFound  NotAMember  RoomLimit  Conflict  RateLimited       the state of things
        └── Unavailable  InternalError                                                        ours

A `ChatError` raised in a middleware, a policy, a listener for `connect` or a command of the host's becomes an `error`
frame; every other exception becomes `internal`, is logged once, and closes nothing.
"""

from typing import Any, ClassVar

__all__ = [
    "BadFrame",
    "Banned",
    "ChatError",
    "ChatroomsError",
    "ConfigError",
    "Conflict",
    "Forbidden",
    "InternalError",
    "InvalidCursor",
    "InvalidField",
    "InvalidText",
    "MessageNotFound",
    "Muted",
    "NotAMember",
    "RateLimited",
    "RoomLimit",
    "RoomNotFound",
    "TokenExpired",
    "TooLarge",
    "Unauthenticated",
    "Unavailable",
    "UnknownCommand",
]


class ChatroomsError(Exception):
    """Anything this package raises on purpose."""


class ConfigError(ChatroomsError):
    """A setting is missing, unknown or out of bounds. The text names the key, the value and the bound."""


class ChatError(ChatroomsError):
    """The answer to a command that cannot be carried out.

    `code` is the word on the wire, `fields` what else the error's payload holds, `temporary` says that
    trying the same again later can succeed. A host raises a subclass, or `ChatError` itself with a code of its own.
    """

    code: ClassVar[str] = "internal"
    temporary: ClassVar[bool] = False
    reply_to: str | None = None
    """The msgId of the frame that could be read of it only so far; set while decoding."""

    def __init__(self, message: str, **fields: Any) -> None:
        super().__init__(message)
        self.message = message
        self.fields = fields

    def payload(self) -> dict[str, Any]:
        """The `payload` of the `error` frame: {"code": …, "message": …, "temporary": …, …fields}."""
        return {**self.fields, "code": self.code, "message": self.message, "temporary": self.temporary}


class BadFrame(ChatError):
    """Not one JSON object with a `type`. Too many in a row close the connection with 4501."""

    code = "bad_frame"


class UnknownCommand(ChatError):
    """No handler for this `type`."""

    code = "unknown_command"

    def __init__(self, type: str) -> None:
        super().__init__(
            f"there is no command {type[:64]!r} here; see the list of commands in the protocol's reference"
        )


class InvalidField(ChatError):
    """A field has the wrong type or a value that is not allowed."""

    code = "invalid_field"

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}", field=field)


class InvalidText(ChatError):
    """Text that cannot be stored or shown everywhere: a lone surrogate or a NUL."""

    code = "invalid_text"

    def __init__(self, reason: str = "text holds a lone surrogate or a NUL character; remove it") -> None:
        super().__init__(reason)


class TooLarge(ChatError):
    """Over a limit in size: `limit` and `size` in the unit that `what` names."""

    code = "too_large"

    def __init__(self, what: str, *, limit: int, size: int) -> None:
        super().__init__(f"{what}: {size}, at most {limit}; shorten it", limit=limit, size=size)


class InvalidCursor(ChatError):
    """A page position that no earlier answer can have given."""

    code = "invalid_cursor"

    def __init__(self) -> None:
        super().__init__("this cursor is not one of ours; start again without it")


class Unauthenticated(ChatError):
    """No identity yet, or a token that proves none."""

    code = "unauthenticated"

    def __init__(self, message: str = "authenticate first: send auth with a token") -> None:
        super().__init__(message)


class TokenExpired(Unauthenticated):
    """The token was good once. Get a new one."""

    code = "token_expired"

    def __init__(self, message: str = "the token has expired; get a new one and send auth again") -> None:
        super().__init__(message)


class Forbidden(ChatError):
    """This user may not do this here."""

    code = "forbidden"

    def __init__(self, message: str = "you may not do this here", **fields: Any) -> None:
        super().__init__(message, **fields)


class Banned(Forbidden):
    """Banned from this room."""

    code = "banned"


class Muted(Forbidden):
    """May read but not write, `until` a time (Unix seconds) or for good."""

    code = "muted"


class RoomNotFound(ChatError):
    """No such room, or none that this user may know of: the two answers are the same on purpose."""

    code = "room_not_found"

    def __init__(self) -> None:
        super().__init__("there is no such room; create it first, or ask for an invitation")


class MessageNotFound(ChatError):
    """No such message in this room."""

    code = "message_not_found"

    def __init__(self) -> None:
        super().__init__("there is no such message in this room")


class NotAMember(ChatError):
    """The command needs this connection to have joined the room."""

    code = "not_a_member"

    def __init__(self) -> None:
        super().__init__("this connection is not in the room; send join first")


class Conflict(ChatError):
    """The same `msgId` with another content, or a name already taken."""

    code = "conflict"

    def __init__(self, message: str = "this msgId was used for another command; take a new one") -> None:
        super().__init__(message)


class RateLimited(ChatError):
    """Too fast. `retryAfter` is in seconds."""

    code = "rate_limited"
    temporary = True

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"too fast; try again in {retry_after:.1f} s", retryAfter=round(retry_after, 3))


class RoomLimit(ChatError):
    """This connection is in as many rooms as it may be, or the server holds as many as it may."""

    code = "room_limit"

    def __init__(self, limit: int, whose: str = "this connection") -> None:
        super().__init__(f"{whose} has reached its limit of {limit} rooms; leave one first", limit=limit)


class Unavailable(ChatError):
    """A backend did not answer in time. For a durable command: not known to be stored; repeat it with the same `msgId`."""

    code = "unavailable"
    temporary = True

    def __init__(self, message: str = "the server cannot do this now; repeat it with the same msgId") -> None:
        super().__init__(message)


class InternalError(ChatError):
    """A defect on our side or in the host's code. It was logged."""

    code = "internal"

    def __init__(self) -> None:
        super().__init__("something went wrong on the server; it has been logged")
