"""One instance in one process: builds its parts, starts them and stops them. It has no rules of its own."""

import asyncio
import logging
import os
import secrets
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping
from functools import partial
from typing import Any

from .access.access import Access
from .access.limits import sharing
from .access.limits.limits import Limits
from .auth.asking import Asking
from .auth.base import Authenticator
from .auth.guests import Guests
from .auth.once import Once
from .auth.tickets import Tickets
from .brokers.base import Broker
from .config.backends import Backends, bounds_of, check_logout, index_of, make_authenticator, unusable
from .config.load import override, reconfigured
from .config.settings import Settings
from .declaration import Declaration, RouteDeclaration
from .errors import ConfigError, Unavailable
from .follows.follow import Follows
from .follows.listening import listen
from .hooks.declaring import check_wrapped
from .hooks.listeners import Listener, Listeners
from .hooks.middleware import Chain
from .hub.room import Receiver
from .hub.transactions import Transactions
from .live.overload import Overload
from .live.pieces import Pieces
from .live.presence import Occupancy
from .live.streams import Streams
from .live.typing import Typists
from .models import Scope
from .observe.instruments import COMMANDS, CONNECTIONS, OK, STREAMS, WORKERS
from .observe.meter import SILENT, Meter
from .parts import parts_of
from .presence.base import Presence
from .sessions.backlog import Backlog
from .sessions.drain import drain, send_away
from .sessions.evictions import Evictions
from .sessions.heartbeat import Heartbeat
from .sessions.inbox import Inbox
from .sessions.overrides import Overrides
from .sessions.receipts import ReadEvents
from .sessions.registry import Sessions
from .sessions.revocations import Revocations
from .sessions.route import Route
from .sessions.session import Session
from .sessions.signed import SignedBroker
from .stores.base import Store
from .stores.deadline import timed
from .support.tasks import end, keep_on
from .upkeep import Forgetting, PositionCheck, ask, each_minute, measure_lag, sweep
from .verbs.closing import Closing
from .verbs.core import Core
from .verbs.entering import put_in
from .verbs.mentions import tell_later
from .verbs.pages import Past
from .verbs.retention import drop_old
from .verbs.rooms import forget_if_unused
from .verbs.table import commands
from .verbs.unattached import Unattached

__all__ = ["Chat"]

logger = logging.getLogger("sanic_chatrooms.chat")


class Chat:
    """A running instance. Between `start` and `stop`, `commands` takes connections and the verbs work."""

    def __init__(
        self,
        declaration: Declaration,
        settings: Settings,
        *,
        backends: Backends | None = None,
        chatrooms: Any = None,
        app: Any = None,
        meter: Meter = SILENT,
    ) -> None:
        self.meter = meter
        self.declaration = declaration
        self.settings = settings
        self.configured = settings
        """The settings without what `reconfigure` has changed."""
        self._routes: list[tuple[RouteDeclaration, Route]] = []
        self.node = f"{os.getpid()}-{secrets.token_hex(8)}"
        self.backends = backends or Backends.of(settings)
        self.draining = False
        self.refusing = False
        """True: no more connections are admitted."""
        self._chatrooms = chatrooms
        self._app = app
        self._tasks: list[asyncio.Task[None]] = []
        self._listening: list[asyncio.Task[None]] = []
        self._authenticators: list[Authenticator] = []
        self.positions = PositionCheck(self.backends.broker, settings.position_check)
        self.forgetting = Forgetting(self._forget, self.backends.store)
        self.parts = parts_of(settings)
        self.store = timed(self.parts.store(self.backends.store), settings.store_timeout, meter)
        """The store that all parts use: it answers in time."""
        self._build(self.store, self.backends.broker, self.backends.presence)

    def _build(self, store: Store, broker: Broker, presence: Presence) -> None:
        self._build_hub(store, broker)
        self._build_limits(store, broker)
        self._build_sessions(store, presence)
        self._build_live(store, presence)
        self.follows = Follows(self.hub, store)
        self.meter.watch(CONNECTIONS, lambda: len(self.sessions))
        self.meter.watch(STREAMS, lambda: len(self.streams.own))
        self.meter.watch(WORKERS, lambda: 1)

    def _build_hub(self, store: Store, broker: Broker) -> None:
        settings, meter = self.settings, self.meter
        self.listeners = Listeners(self.declaration.listeners, self._app, meter)
        self.hub = self.parts.hub(store, broker, released=self.forgetting.released, meter=meter)
        self.signed = SignedBroker(
            store, broker, self.hub, self.backends.store, self.positions.soon, meter=meter
        )
        self.journal = self.parts.journal(
            store, broker, self.hub.deliver, self.listeners, settings.store_timeout, meter, self.hub.fanout
        )
        self.access = Access(store, self.declaration.levels)
        self.transactions = Transactions(
            self.backends.store,
            self.journal,
            self.positions.soon,
            self.access.again,
            lambda draft, stored: tell_later(self.core, draft, stored),
            meter=meter,
        )

    def _build_limits(self, store: Store, broker: Broker) -> None:
        alone = store.scope is Scope.PROCESS  # then this worker's buckets are all that there are
        self.limits = Limits(self.settings.rates, take=None if alone else store.take, meter=self.meter)
        self.shared = sharing.Shared(self.limits, self.node, self.journal.publish)
        """Tells the other workers what users have used, and hears it from them."""
        if broker.scope is not Scope.PROCESS:
            self.limits.sharing = self.shared
        self.hub.handle(sharing.TYPE, self.shared.receive)

    def _build_sessions(self, store: Store, presence: Presence) -> None:
        settings = self.settings
        alone = self.backends.broker.alone and store.scope is Scope.PROCESS
        self.inbox = Inbox(self.journal, self.hub, store, presence, alone=alone)
        self.heartbeat = Heartbeat()
        self.revocations = Revocations(store, self.journal, self.hub, settings.revocation_ttl)
        self.tickets = Tickets().at(store, settings.ticket_ttl)
        self.logouts = Once(store, "logout")
        self.sessions = Sessions(self.hub, store, self.revocations, alone=alone)
        self.evictions = Evictions(self.hub, self.sessions.of, self.access.levels)
        self.overrides = Overrides(store, self.journal, self.hub, self._use)
        self.sessions.reconfigured = self.overrides.changed
        self.backlog = Backlog(self.hub.fanout, self.meter)

    def _build_live(self, store: Store, presence: Presence) -> None:
        settings, meter = self.settings, self.meter
        self.overload = Overload(settings.overload_lag, meter)
        self.receipts = ReadEvents(self.hub, self.journal.publish)
        self.typists = Typists(self.hub, self.journal.publish, overload=self.overload)
        pieces = Pieces(self.hub, self.journal.publish, _is_slow, meter=meter)
        self.streams = Streams(self.hub, store, self.journal.publish, pieces)
        self.occupancy = Occupancy(
            presence,
            self.hub,
            self.journal.publish,
            grace=settings.presence_grace,
            ttl=settings.presence_ttl,
            emptied=self.forgetting.left,
            waits=self.overload.waits,
            alone=self.backends.broker.alone,
        )

    async def start(self) -> None:
        """Connect the backends, then the core. Raises `ConfigError`, `Unavailable`."""
        settings, backends = self.settings, self.backends
        spaces = backends.spaces(settings)
        await self._begin("store", self.store.start(spaces["store"], bounds_of(settings)))
        await self._begin("broker", self.signed.start(spaces["broker"]))
        presence = backends.presence.start(spaces["presence"], self.node, settings.presence_ttl)
        await self._begin("presence", presence)
        self.hub.start()
        self.journal.start()
        self.guests = Guests(
            settings.guest_secret or await self.store.secret("guests"),
            instance=spaces["store"],
            reserved=settings.reserved_names,
            also_reserved=self.declaration.reserved,
        )
        self.core = self._core()
        self.closing = Closing(self.core, self._chatrooms or self, self._app)
        self.commands = self.parts.commands(
            self.core,
            own=self.declaration.commands,
            chat=self._chatrooms or self,
            app=self._app,
        )
        self.authenticator = make_authenticator(settings)
        check_logout(settings, self.authenticator)
        routed = (route.auth for route in self.declaration.routes)
        self._authenticators = [one for one in (self.authenticator, *routed) if one is not None]
        self.hub.about_rights, self.hub.after_rights = self.evictions.before, self.evictions.after
        await self.sessions.start(partial(put_in, self.core))
        await self.overrides.load()
        # A task each, so that a backend that hangs does not keep the hub from asking another one.
        self.positions.start()
        self._tasks = [asyncio.ensure_future(round) for round in self._rounds()]

    def _rounds(self) -> tuple[Coroutine[Any, Any, Any], ...]:
        return (
            keep_on(lambda: sweep(self.heartbeat), "looking after connections"),
            keep_on(lambda: sweep(self.typists), "telling who types"),
            keep_on(lambda: sweep(self.receipts), "telling who has read"),
            keep_on(lambda: sweep(self.limits), "forgetting limits that are not used"),
            keep_on(self.overrides.go_on, "using settings that were changed"),
            keep_on(self.shared.go_on, "telling other workers what was used"),
            keep_on(lambda: sweep(self.occupancy), "telling who came and went"),
            keep_on(lambda: ask(self.occupancy.refresh), "telling the presence backend who is here"),
            keep_on(lambda: ask(self.hub.release), "letting go of rooms"),
            keep_on(lambda: ask(self.signed.renew), "renewing the key of the broker"),
            keep_on(lambda: each_minute(partial(drop_old, self.store)), "dropping old events of rooms"),
            keep_on(lambda: ask(self.revocations.sweep), "forgetting bans and revocations that have passed"),
            keep_on(lambda: ask(self.core.unattached.go_on), "telling of files that no message has"),
            keep_on(lambda: self.positions.compare(self.hub.check), "comparing positions"),
            keep_on(self.overload.go_on, "looking whether the event loop is late"),
            keep_on(lambda: measure_lag(self.meter), "measuring how late the event loop is"),
            keep_on(lambda: ask(self.closing.sweep), "keeping messages that are being written"),
            keep_on(self.closing.go_on, "closing messages that nobody writes any more"),
            self.transactions.run(),
        )

    async def _begin(self, backend: str, starting: Awaitable[None]) -> None:
        try:
            await starting
        except (ConfigError, Unavailable) as problem:
            told = unusable(self.settings, backend, problem)
            if told is problem:
                raise
            raise told from problem

    def _core(self) -> Core:
        return Core(
            settings=self.settings,
            store=self.store,
            presence=self.backends.presence,
            journal=self.journal,
            hub=self.hub,
            access=self.access,
            limits=self.limits,
            guests=self.guests,
            tickets=self.tickets,
            asking=Asking(self.settings.required_amr),
            inbox=self.inbox,
            sessions=self.sessions,
            revocations=self.revocations,
            evictions=self.evictions,
            heartbeat=self.heartbeat,
            backlog=self.backlog,
            occupancy=self.occupancy,
            typists=self.typists,
            streams=self.streams,
            receipts=self.receipts,
            listeners=self.listeners,
            chain=self._chain(),
            unattached=Unattached(self.store, self.listeners, serves=self._app is not None),
            past=Past(self.store, self.streams.show),
            meter=self.meter,
            said=self.meter.tally(COMMANDS, "message", OK),
            index=index_of(self.settings, self.backends.store),
        )

    def _chain(self) -> Chain:
        for types, _ in self.declaration.middleware:
            for type in types or ():
                check_wrapped(type, commands(), self.declaration.commands)
        return Chain(self.declaration.middleware)

    def route(self, declared: RouteDeclaration) -> Route:
        """A route, completed by what its instance has. Raises `ConfigError`."""
        known = next((route for one, route in self._routes if one is declared), None)
        if known is not None:
            return known
        settings = self._settings_of(declared)
        authenticator = declared.auth or self.authenticator
        named = authenticator is not None and any(isinstance(one, Tickets) for one in authenticator.members)
        route = Route(
            settings=settings,
            policy=declared.policy or self.declaration.policy,
            authenticator=authenticator,
            tickets=self.tickets
            if named or ((settings.tickets or settings.api) and declared.auth is None)
            else None,
            guests=self.guests if settings.guests and declared.auth is None else None,
            read_only=declared.read_only,
            confined=declared.confined,
        )
        self._routes.append((declared, route))
        return route

    def _settings_of(self, declared: RouteDeclaration) -> Settings:
        where = f'{self.settings.instance}.add_route("{declared.path}")'
        return override(self.settings, where, **declared.settings) if declared.settings else self.settings

    @property
    def gives_tickets(self) -> bool:
        """Whether a route of this instance accepts tickets."""
        return any(self.route(declared).tickets is not None for declared in self.declaration.routes)

    # ---- while it runs ----

    async def reconfigure(self, values: Mapping[str, Any]) -> None:
        """Change settings on all workers. Raises `ConfigError`, `Unavailable`."""
        merged = {**self.overrides.values, **values}
        wanted = {
            name: getattr(self.configured, name, None) if value is None else value
            for name, value in merged.items()
        }
        reconfigured(self.configured, **wanted)
        await self.overrides.change(values)

    def _use(self, overrides: Mapping[str, Any]) -> None:
        """Use these settings instead of those that are configured."""
        try:
            settings = reconfigured(self.configured, **overrides)
        except ConfigError as problem:
            logger.warning(
                "settings that were changed at run time do not fit here and are left out: %s", problem
            )
            return
        logger.info("settings that were changed at run time: %s", ", ".join(overrides) or "none any more")
        self.settings = self.core.settings = settings
        self.limits.configure(settings.rates)
        self.overload.limit = settings.overload_lag
        for declared, route in self._routes:
            route.settings = self._settings_of(declared)
        for session in self.sessions:
            session.settings = session.route.settings

    def listen(self, listener: Listener, rooms: Iterable[str], types: Collection[str]) -> None:
        """Call a function of the app for events of these rooms, whichever process they come from, until the chat stops."""
        in_turn = asyncio.Lock()
        for room in rooms:
            task = asyncio.ensure_future(listen(self.follows, listener, room, types, in_turn))
            self._listening.append(task)

    async def _forget(self, room: str) -> None:
        if room.startswith("~user."):
            await self.sessions.forget(room)
        else:
            await forget_if_unused(self.core, room)

    # ---- the end ----

    async def drain(self) -> None:
        """Tell all clients to reconnect and close them with 1012, in batches if there are many."""
        self.draining = True
        await drain(self.sessions, self.hub.flush, self.settings.drain_seconds)

    def send_away(self) -> None:
        """The same for all connections that are open now, at once."""
        self.draining = True
        for session in self.sessions:
            send_away(session)
        self.hub.flush()

    async def stop(self) -> None:
        """Stop all parts in the order of their dependencies. Calling it again does nothing."""
        self.refusing = True
        self.send_away()
        await self.follows.stop()
        tasks, self._tasks = [*self._tasks, *self._listening], []
        await end(*tasks, *self.forgetting.stop())
        await self.occupancy.stop()
        await self.streams.stop()
        await self.sessions.stop()
        await self.listeners.stop()
        await self.journal.stop()
        await self.hub.stop()
        for authenticator in self._authenticators:
            await _stop(authenticator.stop)
        for backend in (self.backends.presence, self.backends.broker, self.backends.store):
            await _stop(backend.stop)


def _is_slow(receiver: Receiver) -> bool:
    """Whether a connection reads too slowly for pieces of messages that are being written."""
    return isinstance(receiver, Session) and receiver.connection.owing()


async def _stop(stop: Callable[[], Awaitable[None]]) -> None:
    try:
        await stop()
    except Exception:
        logger.exception("a part did not stop as it should")
