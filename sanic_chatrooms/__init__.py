"""Chat rooms for Sanic.

from sanic import Sanic
import sanic_chatrooms as chatrooms

app = Sanic("Shop")
app.config.CHATROOMS_GUESTS = True
app.blueprint(chatrooms.bp)            # page at /chat/, socket at /chat/ws, client at /chat/client.js
"""

import importlib
from typing import TYPE_CHECKING, Any

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
from .server_api import ConnectionInfo, History
from .stores.base import Store
from .stores.memory.store import MemoryStore
from .web.chatrooms import ChatRooms, connect
from .wire.codes import CloseCode

if TYPE_CHECKING:
    from .brokers.nats import NATSBroker as NATSBroker
    from .brokers.postgres import PostgresBroker as PostgresBroker
    from .brokers.redis import RedisBroker as RedisBroker
    from .presence.redis import RedisPresence as RedisPresence
    from .presence.sql import SQLPresence as SQLPresence
    from .stores.redis.store import RedisStore as RedisStore
    from .stores.sql.store import SQLStore as SQLStore

__version__ = "0.1.0.dev0"

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


_LAZY = {
    "NATSBroker": ("brokers.nats", "nats"),
    "PostgresBroker": ("brokers.postgres", "postgres"),
    "RedisBroker": ("brokers.redis", "redis"),
    "RedisPresence": ("presence.redis", "redis"),
    "RedisStore": ("stores.redis.store", "redis"),
    "SQLPresence": ("presence.sql", "sql"),
    "SQLStore": ("stores.sql.store", "sql"),
}


if not TYPE_CHECKING:  # so that a wrong name is one for who checks types, too

    def __getattr__(name: str) -> Any:
        # Classes that need a driver are imported on first use, because not every app installs the driver.
        if name not in _LAZY:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module, extra = _LAZY[name]
        try:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
        except ImportError as exc:
            raise ImportError(f'{exc}; pip install "sanic-chatrooms[{extra}]"') from exc
