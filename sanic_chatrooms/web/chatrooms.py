"""`ChatRooms`, the public face of an instance: an app declares it at import, mounts it, and calls its verbs at run time."""

import os
import re
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar, Unpack, overload

import msgspec

from ..access.policy import Policy, RoomPolicy
from ..access.roles import check_roles
from ..auth.base import Authenticator
from ..auth.guests import IsReserved
from ..chat import Chat
from ..config.checks import check_name
from ..config.keywords import InstanceSettings, RouteSettings
from ..config.load import load
from ..declaration import Declaration, RouteDeclaration
from ..errors import ConfigError
from ..follows.listening import OnlyIn
from ..hooks.declaring import (
    check_answer,
    check_authenticator,
    check_command_type,
    check_event,
    check_handler,
    check_policy,
    check_rooms,
    check_stored,
    check_wrapped,
    same_place,
)
from ..hooks.listeners import Listener
from ..hooks.middleware import SPEAK, Middleware
from ..hooks.publishing import BeforePublish, OnFailure, check_budget, within_budget
from ..server_api import ServerAPI
from ..verbs.own import AppCommand
from ..verbs.reports import hold
from ..verbs.table import commands, events
from ..wire.names import check_room_id
from .blueprint import ChatBlueprint
from .mounted import App, mounted_in

__all__ = ["ChatRooms", "connect"]

F = TypeVar("F", bound=Callable[..., Any])


class ChatRooms(ServerAPI):
    """One instance of chat rooms: `app.blueprint(chat.bp)` mounts it.

    `name` keeps instances apart in every store and broker. `auth`, `store`, `broker` and `presence` are objects, URLs,
    entry points or "package.module:Class". `roles` are roles of your own with their levels: {"editor": 30}. Every other keyword is a setting by its lower-case name (`guests=True`).
    Keywords override `app.config`, which overrides the environment. Raises `ConfigError`.
    """

    def __init__(
        self,
        name: str = "default",
        *,
        policy: Policy | None = None,
        roles: Mapping[str, int] | None = None,
        **settings: Unpack[InstanceSettings],
    ) -> None:
        check_name(name)
        check_policy(policy, f'ChatRooms("{name}")')
        code = {key: value for key, value in settings.items() if value is not None}
        self._declaration = Declaration(
            name,
            code,
            policy or RoomPolicy(),
            check_roles(roles, f'ChatRooms("{name}")'),
            [RouteDeclaration("/ws"), RouteDeclaration("/ws/<room:str>")],
        )
        self.own: Declaration | None = None
        """What is declared for the one app that this is bound to."""
        self._eras: dict[int, int] = {}
        """By the `id` of a function or a route: how often the instance was mounted before it was declared."""
        self._app: App | None = None
        self._alone: Chat | None = None
        self.bp = ChatBlueprint(self._declaration, self)
        """The blueprint to mount."""

    def __repr__(self) -> str:
        return f"<ChatRooms {self.name}>"

    @property
    def name(self) -> str:
        """The instance's name."""
        return self._declaration.name

    # ---- declaring ----

    def add_route(
        self,
        path: str,
        *,
        auth: Authenticator | None = None,
        policy: Policy | None = None,
        room: str | None = None,
        read_only: bool = False,
        **settings: Unpack[RouteSettings],
    ) -> None:
        """Add a WebSocket route under the instance's prefix.

        A `<room>` in the path, or `room`, confines its connections to that room: they are joined to it, and can join no
        other. `auth` and `policy` replace those of the instance; a route with `auth` lets no guests in. Other keywords
        are settings of a connection (`max_frame=4096`). Raises `ConfigError`.
        """
        given: object = path
        if not isinstance(given, str) or not re.fullmatch(r"/\S*", given):
            raise ConfigError(f'add_route({path!r}): the path must begin with / and have no spaces: "/desk"')
        in_path = re.search(r"<room(:str)?>", path) is not None
        if room is not None and in_path:
            raise ConfigError(
                f'add_route("{path}"): the room is in the path already; leave out room={room!r}'
            )
        if room is not None:
            check_room_id(room)
        check_policy(policy, f'add_route("{path}")')
        check_authenticator(auth, f'add_route("{path}")')
        route = RouteDeclaration(path, auth, policy, room, read_only, in_path or room is not None, settings)
        self._add_route(route)

    def _add_route(self, route: RouteDeclaration) -> None:
        routes, now = self._declaration.routes, self.bp.ctx.mounts
        at = next((at for at, known in enumerate(routes) if known.path == route.path), None)
        if at is None:
            self.bp.add_chat_route(route)
            routes.append(route)
        elif self._eras.pop(id(routes[at]), now) < now and routes[at].room == route.room:
            routes[at] = route  # an app factory is called again
        else:
            raise ConfigError(f'add_route("{route.path}"): this route is there already')
        self._eras[id(route)] = now

    @overload
    def middleware(self, function: Middleware, /) -> Middleware: ...
    @overload
    def middleware(self, *types: str) -> Callable[[Middleware], Middleware]: ...
    def middleware(self, *types: Any) -> Any:
        """Decorator: wrap all commands (`@chat.middleware`), or commands of some types (`@chat.middleware("message")`).

        "message" stands for every body of a message, edits and direct messages too; "speak" for all words that others read.
        """
        if len(types) == 1 and callable(types[0]):
            return self._add_middleware(None, types[0])
        for type in types:
            check_wrapped(type, commands())
        return lambda function: self._add_middleware(frozenset(types) or None, function)

    def _add_middleware(self, types: frozenset[str] | None, function: Middleware) -> Middleware:
        self._not_running("middleware")
        check_handler(function, "middleware", ("ctx", "call_next"), waits=True)
        registered = self._declared.middleware
        at = self._place(function, [old if known == types else None for known, old in registered])
        registered[at:] = [(types, function), *registered[at + 1 :]]
        return function

    @overload
    def before_publish(self, function: BeforePublish, /) -> BeforePublish: ...
    @overload
    def before_publish(
        self, /, *, budget: float = 0.2, on_failure: OnFailure = "refuse"
    ) -> Callable[[BeforePublish], BeforePublish]: ...
    def before_publish(
        self, function: Any = None, /, *, budget: float = 0.2, on_failure: OnFailure = "refuse"
    ) -> Any:
        """Decorator: check the words of users before others read them. The function is `async (ctx)`.

        `ctx.payload["text"]` has the words. They are the text of a message, edits and direct messages too, and `ctx.payload` is its
        body; or the title, topic or attributes of a room, the reason of a kick, ban, mute, invitation or deletion, or the name of a
        guest, and `ctx.field` says which. The function may assign another `ctx.payload`, or raise a `ChatError` to refuse. Raising
        `Held` refuses as well, and keeps a message to a room for its moderators, as a report. If the function fails or takes longer
        than `budget` seconds (10 at most), `on_failure` decides: "refuse" answers `unavailable`, "allow" publishes what was said.
        Several checks run in the order of registration.
        """
        check_budget(budget, on_failure)

        def add(function: BeforePublish) -> BeforePublish:
            check_handler(function, "before_publish", ("ctx",), waits=True)
            self._add_middleware(frozenset((SPEAK,)), within_budget(function, budget, on_failure, hold))
            return function

        return add if function is None else add(function)

    def reserve_names(self, function: IsReserved) -> IsReserved:
        """Decorator: say which names guests may not have, besides `RESERVED_NAMES`. The function is `async (name) -> bool`.

        It is asked when a guest chooses a name, and when one comes back: a guest whose name is reserved by now gets another one, and
        stays the same guest. `skeletons` finds names that look alike. If the function fails, the guest may try again.
        """
        self._not_running("reserve_names")
        check_handler(function, "reserve_names", ("name",), waits=True)
        known = self._declared.reserved
        at = self._place(function, known)
        known[at:] = [function, *known[at + 1 :]]
        return function

    def on(self, *types: str, rooms: Collection[str] | None = None) -> Callable[[F], F]:
        """Decorator: call a function when something has happened.

        `types` are types of events, `room.entered`, `room.exited`, `disconnect`, and `connect`, which may refuse the user by
        raising a `ChatError`. `rooms`: only in these rooms.

        In a process of `connect`, give `rooms`: the function is then called for what any process stores in them, from this
        moment on, one event at a time. In an app it is called once, in the process that ran the command.
        """
        if not types:
            raise ConfigError('on() needs the types to hear: @chat.on("message")')
        for type in types:
            check_event(type, events())
        if rooms is not None:
            rooms = check_rooms(rooms)

        def add(function: F) -> F:
            alone = self._alone
            if alone is None or rooms is None:
                self._not_running("on")
            check_handler(function, "listener", ("event",), waits=False)
            if alone is not None and rooms is not None:
                check_stored(types)
                alone.listen(function, rooms, types)
            else:
                self._add_listener(function, types, rooms)
            return function

        return add

    def _add_listener(self, function: Listener, types: Iterable[str], rooms: Collection[str] | None) -> None:
        listener = function if rooms is None else OnlyIn(function, rooms)
        for type in types:
            listeners: list[Listener] = self._declared.listeners.setdefault(type, [])
            known = [old.listener if isinstance(old, OnlyIn) else old for old in listeners]
            at = self._place(function, known)
            listeners[at:] = [listener, *listeners[at + 1 :]]

    def command(self, type: str, payload: type = dict) -> Callable[[F], F]:
        """Decorator: a command of your own. `payload` is a msgspec struct, or any other type that msgspec decodes.

        The function is `async (ctx, payload)`. It returns the payload of the ack: a dict, a struct, or None.
        """
        check_command_type(type)

        def add(function: F) -> F:
            self._not_running("command")
            check_handler(function, f"command({type!r})", ("ctx", "payload"), waits=True)
            check_answer(function, type)
            tables = (self._declaration.commands, self._declared.commands)
            known = [table[type].function for table in tables if type in table][:1]
            if self._place(function, known) == 1:
                raise ConfigError(f"command({type!r}) is declared already")
            self._declared.commands[type] = AppCommand(function, msgspec.json.Decoder(payload))
            return function

        return add

    @property
    def _declared(self) -> Declaration:
        """The declaration that decorators add to: the instance's, or that of the one app that this is bound to."""
        return self._declaration if self.own is None else self.own

    def _place(self, function: object, known: Sequence[object]) -> int:
        """Where in the list a function goes: it replaces what the same place of the code declared before, else it is last."""
        now = self.bp.ctx.mounts

        def again(old: object) -> bool:
            # Declarations for one app end with the app, so none of them is repeated.
            return same_place(old, function, anew=self.own is None and self._eras.get(id(old), now) < now)

        at = next((at for at, old in enumerate(known) if again(old)), len(known))
        for old in known[at : at + 1]:
            self._eras.pop(id(old), None)
        self._eras[id(function)] = now
        return at

    def _not_running(self, what: str) -> None:
        apps = self.bp.mounted_apps if self._app is None else {self._app}
        if any(self.bp.mounted(app).chat is not None for app in apps):
            raise ConfigError(f"{what} comes too late: the app has started")

    # ---- at run time ----

    def declared(self) -> Declaration:
        """Everything that is declared with the instance and for the app that this is bound to."""
        shared, own = self._declaration, self.own
        if own is None:
            return shared
        listeners = {type: list(functions) for type, functions in shared.listeners.items()}
        for type, functions in own.listeners.items():
            listeners.setdefault(type, []).extend(functions)
        return msgspec.structs.replace(
            shared,
            middleware=[*shared.middleware, *own.middleware],
            listeners=listeners,
            commands={**shared.commands, **own.commands},
            reserved=[*shared.reserved, *own.reserved],
        )

    def bound_to(self, app: App) -> "ChatRooms":
        """The same instance for this app: what `app.ctx.chatrooms[name]` is."""
        bound: ChatRooms = object.__new__(ChatRooms)
        bound.__dict__.update(self.__dict__)
        bound._app = app
        bound.own = Declaration(self.name)
        if not hasattr(app.ctx, "chatrooms"):
            app.ctx.chatrooms = {}
        app.ctx.chatrooms[self.name] = bound
        return bound

    def running(self) -> Chat:
        """The chat that runs here. Raises `ConfigError` if none runs, or several do."""
        if self._alone is not None:
            return self._alone
        if self._app is not None:
            chats = [mounted_in(self._app)[self.name].chat]
        else:
            chats = [self.bp.mounted(app).chat for app in self.bp.mounted_apps]
        found = [chat for chat in chats if chat is not None]
        if len(found) == 1:
            return found[0]
        if found:
            raise ConfigError(
                f'several apps run {self.name!r} here; say which: app.ctx.chatrooms["{self.name}"]'
            )
        raise ConfigError(
            f"the chat {self.name!r} does not run: call its verbs after the start of an app that has its blueprint "
            "(in a before_server_start listener too, if you register it after app.blueprint()), or use "
            f'`async with connect("{self.name}", …)`'
        )


@asynccontextmanager
async def connect(
    name: str = "default",
    *,
    policy: Policy | None = None,
    roles: Mapping[str, int] | None = None,
    **settings: Unpack[InstanceSettings],
) -> AsyncIterator[ChatRooms]:
    """The verbs of an instance in a process without sockets, such as a task worker, a cron job or a shell.

    It takes the same keywords as `ChatRooms`. To reach the serving processes, `store` and `broker` must be theirs, and
    `namespace` the name of their app. Raises `ConfigError`, `Unavailable`.
    """
    chat = ChatRooms(name, policy=policy, roles=roles, **settings)
    loaded = load(name, {}, os.environ, chat._declaration.code, debug=False, instances=(name,))
    alone = Chat(chat._declaration, loaded, chatrooms=chat)
    if loaded.namespace is None and alone.backends.shared:
        raise ConfigError(
            f'connect("{name}"): say whose chat it is, for several apps may share a server: namespace="Shop", with the '
            "name of the serving app, or its setting NAMESPACE"
        )
    await alone.start()
    chat._alone = alone
    try:
        yield chat
    finally:
        chat._alone = None
        await alone.stop()
