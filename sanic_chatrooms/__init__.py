"""Chat rooms for Sanic.

from sanic import Sanic
import sanic_chatrooms as chatrooms

app = Sanic("Shop")
app.config.CHATROOMS_GUESTS = True
app.blueprint(chatrooms.bp)            # page at /chat/, socket at /chat/ws, client at /chat/client.js

Names are imported on first use. So `sanic_chatrooms.client` works without Sanic, and an app needs only the drivers that it uses.
"""

import importlib
from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from .access.decide import Verdict
    from .access.policy import Policy, RoomPolicy
    from .access.standing import Restriction, Standing
    from .auth.base import Authenticator
    from .auth.chain import Chain
    from .auth.guests import Guests
    from .auth.host_session import HostSession
    from .auth.jwt import JWTAuth
    from .auth.skeleton import skeletons
    from .auth.tickets import Tickets
    from .brokers.base import Broker
    from .brokers.memory import MemoryBroker
    from .brokers.nats import NATSBroker as NATSBroker
    from .brokers.postgres import PostgresBroker as PostgresBroker
    from .brokers.redis import RedisBroker as RedisBroker
    from .errors import (
        BadFrame,
        Banned,
        ChatError,
        ChatroomsError,
        ConfigError,
        Conflict,
        Forbidden,
        InternalError,
        InvalidCursor,
        InvalidField,
        InvalidText,
        MessageNotFound,
        Muted,
        NotAMember,
        PositionLost,
        RateLimited,
        RoomLimit,
        RoomNotFound,
        TokenExpired,
        TooLarge,
        Unauthenticated,
        Unavailable,
        UnknownCommand,
    )
    from .follows.event import RoomEvent
    from .hooks.listeners import Happening
    from .hooks.middleware import Context
    from .hooks.publishing import Held
    from .models import Appended, Credentials, Event, Handshake, Member, Room, Sender, User
    from .presence.base import Presence
    from .presence.memory import MemoryPresence
    from .presence.redis import RedisPresence as RedisPresence
    from .presence.sql import SQLPresence as SQLPresence
    from .server_api import ConnectionInfo, History, MessageStream, SearchPage
    from .stores.base import Store
    from .stores.memory.store import MemoryStore
    from .stores.redis.store import RedisStore as RedisStore
    from .stores.sql.store import SQLStore as SQLStore
    from .web.chatrooms import ChatRooms, connect
    from .wire.codes import CloseCode

    default = ChatRooms()
    """The instance named `default`."""
    bp = default.bp
    """Its blueprint."""


__all__ = [
    "Appended",
    "Authenticator",
    "BadFrame",
    "Banned",
    "Broker",
    "Chain",
    "ChatError",
    "ChatRooms",
    "ChatroomsError",
    "CloseCode",
    "ConfigError",
    "Conflict",
    "ConnectionInfo",
    "Context",
    "Credentials",
    "Event",
    "Forbidden",
    "Guests",
    "Handshake",
    "Happening",
    "Held",
    "History",
    "HostSession",
    "InternalError",
    "InvalidCursor",
    "InvalidField",
    "InvalidText",
    "JWTAuth",
    "Member",
    "MemoryBroker",
    "MemoryPresence",
    "MemoryStore",
    "MessageNotFound",
    "MessageStream",
    "Muted",
    "NotAMember",
    "Policy",
    "PositionLost",
    "Presence",
    "RateLimited",
    "Restriction",
    "Room",
    "RoomEvent",
    "RoomLimit",
    "RoomNotFound",
    "RoomPolicy",
    "SearchPage",
    "Sender",
    "Standing",
    "Store",
    "Tickets",
    "TokenExpired",
    "TooLarge",
    "Unauthenticated",
    "Unavailable",
    "UnknownCommand",
    "User",
    "Verdict",
    "__version__",
    "bp",
    "connect",
    "default",
    "skeletons",
]

_HOMES = {
    "access.decide": "Verdict",
    "access.policy": "Policy RoomPolicy",
    "access.standing": "Restriction Standing",
    "auth.base": "Authenticator",
    "auth.chain": "Chain",
    "auth.guests": "Guests",
    "auth.host_session": "HostSession",
    "auth.jwt": "JWTAuth",
    "auth.skeleton": "skeletons",
    "auth.tickets": "Tickets",
    "brokers.base": "Broker",
    "brokers.memory": "MemoryBroker",
    "errors": "BadFrame Banned ChatError ChatroomsError ConfigError Conflict Forbidden InternalError InvalidCursor InvalidField InvalidText MessageNotFound Muted NotAMember PositionLost RateLimited RoomLimit RoomNotFound TokenExpired TooLarge Unauthenticated Unavailable UnknownCommand",
    "follows.event": "RoomEvent",
    "hooks.listeners": "Happening",
    "hooks.middleware": "Context",
    "hooks.publishing": "Held",
    "models": "Appended Credentials Event Handshake Member Room Sender User",
    "presence.base": "Presence",
    "presence.memory": "MemoryPresence",
    "server_api": "ConnectionInfo History MessageStream SearchPage",
    "stores.base": "Store",
    "stores.memory.store": "MemoryStore",
    "web.chatrooms": "ChatRooms connect",
    "wire.codes": "CloseCode",
    "web.default": "bp default",
    "brokers.nats": "NATSBroker",
    "brokers.postgres": "PostgresBroker",
    "brokers.redis": "RedisBroker",
    "presence.redis": "RedisPresence",
    "presence.sql": "SQLPresence",
    "stores.redis.store": "RedisStore",
    "stores.sql.store": "SQLStore",
}
"""The names of each module. A test compares them with what type checkers see."""
_EXTRAS = {
    "brokers.nats": "nats",
    "brokers.postgres": "postgres",
    "presence.sql": "sql",
    "stores.sql.store": "sql",
}
_EXTRAS |= dict.fromkeys(("brokers.redis", "presence.redis", "stores.redis.store"), "redis")
_MODULES = {name: module for module, names in _HOMES.items() for name in names.split()}


if not TYPE_CHECKING:  # so that a wrong name is one for who checks types, too

    def __getattr__(name: str) -> Any:
        module = _MODULES.get(name)
        if module is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            value = getattr(importlib.import_module(f"{__name__}.{module}"), name)
        except ImportError as exc:
            if module not in _EXTRAS:
                raise
            raise ImportError(f'{exc}; pip install "sanic-chatrooms[{_EXTRAS[module]}]"') from exc
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
