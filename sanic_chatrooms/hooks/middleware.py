"""Middleware: functions of the app around every command, or around commands of some types.

    @chat.middleware("message")
    async def no_links(ctx, call_next):
        if "http" in ctx.payload.get("text", ""):
            raise Forbidden("no links here")
        return await call_next(ctx)

"message" means every body of a message, and "speak" all words that users put before others: bodies, titles, reasons, names.

They run in the order of registration, the first one outermost. What `call_next` returns is the ack's
payload. Raising a `ChatError` refuses the command. The chain is built at startup, so an app without middleware has no cost.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from ..models import Appended, User
from ..wire.decode import Command

if TYPE_CHECKING:  # only for types: nothing is imported upwards at run time
    from ..server_api import ServerAPI

__all__ = ["SPEAK", "Caller", "Chain", "Context", "Handler", "Middleware"]

SPEAK = "speak"
"""Stands for every command with words that others read, in the types of a middleware."""
_BODIES = frozenset(("message", SPEAK))


class Caller(Protocol):
    """Who sends commands: a connection's session, or a user who acts without a connection."""

    @property
    def id(self) -> str:
        """The session's id; empty without a connection."""

    @property
    def user(self) -> User:
        """The user."""

    @property
    def data(self) -> dict[str, Any]:
        """For the app to use. Without a connection, new for each command."""


class Context:
    """A command on its way through middleware to its handler. Assign to `payload` to change the command."""

    __slots__ = ("_payload", "app", "chat", "command", "entered", "field", "session", "stored")

    def __init__(self, session: Any, command: Command, chat: Any, app: Any) -> None:
        self.session: Caller = session
        """The session that sent the command. With `as_user=` there is no connection: its `id` is empty then."""
        self.command = command
        """`type`, `msg_id`, `room`, `payload` (JSON bytes). May be replaced."""
        self.chat: ServerAPI = chat
        """The instance, with its verbs."""
        self.app = app
        self.field: str | None = None
        """The field of the command whose words these are, such as `title`: then `payload` is `{"text": …}`. None: `payload` is the
        command's own, or the body of a message."""
        self.entered: str | None = None
        """The room that a `join` has entered. The connection receives its events after the ack."""
        self.stored: Appended | None = None
        """The event that the command has stored."""
        self._payload: Any = None

    @property
    def user(self) -> User:
        """The user who sent the command."""
        return self.session.user

    @property
    def room(self) -> str | None:
        """The room of the command."""
        return self.command.room

    @property
    def payload(self) -> Any:
        """The decoded payload. Assign to it to change what the command does and stores."""
        if self._payload is None:
            self._payload = msgspec.json.decode(self.command.payload)
        return self._payload

    @payload.setter
    def payload(self, value: Any) -> None:
        self._payload = value
        self.command.payload = msgspec.json.encode(value)

    def put(self, command: Command, payload: bytes) -> None:
        """Go on with this command and payload, whatever was made of them since."""
        self.command, self._payload = command, None
        command.payload = payload


Handler = Callable[[Context], Awaitable[Any]]
Middleware = Callable[[Context, Handler], Awaitable[Any]]


class Chain:
    """The middleware of an instance: (types or None for all, function), in order."""

    def __init__(self, registered: list[tuple[frozenset[str] | None, Middleware]]) -> None:
        self._registered = registered

    def concerns(self, type: str) -> bool:
        """Whether any middleware wraps commands of this type."""
        return any(_wraps(types, type) for types, _ in self._registered)

    def around(self, type: str, handler: Handler) -> Handler:
        """The handler, wrapped by its middleware."""
        for types, function in reversed(self._registered):
            if _wraps(types, type):
                handler = _wrap(function, handler)
        return handler

    def concerns_words_of(self, type: str, field: str | None = None) -> bool:
        """Whether any middleware wraps the words of this type, but not the type itself. `field`: the field that has them; None: they
        are the body of a message."""
        return any(_is_about_words_only(types, type, field) for types, _ in self._registered)

    def around_words_of(self, type: str, handler: Handler, field: str | None = None) -> Handler:
        """The handler of such words, wrapped by the middleware that wraps them, but not the type itself."""
        for types, function in reversed(self._registered):
            if _is_about_words_only(types, type, field):
                handler = _wrap(function, handler)
        return handler


def _wraps(types: frozenset[str] | None, type: str) -> bool:
    return types is None or type in types or (type == "message" and SPEAK in types)


def _is_about_words_only(types: frozenset[str] | None, type: str, field: str | None) -> bool:
    if types is None or _wraps(types, type):
        return False
    return SPEAK in types if field is not None else not types.isdisjoint(_BODIES)


def _wrap(function: Middleware, handler: Handler) -> Handler:
    async def wrapped(ctx: Context) -> Any:
        return await function(ctx, handler)

    return wrapped
