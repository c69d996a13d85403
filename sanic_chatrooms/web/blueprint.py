"""The routes and listeners of one instance, as a Sanic blueprint.

When something is added to a blueprint after `app.blueprint()`, Sanic registers the whole blueprint again, under other paths.
An app may add chat routes until it starts. So `register` takes only what is new when Sanic calls it again.
"""

import contextlib
import importlib
import logging
import re
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
from sanic import Blueprint, Request, Websocket, raw, redirect
from sanic.exceptions import NotFound
from sanic.response import HTTPResponse

from ..chat import Chat
from ..config.settings import Settings
from ..declaration import Declaration, RouteDeclaration
from ..errors import ConfigError
from ..wire.names import SUBPROTOCOL
from .admin.routes import add_admin
from .assets import (
    CLIENT,
    CLIENT_HTTP,
    COMPONENT,
    SHARED,
    WORDS,
    Assets,
    package_assets,
    with_slash,
)
from .connecting import Entrance
from .health import answer_health
from .integrations import leave_out_of_openapi, offer_injection
from .mounted import App, Mounted, mounted_in
from .oidc import hear_logout
from .problems import answer_problems
from .sanic_contract import log_start, probe
from .socket.door import open_door
from .style import add_style_page
from .tickets import give_ticket
from .upgrade import Negotiate
from .workers.embedded import start_embedded, stop_embedded
from .workers.ending import (
    await_workers,
    end_between_questions,
    end_early,
    end_on_hangup,
    end_surely,
    ending,
    is_worker,
    join_survivor,
    start_survivor,
    stop_survivor,
)
from .workers.garbage import freeze_loaded
from .workers.supervise import (
    expect_end,
    prepare_watchdog,
    start_beats,
    start_watchdog,
    stop_beats,
    stop_watchdog,
)

__all__ = ["ChatBlueprint"]

ASYNCAPI = "sanic_chatrooms.web.asyncapi"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
"""Those of REST."""
logger = logging.getLogger("sanic_chatrooms.web")


class ChatBlueprint(Blueprint):
    """`app.blueprint(bp)` mounts the instance in an app. It can be mounted in any number of apps, once in each."""

    def __init__(self, declaration: Declaration, chatrooms: Any) -> None:
        prefix = "/chat" if declaration.name == "default" else f"/{declaration.name}"
        super().__init__(f"chatrooms_{declaration.name}", url_prefix=prefix)
        self.ctx.declaration = declaration
        self.ctx.chatrooms = chatrooms
        self.ctx.options = {}
        self.ctx.mounts = 0
        self.ctx.assets = package_assets()
        self._add_pages()
        for route in declaration.routes:
            self.add_chat_route(route)
        # Two calls: given a bound method directly, Sanic's lazy decorators return without registering it.
        self.listener("main_process_start")(self._check)
        self.listener("main_process_ready")(self._watch)
        self.listener("main_process_stop")(self._end_main)
        # sanic-ext takes dependencies until priority -1000.
        self.listener("before_server_start", priority=1000)(self._offer)
        self.listener("before_server_start")(self._start)
        # The last of all: what the app does at start may block the event loop, and is no reason to kill the worker.
        self.listener("after_server_start", priority=-1000)(self._beat)
        # The first of all: at the end, Sanic begins with the lowest.
        self.listener("before_server_stop", priority=-1000)(ending)
        self.listener("before_server_stop")(self._drain)
        self.listener("after_server_stop")(self._stop)

    def register(self, app: App, options: dict[str, Any]) -> None:
        """Mount in an app.

        Sanic calls this again, without options, for everything that is added later, and would then mount it all once
        more under the blueprint's own prefix. With the options of the first time only what is new is added.
        """
        declaration: Declaration = self.ctx.declaration
        known = mounted_in(app)
        if declaration.name not in known:
            self.ctx.mounts += 1
            known[declaration.name] = Mounted(app, declaration, self.ctx.chatrooms.bound_to(app))
            self.ctx.options[app.name] = options
        elif options or known[declaration.name].declaration is not declaration:
            raise ConfigError(
                f"this app has an instance {declaration.name!r} already; give another one another name: "
                'ChatRooms("support")'
            )
        before = len(self.routes)
        super().register(app, self.ctx.options[app.name])  # type: ignore[no-untyped-call]
        for route in self.routes[before:]:
            entrance: Entrance | None = getattr(route.ctx, "chat_entrance", None)
            if entrance is not None:
                with contextlib.suppress(
                    AttributeError
                ):  # else Sanic waits for the body of a request that has one
                    route.extra.ignore_body = True
                route.handler = entrance.handler(route.handler)

    @property
    def mounted_apps(self) -> set[App]:
        """The apps that have this instance."""
        return self.apps if self.registered else set()

    def mounted(self, app: App) -> Mounted:
        """This instance in that app."""
        return mounted_in(app)[self.ctx.declaration.name]

    def running(self, app: App) -> Chat:
        """The chat that runs in that app. Raises 503 before its start and after its stop."""
        return self.mounted(app).running()

    # ---- pages ----

    def _add_pages(self) -> None:
        self.add_route(self._page, "/", name="page", strict_slashes=False)
        self.add_route(self._client, f"/{CLIENT}", name="client")
        self.add_route(self._client_http, f"/{CLIENT_HTTP}", name="client_http")
        self.add_route(self._component, f"/{COMPONENT}", name="component")
        self.add_route(self._words, f"/{WORDS}/<name:str>", name="words")
        self.add_route(self._static, "/static/<name:str>", name="static")
        self.add_route(self._words, f"/static/{WORDS}/<name:str>", name="page_words")
        self.add_route(self._ticket, "/api/tickets", methods=["POST"], name="tickets")
        self._add_rest()
        self.add_route(answer_health, "/health", name="health")
        self.add_route(self._ready, "/ready", name="ready")
        self.add_route(self._metrics, "/metrics", name="metrics")
        self.add_route(self._asyncapi, "/asyncapi.json", name="asyncapi")
        self.add_route(self._logout, "/oidc/logout", methods=["POST"], name="oidc_logout")
        self.ctx.admin = add_admin(self)
        add_style_page(self)

    async def _page(self, request: Request) -> HTTPResponse:
        settings = self.running(request.app).settings
        if not settings.page:
            raise NotFound("there is no page here; see CHATROOMS_PAGE")
        if not request.path.endswith("/"):
            return redirect(with_slash(request))
        assets: Assets = self.ctx.assets
        return assets.page(request, settings.guests, settings.sign_in_url)

    async def _client(self, request: Request) -> HTTPResponse:
        return await self._asset(request, CLIENT, SHARED)

    async def _client_http(self, request: Request) -> HTTPResponse:
        return await self._asset(request, CLIENT_HTTP, SHARED)

    async def _component(self, request: Request) -> HTTPResponse:
        return await self._asset(request, COMPONENT, SHARED)

    async def _words(self, request: Request, name: str) -> HTTPResponse:
        return await self._asset(request, f"{WORDS}/{name}", SHARED)

    async def _static(self, request: Request, name: str) -> HTTPResponse:
        return await self._asset(request, name)

    async def _ticket(self, request: Request) -> HTTPResponse:
        return await give_ticket(request, self.running(request.app), self.mounted(request.app).routes["/ws"])

    def _add_rest(self) -> None:
        async def rest(request: Request, **_: str) -> HTTPResponse | None:
            its = self.mounted(request.app).rest
            if its is None:
                raise NotFound("there is no REST here; see CHATROOMS_API")
            with self.running(request.app).parts.below(request.headers):
                answer: HTTPResponse | None = await its(request)
            return answer

        self.ctx.rest = rest
        self.add_route(rest, "/api/<path:path>", methods=METHODS, name="rest", stream=True)

    async def _ready(self, request: Request) -> HTTPResponse:
        mounted = self.mounted(request.app)
        return await mounted.readiness.answer(mounted.chat)

    async def _metrics(self, request: Request) -> HTTPResponse:
        metrics = self.mounted(request.app).metrics
        if metrics is None or not metrics.exposed:
            raise NotFound("there are no metrics here; see CHATROOMS_METRICS")
        answer: HTTPResponse = await metrics.answer(request)
        return answer

    async def _asyncapi(self, request: Request) -> HTTPResponse:
        missing = self.running(request.app).core.missing
        describe = importlib.import_module(ASYNCAPI).document  # it is seldom asked for
        prefix, secure = request.path.removesuffix("/asyncapi.json"), request.scheme in ("https", "wss")
        document = msgspec.json.encode(describe(prefix, request.host, secure=secure, missing=missing))
        return raw(document, headers={"Cache-Control": "no-cache"}, content_type="application/json")

    async def _logout(self, request: Request) -> HTTPResponse:
        return await hear_logout(request, self.running(request.app))

    async def _asset(
        self, request: Request, name: str, headers: dict[str, str] | None = None
    ) -> HTTPResponse:
        assets: Assets = self.ctx.assets
        return await assets.answer(request, name, headers)

    # ---- sockets ----

    def add_chat_route(self, route: RouteDeclaration) -> None:
        """One more WebSocket route. Raises `ConfigError` once an app with this instance runs."""
        running = [app for app in self.mounted_apps if self.mounted(app).chat is not None]
        if running:
            raise ConfigError(f'add_route("{route.path}") comes too late: the app has started')

        entrance = Entrance(self, route)

        def handle(request: Request, ws: Websocket, **params: str) -> Coroutine[Any, Any, None]:
            return entrance.serve(request, ws, params)

        name = "ws" + "_".join(re.findall(r"[A-Za-z0-9]+", route.path)).removeprefix("ws")
        subprotocols = Negotiate((SUBPROTOCOL,))
        self.add_websocket_route(
            handle, route.path, subprotocols=subprotocols, name=name, ctx_chat_entrance=entrance
        )

    # ---- listeners of the server ----

    async def _check(self, app: App) -> None:
        settings, _ = self.mounted(app).check(max(1, app.state.workers))
        self.mounted(app).share_metrics(settings)
        start_survivor(app, _all_settings(app))
        self._start_embedded(app, settings)
        prepare_watchdog(app, _all_settings(app))

    def _start_embedded(self, app: App, settings: Settings) -> None:
        start_embedded(app, settings, lambda: start_survivor(app, _all_settings(app)))

    async def _watch(self, app: App) -> None:
        capabilities = probe(app, app.manager)
        log_start(capabilities)
        if capabilities.has("early_end"):
            end_early(app.manager)
        if capabilities.has("calm_signals"):
            end_between_questions(app.manager)
        end_on_hangup(app, app.manager)
        if capabilities.has("watchdog"):
            start_watchdog(app, _all_settings(app))

    async def _end_main(self, app: App) -> None:
        stop_watchdog(app)
        await_workers(self.mounted(app).settings().drain_seconds)
        stop_embedded(app, self.ctx.declaration.name)

    async def _offer(self, app: App) -> None:
        offer_injection(app, type(self.ctx.chatrooms), app.ctx.chatrooms)

    async def _start(self, app: App) -> None:
        mounted = self.mounted(app)
        answer_problems(app)
        if is_worker(app):
            join_survivor(app)
            end_on_hangup(app)
        else:
            self._start_embedded(app, mounted.settings())
        await mounted.start(_workers(app))
        if mounted.capabilities.door is not None:
            open_door(app, mounted.capabilities.door)
        leave_out_of_openapi(app, self.ctx.rest)  # it answers what `API` describes, or nothing
        leave_out_of_openapi(app, self.ctx.admin)  # it is for the page alone
        if mounted.rest is not None:
            [route] = [route for route in app.router.routes if route.handler is self.ctx.rest]
            mounted.rest.describe(app, route)

    async def _beat(self, app: App) -> None:
        end_on_hangup(app)
        end_surely(app)
        freeze_loaded()
        start_beats(app)

    async def _drain(self, app: App) -> None:
        expect_end(app)
        await _calmly(self.mounted(app).drain)

    async def _stop(self, app: App) -> None:
        await _calmly(self.mounted(app).stop)
        stop_beats(app)
        if not is_worker(app):
            stop_embedded(app, self.ctx.declaration.name)
            stop_survivor(app)


def _all_settings(app: App) -> list[Settings]:
    return [mounted.settings() for mounted in mounted_in(app).values()]


def _workers(app: App) -> int:
    """How many processes serve this app. Inside a worker `app.state.workers` is 0."""
    if getattr(app, "multiplexer", None):
        return sum(1 for state in app.m.workers.values() if state.get("server"))
    return max(1, app.state.workers or 1)


async def _calmly(step: Callable[[], Coroutine[Any, Any, None]]) -> None:
    # Sanic runs all stop listeners a second time if a RuntimeError escapes one.
    try:
        await step()
    except Exception:
        logger.exception("the chat did not stop as it should")
