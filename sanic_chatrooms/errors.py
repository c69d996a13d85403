"""Every error of the package, in one tree.

    ChatroomsError
    ├── ConfigError                 the app's settings are wrong; raised at start
    └── ChatError                   the answer to a command; `code` travels on the wire
        ├── BadFrame  UnknownCommand  InvalidField  InvalidText  TooLarge  InvalidCursor      the client's frame
        ├── Unauthenticated  TokenExpired  Forbidden  Banned  Muted                           who may
        ├── RoomNotFound  MessageNotFound  NotAMember  RoomLimit  Conflict  RateLimited       the state of things
        ├── PositionLost                                                                      the past
        └── Unavailable  InternalError                                                        ours

A `ChatError` raised in a middleware, a policy, a listener for `connect` or an app's command becomes an `error` frame.
Every other exception becomes `internal`, is logged once, and closes nothing. A `ChatError` raised in a request handler of
an app with chat rooms is answered with its `http_status` and a problem document.

All errors are made alike: `ChatError(message, **values)`. Without a message each has its own.
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
    "PositionLost",
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
    """The base of all errors that this package raises on purpose."""


class ConfigError(ChatroomsError):
    """A setting is missing, unknown or out of bounds. The text names the key, the value and the bound."""


class ChatError(ChatroomsError):
    """The answer to a command that cannot be carried out.

    `code` is the word on the wire, `fields` what else the error's payload holds. `temporary` says that the same can
    succeed later. `http_status` is what a request is answered with, and `close_code` what closes a connection that cannot
    stay because of this error. An app raises a subclass, or `ChatError` itself.

    `values` become `fields`, by the names of the wire: `retry_after=3` is `"retryAfter": 3`.
    """

    code: ClassVar[str] = "internal"
    temporary: ClassVar[bool] = False
    http_status: ClassVar[int] = 500
    close_code: ClassVar[int] = 4503
    default: ClassVar[str] = "this cannot be done"
    """The message of an error that is raised without one."""
    reply_to: str | None = None
    """The msgId of a frame that could not be decoded any further; set while decoding."""

    def __init_subclass__(cls) -> None:
        # An app's own error is an answer, not a defect of the server.
        if ChatError in cls.__bases__ and "http_status" not in cls.__dict__:
            cls.http_status = 400

    def __init__(self, message: str | None = None, **values: Any) -> None:
        self.message = self.default if message is None else message
        super().__init__(self.message)
        self.fields = {_camel(name): value for name, value in values.items()}

    def payload(self) -> dict[str, Any]:
        """The `payload` of the `error` frame: {"code": …, "message": …, "temporary": …, …fields}."""
        return {**self.fields, "code": self.code, "message": self.message, "temporary": self.temporary}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


class BadFrame(ChatError):
    """A frame that is not one JSON object with a `type`. Too many in a row close the connection with 4501."""

    code = "bad_frame"
    default = "a frame must be one JSON object with a type"


class UnknownCommand(ChatError):
    """There is no command of this `type`."""

    code = "unknown_command"
    http_status = 404
    default = "there is no such command here; see the list of commands in the protocol's reference"

    @classmethod
    def of(cls, type: str) -> "UnknownCommand":
        """An error that names the type."""
        return cls(cls.default.replace("such command", f"command {type[:64]!r}"))


class InvalidField(ChatError):
    """A field has the wrong type or a value that is not allowed. `field` is its path in the payload; the message names it."""

    code = "invalid_field"
    default = "has a value that is not allowed"

    def __init__(self, message: str | None = None, *, field: str = "payload", **values: Any) -> None:
        super().__init__(f"{field}: {self.default if message is None else message}", field=field, **values)


class InvalidText(ChatError):
    """Text that cannot be stored or shown everywhere: a lone surrogate or a NUL."""

    code = "invalid_text"
    default = "text holds a lone surrogate or a NUL character; remove it"


class TooLarge(ChatError):
    """Above a limit of size. With `limit` and `size` the message has both, in the unit that it names."""

    code = "too_large"
    http_status = 413
    default = "too large"

    def __init__(self, message: str | None = None, **values: Any) -> None:
        text = self.default if message is None else message
        if values.keys() >= {"limit", "size"}:
            text = f"{text}: {values['size']}, at most {values['limit']}; shorten it"
        super().__init__(text, **values)


class InvalidCursor(ChatError):
    """A cursor that no earlier answer can have contained."""

    code = "invalid_cursor"
    default = "this cursor is not one of ours; start again without it"


class Unauthenticated(ChatError):
    """The client has not authenticated, or its token is not accepted."""

    code = "unauthenticated"
    http_status = 401
    close_code = 4500
    default = "authenticate first: send auth with a token"


class TokenExpired(Unauthenticated):
    """The token was valid once. Get a new one."""

    code = "token_expired"
    close_code = 4001
    default = "the token has expired; get a new one and send auth again"


class Forbidden(ChatError):
    """The user may not do this here."""

    code = "forbidden"
    http_status = 403
    default = "you may not do this here"


class Banned(Forbidden):
    """The user is banned from this room."""

    code = "banned"
    default = "you are banned from this room"


class Muted(Forbidden):
    """The user may read but not write, `until` a time (Unix seconds) or for good."""

    code = "muted"
    default = "you may read here and not write"


class RoomNotFound(ChatError):
    """There is no such room, or none that this user may know of. Both answers are the same on purpose."""

    code = "room_not_found"
    http_status = 404
    default = "there is no such room; create it first, or ask for an invitation"


class MessageNotFound(ChatError):
    """There is no such message in this room."""

    code = "message_not_found"
    http_status = 404
    default = "there is no such message in this room"


class NotAMember(ChatError):
    """The command requires that this connection has joined the room."""

    code = "not_a_member"
    http_status = 403
    default = "this connection is not in the room; send join first"


class Conflict(ChatError):
    """The same `msgId` with other content, or an id that is taken."""

    code = "conflict"
    http_status = 409
    default = "this msgId was used for another command; take a new one"


class RateLimited(ChatError):
    """Too many requests. `retry_after` is in seconds; on the wire it is `retryAfter`."""

    code = "rate_limited"
    temporary = True
    http_status = 429
    close_code = 1013
    default = "too fast"

    def __init__(
        self, message: str | None = None, *, retry_after: float | None = None, **values: Any
    ) -> None:
        if retry_after is not None:
            values["retry_after"] = round(retry_after, 3)
            if message is None:
                message = f"{self.default}; try again in {retry_after:.1f} s"
        super().__init__(message, **values)


class RoomLimit(ChatError):
    """A limit of rooms is reached: those that a connection may be in, those that the server keeps, or the members of one, `room`.
    `limit` is the number."""

    code = "room_limit"
    http_status = 409
    default = "the limit of rooms is reached; leave one first"

    @classmethod
    def of(cls, limit: int, whose: str = "this connection") -> "RoomLimit":
        """An error that says whose limit it is."""
        return cls(f"{whose} has reached its limit of {limit} rooms; leave one first", limit=limit)


class PositionLost(ChatError):
    """What came after a position in a room cannot be told any more: it was trimmed, or the room has another past.

    `room`, and `epoch` and `seq` of the room's head, from which one can go on.
    """

    code = "position_lost"
    http_status = 410
    default = "what came after this position is not there any more; read the room's history, and go on from its head"


class Unavailable(ChatError):
    """A backend did not answer in time. A durable command may or may not be stored: repeat it with the same `msgId`."""

    code = "unavailable"
    temporary = True
    http_status = 503
    close_code = 1013
    default = "the server cannot do this now; repeat it with the same msgId"


class InternalError(ChatError):
    """A defect of the package or of the app's code. It was logged."""

    code = "internal"
    http_status = 500
    default = "something went wrong on the server; it has been logged"
