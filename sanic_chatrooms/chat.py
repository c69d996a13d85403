"""The running whole of one instance in one process: builds the parts, starts and stops them. No rules inside."""

import asyncio
import contextlib
import logging
import os
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from .access.access import Access
from .access.policy import Policy, RoomPolicy
from .auth.base import Authenticator
from .auth.guests import Guests
from .auth.jwt import JWTAuth
from .brokers.base import Broker
from .config.backends import is_embedded, make_broker, make_presence, make_store, resolve, server_of
from .config.load import override
from .config.settings import Settings
from .errors import ConfigError, Unavailable
from .hooks.declaring import check_wrapped
from .hooks.listeners import Listener, Listeners
from .hooks.middleware import Chain, Middleware
from .hub.hub import Hub
from .hub.journal import Journal
from .hub.transactions import Transactions
from .live.presence import Occupancy
from .live.typing import Typists
from .models import Scope, is_reserved
from .presence.base import Presence
from .sessions.backlog import Backlog
from .sessions.drain import drain, send_away
from .sessions.heartbeat import Heartbeat
from .sessions.inbox import Orders
from .sessions.registry import Sessions
from .sessions.route import Endpoint
from .sessions.session import Session
from .sessions.signed import SignedBroker
from .stores.base import Bounds, Store
from .stores.deadline import TimedStore
from .support.backoff import jittered
from .support.tasks import end, keep_on
from .verbs.dispatch import Commands, HostCommand
from .verbs.edits import Edits
from .verbs.entering import Entering
from .verbs.identity import Identity
from .verbs.members import Members
from .verbs.membership import Membership
from .verbs.messages import Speech
from .verbs.rooms import Rooms

__all__ = ["Chat", "Declaration", "Route"]

logger = logging.getLogger("sanic_chatrooms.chat")

SWEEP = 1.0
REPEAT_WHILE_DOWN = 1.0


class Route(msgspec.Struct, frozen=True):
    """A WebSocket route as the host declared it."""

    path: str
    auth: Authenticator | None = None
    policy: Policy | None = None
    room: str | None = None
    read_only: bool = False
    confined: bool = False
    settings: Mapping[str, Any] = {}


class Declaration(msgspec.Struct):
    """What a host says before anything runs; shared by every app that mounts it."""

    name: str
    code: dict[str, Any] = {}
    policy: Policy = msgspec.field(default_factory=RoomPolicy)
    routes: list[Route] = []
    middleware: list[tuple[frozenset[str] | None, Middleware]] = []
    listeners: dict[str, list[Listener]] = {}
    commands: dict[str, HostCommand] = {}


class Backends(msgspec.Struct):
    """The three that a deployment chooses."""

    store: Store
    broker: Broker
    presence: Presence

    apart: frozenset[str] = frozenset()
    """Those on a server that no other app uses, the one that an app brings along: `store`, `broker`, `presence`."""

    def spaces(self, settings: Settings) -> dict[str, str]:
        """By backend: what the names of this chat begin with there. On a server that several apps may share, with the app's."""
        return {name: settings.space(shared=name in self.shared) for name in ("store", "broker", "presence")}

    @property
    def shared(self) -> frozenset[str]:
        """Those that other apps may use too."""
        scopes = {
            "store": self.store.scope,
            "broker": self.broker.scope,
            "presence": self.presence.scope,
        }
        return frozenset(name for name, scope in scopes.items() if scope is Scope.CLUSTER) - self.apart

    @classmethod
    def of(cls, settings: Settings) -> "Backends":
        """What the settings name. Raises `ConfigError`."""
        directory = settings.embedded_dir
        store = make_store(settings.store, directory)
        at_broker = settings.broker or server_of("BROKER", store)
        broker = make_broker(at_broker, directory)
        same_server = bool(broker.publisher) and store.server_url == broker.server_url
        store.publishes_as = broker.publisher if same_server else None
        # Where the store reaches further than the broker, but not all machines, there is one process: its memory will do.
        alone = broker.scope is Scope.PROCESS and store.scope is not Scope.CLUSTER
        beside = (broker,) if alone else (broker, store)
        at_presence = settings.presence or server_of("PRESENCE", *beside)
        presence = make_presence(at_presence, directory)
        named = {"store": settings.store, "broker": at_broker, "presence": at_presence}
        apart = frozenset(name for name, value in named.items() if is_embedded(value, directory))
        return cls(store, broker, presence, apart)


class Chat:
    """`start`, then `commands` takes connections and the verbs work, until `stop`."""

    def __init__(
        self,
        declaration: Declaration,
        settings: Settings,
        *,
        backends: Backends | None = None,
        host: Any = None,
        app: Any = None,
    ) -> None:
        self.declaration = declaration
        self.settings = settings
        self.node = f"{os.getpid()}-{secrets.token_hex(8)}"
        self.backends = backends or Backends.of(settings)
        self.draining = False
        self.refusing = False
        """No more connections are admitted."""
        self._host = host
        self._app = app
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []
        self._forgetting: set[asyncio.Task[None]] = set()
        self._check_now = asyncio.Event()
        self._check_at = 0.0
        self.store = TimedStore(self.backends.store, settings.store_timeout)
        """The store as everything in here uses it: it answers in time."""
        self._build(self.store, self.backends.broker, self.backends.presence)

    def _build(self, store: Store, broker: Broker, presence: Presence) -> None:
        settings = self.settings
        self.listeners = Listeners(self.declaration.listeners, self._app)
        self.hub = Hub(store, broker, released=self._released)
        self.signed = SignedBroker(store, broker, self.hub, self.backends.store, self._check_now.set)
        self.journal = Journal(store, broker, self.hub.deliver, self.listeners, settings.store_timeout)
        self.transactions = Transactions(self.backends.store, self.journal, self._check_now.set)
        self.access = Access(store)
        self.orders = Orders(self.journal, self.hub, store, presence)
        self.typists = Typists(self.hub, self.journal.ring)
        self.occupancy = Occupancy(
            presence,
            self.hub,
            self.journal.ring,
            grace=settings.presence_grace,
            ttl=settings.presence_ttl,
            emptied=self._left,
        )
        self.heartbeat = Heartbeat()
        self.sessions = Sessions(self.hub, store)
        self.speech = Speech(store, self.journal, self.hub, self.access, self.orders, self.typists)
        self.edits = Edits(store, self.journal, self.access)
        self.members = Members(store, presence, self.access)
        self.backlog = Backlog(self.hub.fanout)
        self.membership = Membership(
            store=store,
            journal=self.journal,
            access=self.access,
            orders=self.orders,
            occupancy=self.occupancy,
            presence=presence,
            left=self._take_out,
        )
        self.entering = Entering(
            store=store,
            hub=self.hub,
            access=self.access,
            membership=self.membership,
            occupancy=self.occupancy,
            typists=self.typists,
            listeners=self.listeners,
            settings=settings,
        )
        self.rooms = Rooms(
            store=store, hub=self.hub, orders=self.orders, presence=presence, settings=settings
        )

    async def start(self) -> None:
        """Connect the backends, then the core. Raises `ConfigError`, `Unavailable`."""
        settings, backends = self.settings, self.backends
        bounds = Bounds(
            history_max=settings.history_max,
            retention=settings.retention,
            dedup_window=settings.dedup_window,
            erase_within=settings.erase_within,
            max_rooms=settings.max_rooms,
            max_direct_rooms=settings.max_direct_rooms,
            timeout=settings.store_timeout,
        )
        spaces = backends.spaces(settings)
        await backends.store.start(spaces["store"], bounds)
        await self.signed.start(spaces["broker"])
        await backends.presence.start(spaces["presence"], self.node, settings.presence_ttl)
        self.hub.start()
        self.journal.start()
        self.guests = Guests(
            settings.guest_secret or await self.store.secret("guests"),
            instance=spaces["store"],
            reserved=settings.reserved_names,
        )
        self.identity = Identity(
            guests=self.guests,
            sessions=self.sessions,
            heartbeat=self.heartbeat,
            occupancy=self.occupancy,
            listeners=self.listeners,
        )
        self.commands = self._commands()
        self.authenticator = _authenticator(settings)
        await self.sessions.start(self.entering.enter_by_order)
        # Each by itself: a backend that hangs must not keep the hub from asking another one.
        self._check_at = asyncio.get_running_loop().time() + self._check_interval()
        rounds = (
            keep_on(lambda: self._sweep(self.heartbeat), "looking after connections"),
            keep_on(lambda: self._sweep(self.typists), "telling who types"),
            keep_on(lambda: self._sweep(self.occupancy), "telling who came and went"),
            keep_on(lambda: self._repeat(self.occupancy.refresh), "telling the presence backend who is here"),
            keep_on(lambda: self._repeat(self.hub.release), "letting go of rooms"),
            keep_on(lambda: self._repeat(self.signed.renew), "renewing the key of the broker"),
            keep_on(self._check, "comparing positions"),
            self.transactions.run(),
        )
        self._tasks = [asyncio.ensure_future(round) for round in rounds]

    def _commands(self) -> Commands:
        return Commands(
            hub=self.hub,
            identity=self.identity,
            speech=self.speech,
            edits=self.edits,
            entering=self.entering,
            membership=self.membership,
            rooms=self.rooms,
            members=self.members,
            backlog=self.backlog,
            typists=self.typists,
            sessions=self.sessions,
            heartbeat=self.heartbeat,
            occupancy=self.occupancy,
            listeners=self.listeners,
            chain=self._chain(),
            host=self.declaration.commands,
            chat=self._host or self,
            app=self._app,
        )

    def _chain(self) -> Chain:
        for types, _ in self.declaration.middleware:
            for type in types or ():
                check_wrapped(type, self.declaration.commands)
        return Chain(self.declaration.middleware)

    def endpoint(self, route: Route) -> Endpoint:
        """A route with everything that it did not set itself."""
        where = f'{self.settings.instance}.add_route("{route.path}")'
        settings = override(self.settings, where, **route.settings) if route.settings else self.settings
        return Endpoint(
            settings=settings,
            policy=route.policy or self.declaration.policy,
            authenticator=route.auth or self.authenticator,
            guests=self.guests if settings.guests and route.auth is None else None,
            read_only=route.read_only,
            confined=route.confined,
        )

    # ---- while it runs ----

    def _take_out(self, session: Session, room: str) -> None:
        self.entering.exit(session, room)

    def _released(self, room: str) -> None:
        """This worker holds the room no longer. Others may hold a user's: that is forgotten when the user is gone from all."""
        if not is_reserved(room) or self.backends.store.scope is Scope.PROCESS:
            self._left(room)

    def _left(self, room: str) -> None:
        """This worker holds the room no longer, or the last user is gone: whichever comes later."""
        if self._stopping:
            return
        task = asyncio.ensure_future(self._forget(room))
        self._forgetting.add(task)
        task.add_done_callback(self._forgetting.discard)

    async def _forget(self, room: str) -> None:
        try:
            if room.startswith("~user."):
                await self.sessions.forget(room)
            else:
                await self.rooms.forget_if_unused(room)
        except Unavailable:
            pass  # it stays until somebody joins and leaves it again
        except Exception:
            logger.exception("room %s could not be looked at", room)

    async def _sweep(self, part: Heartbeat | Typists | Occupancy) -> None:
        """What only concerns this process: never waits for a backend."""
        await asyncio.sleep(SWEEP)
        part.sweep()

    async def _repeat(self, part: Callable[[], Awaitable[None]]) -> None:
        """What asks a backend every second: presence, rooms that nobody needs."""
        await asyncio.sleep(SWEEP)
        with contextlib.suppress(Unavailable):
            await part()

    async def _check(self) -> None:
        """Compare positions: now and then, at once after a reconnect, every second while bells are known to be lost."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SWEEP):
                await self._check_now.wait()
        if not (
            self._check_now.is_set() or loop.time() >= self._check_at or not self.backends.broker.healthy
        ):
            return
        self._check_now.clear()
        self._check_at = 0.0  # again at once, unless this one succeeds
        try:
            await self.hub.check()
        except Unavailable:
            await asyncio.sleep(REPEAT_WHILE_DOWN)
        else:
            self._check_at = loop.time() + self._check_interval()

    def _check_interval(self) -> float:
        # Jittered, or all workers ask the store in the same moment.
        return jittered(self.settings.position_check, 0.8, 1.0)

    # ---- the end ----

    async def drain(self) -> None:
        """Tell those who are connected to come back, and close them with 1012: many of them not all in one moment."""
        self.draining = True
        await drain(self.sessions, self.hub.flush, self.settings.drain_seconds)

    def send_away(self) -> None:
        """The same for whoever is connected now, at once."""
        self.draining = True
        for session in self.sessions:
            send_away(session)
        self.hub.flush()

    async def stop(self) -> None:
        """End everything, in the order in which it depends on each other. Calling it again does nothing."""
        self.refusing = self._stopping = True
        self.send_away()
        tasks, self._tasks = [*self._tasks, *self._forgetting], []
        await end(*tasks)
        await self.occupancy.stop()
        await self.sessions.stop()
        await self.listeners.stop()
        await self.journal.stop()
        await self.hub.stop()
        for backend in (self.backends.presence, self.backends.broker, self.backends.store):
            await _stop(backend.stop)


async def _stop(stop: Callable[[], Awaitable[None]]) -> None:
    try:
        await stop()
    except Exception:
        logger.exception("a backend did not stop as it should")


def _authenticator(settings: Settings) -> Authenticator | None:
    if settings.auth is not None:
        auth = settings.auth
        if isinstance(auth, str):
            auth = resolve("AUTH", auth, "sanic_chatrooms.auth")
        if isinstance(auth, type):
            auth = auth()
        if not isinstance(auth, Authenticator):
            raise ConfigError(
                f"CHATROOMS_AUTH: {auth!r} is no Authenticator; derive from sanic_chatrooms.Authenticator"
            )
        return auth
    if settings.jwt_secret is None:
        return None
    return JWTAuth(
        settings.jwt_secret,
        previous_key=settings.jwt_previous_secret,
        algorithms=settings.jwt_algorithms,
        audience=settings.jwt_audience,
        issuer=settings.jwt_issuer,
        leeway=settings.jwt_leeway,
        user_claim=settings.jwt_user_claim,
        name_claim=settings.jwt_name_claim,
    )
