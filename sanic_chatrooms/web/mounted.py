"""One instance in one app: what it was declared with, and its chat while the app runs."""

import asyncio
import contextlib
import importlib
import logging
import os
from collections import Counter
from typing import Any

import msgspec
from sanic import Request
from sanic.exceptions import ServiceUnavailable

from ..chat import Chat
from ..config.backends import Backends
from ..config.checks import require_auth, require_scope
from ..config.load import load
from ..config.settings import Settings
from ..declaration import Declaration
from ..drivers.redis.embedded import user_directory
from ..errors import ConfigError
from ..observe.meter import SILENT
from ..sessions.route import Route
from .health import Readiness
from .integrations import hears_ends, hears_requests, signalled
from .redaction import redact_logs
from .sanic_contract import Capabilities, FastParts, log_start, probe
from .socket.fast import FastConnection
from .socket.lone import LoneConnection
from .socket.plain import PlainConnection
from .socket.turns import Turns, turns_to_read
from .workers.garbage import COLLECTOR
from .workers.stop_accepting import stop_accepting

__all__ = ["App", "Mounted", "mounted_in"]

LINGER = 0.5
"""Seconds that a stopping worker waits for requests on connections that it has accepted already."""
AGAIN = 0.05
"""Seconds between two looks for connections that are left."""

REST = "sanic_chatrooms.web.rest.call"
METRICS = "sanic_chatrooms.web.metrics"
ADMIN = "sanic_chatrooms.web.admin.admin"

App = Any
"""A `Sanic` app with any types of config and context."""
logger = logging.getLogger("sanic_chatrooms.web")


def mounted_in(app: App) -> "dict[str, Mounted]":
    """The instances that this app has, by name."""
    mounted: dict[str, Mounted] | None = getattr(app.ctx, "_chatrooms_mounted", None)
    if mounted is None:
        mounted = app.ctx._chatrooms_mounted = {}
    return mounted


class Mounted:
    """One instance in one app: its settings, and while it runs its chat."""

    fast = True
    """Use the fast edge where it works. False: use the plain edge."""
    lone = True
    """Have Sanic let go of connections where that works. False: it keeps what it has of each."""
    doors = True
    """Let requests come in by the door where that works. False: Sanic does each handshake."""

    def __init__(self, app: App, declaration: Declaration, chatrooms: Any) -> None:
        self.app = app
        self.declaration = declaration
        self.chatrooms = chatrooms
        """The `ChatRooms` of this app."""
        self.chat: Chat | None = None
        self.routes: dict[str, Route] = {}
        self._edge: type[FastConnection] | None = None
        self._door: bool | None = None
        self.capabilities = Capabilities(None)
        """What the installed Sanic and `websockets` allow; known from the start on."""
        self.open_in_debug = False
        """Guests may come in only because this is debug mode and no setting says who may."""
        self.rest: Any = None
        """Answers at `<prefix>/api`, a `rest.call.Rest`; None: the setting `API` is off."""
        self.metrics: Any = None
        """The `Metrics` of this worker; None: the settings `METRICS` and `ADMIN` are off."""
        self.admin: Any = None
        """Answers at `<prefix>/admin/`, an `admin.admin.Admin`; None: the setting `ADMIN` is off."""
        self.readiness = Readiness()
        self.by_ip: Counter[str] = Counter()
        self.arriving: set[Request] = set()
        """Requests that are being admitted, or were admitted and are no connection yet."""
        self.turns = Turns()
        """Those behind them, at the door, …"""
        self.reading = turns_to_read()
        """… and those behind these, of whom is not known yet what they ask."""

    def settings(self) -> Settings:
        """What the app's code, `app.config` and the environment say. Raises `ConfigError`."""
        declared = self.declaration
        settings = load(
            declared.name,
            self.app.config,
            os.environ,
            declared.code,
            debug=bool(self.app.debug),
            instances=mounted_in(self.app),
        )
        if settings.namespace is None:
            settings = msgspec.structs.replace(settings, namespace=self.app.name)
        if settings.embedded and settings.embedded_dir is None:
            settings = msgspec.structs.replace(settings, embedded_dir=str(user_directory(self.app.name)))
        has_auth = any(route.auth is not None for route in declared.routes)
        admitting = require_auth(settings, has_auth)
        self.open_in_debug = admitting.guests and not settings.guests
        return admitting

    def check(self, workers: int) -> tuple[Settings, Backends]:
        """Find what is wrong before anything runs. Raises `ConfigError`."""
        settings = self.settings()
        backends = Backends.of(settings)
        scopes = {
            "store": backends.store.scope,
            "broker": backends.broker.scope,
            "presence": backends.presence.scope,
        }
        require_scope(workers, scopes, instance=settings.instance)
        return settings, backends

    async def start(self, workers: int) -> None:
        """Build and start the chat."""
        if self.app.asgi:
            raise ConfigError(
                "chat rooms need Sanic's own server: under an ASGI server Sanic cannot close a WebSocket with a code, "
                "refuse one with an HTTP status, or tell that a peer is gone. Start it with `sanic module:app`"
            )
        self.capabilities, self._edge, self._door = probe(self.app), None, None
        log_start(self.capabilities)
        settings, backends = self.check(workers)
        declared: Declaration = self.chatrooms.declared()
        listeners = signalled(self.app) if self.capabilities.has("signals") else {}
        for type, functions in declared.listeners.items():
            listeners[type] = [*functions, *listeners.get(type, ())]
        declaration = msgspec.structs.replace(declared, listeners=listeners)
        if self.open_in_debug:
            logger.warning(
                'chat rooms "%s": anyone can get in as a guest, because this is debug mode (--dev, --debug) and no setting '
                "says who may; outside debug the app does not start like this",
                settings.instance,
            )
        self.metrics = self._metrics(settings)
        meter = self.metrics.meter if self.metrics else SILENT
        self.chat = Chat(
            declaration, settings, backends=backends, chatrooms=self.chatrooms, app=self.app, meter=meter
        )
        await self.chat.start()
        if settings.admin:
            self.admin = importlib.import_module(ADMIN).Admin(self, self.chat, self.metrics)
            self.admin.start()
        if self.metrics:
            self.metrics.start()
        logger.info('chat rooms "%s" are running: %s', settings.instance, self.capabilities)
        self.routes = {declared.path: self.chat.route(declared) for declared in self.declaration.routes}
        if settings.api:  # where it is off, it costs no memory
            self.rest = importlib.import_module(REST).Rest(self, self.chat)
        redact_logs(route.settings.token_query for route in self.routes.values())

    def _metrics(self, settings: Settings) -> Any:
        if not (settings.metrics or settings.admin):
            return None
        return importlib.import_module(METRICS).Metrics(self.app, settings)

    def share_metrics(self, settings: Settings) -> None:
        """Let the workers, which do not run yet, count together."""
        if settings.metrics or settings.admin:
            importlib.import_module(METRICS).share_metrics(self.app, settings)

    @property
    def parts(self) -> FastParts | None:
        """What the fast edge needs; None: the plain edge is used."""
        return self.capabilities.fast if self.fast else None

    def connection(self, ws: Any, settings: Settings) -> FastConnection | PlainConnection:
        """The edge for one WebSocket."""
        if self.parts is None:
            return PlainConnection(ws, settings.outbox_limit, settings.max_frame)
        if self._edge is None:  # the first one: now all signals are known
            self._edge = LoneConnection if self._lets_go() else FastConnection
        return self._edge(ws, self.parts, settings.outbox_limit, settings.max_frame)

    def _lets_go(self) -> bool:
        """Does nobody notice when Sanic believes that a connection has ended? The access log and some signals of Sanic's tell of that."""
        can = self.lone and self.capabilities.has("letting_go") and self.capabilities.has("signals")
        return can and not self.app.config.ACCESS_LOG and not hears_ends(self.app)

    @property
    def has_door(self) -> bool:
        """Does nothing of the app have to see the requests for its WebSockets as Sanic makes them? See `socket/door.py`."""
        if self._door is None:  # the first one: now all signals are known
            can = self.doors and self.fast and self.capabilities.door is not None and self._lets_go()
            self._door = can and self.app.request_class is Request and not hears_requests(self.app)
        return self._door

    async def drain(self) -> None:
        """Tell all clients to reconnect, and wait until their connections have ended."""
        chat = self.chat
        if chat is None or chat.draining:
            return
        chat.refusing = not stop_accepting()
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(chat.settings.drain_seconds):
                    await chat.drain()
                    await self._emptied(chat)
        finally:
            chat.refusing = True

    async def _emptied(self, chat: Chat) -> None:
        """Wait until no connection is left. A connection that was accepted before and speaks late is served, then sent away."""
        loop = asyncio.get_running_loop()
        linger_until = loop.time() + (0.0 if chat.refusing else LINGER)
        while (
            self.by_ip
            or self.arriving
            or self.turns.waiting
            or self.reading.waiting
            or loop.time() < linger_until
        ):
            chat.send_away()
            await asyncio.sleep(AGAIN)

    def opened(self, ip: str) -> None:
        """One more connection from this address."""
        self.by_ip[ip] += 1
        COLLECTOR.came()

    def closed(self, ip: str) -> None:
        """One connection less from this address."""
        self.by_ip[ip] -= 1
        if self.by_ip[ip] <= 0:
            del self.by_ip[ip]
        COLLECTOR.went()

    def running(self) -> Chat:
        """The chat. Raises 503 before its start and after its stop."""
        if self.chat is None:
            raise ServiceUnavailable("the chat is not running")
        return self.chat

    async def stop(self) -> None:
        """End the chat."""
        chat, self.chat, self.rest = self.chat, None, None
        admin, self.admin = self.admin, None
        if admin is not None:
            await admin.stop()
        if chat is not None:
            await chat.stop()
        metrics, self.metrics = self.metrics, None
        if metrics is not None:
            await metrics.stop()
