"""Integrations with the app: events as Sanic's signals, and injection by sanic-ext. They cost nothing where they are not used."""

import importlib
import inspect
from collections.abc import Callable
from typing import Any

from ..hooks.listeners import Happening, Listener

__all__ = ["hears_ends", "hears_requests", "leave_out_of_openapi", "offer_injection", "signalled"]

ENDS = {
    "http.handler.after",
    "http.lifecycle.complete",
    "websocket.handler.after",
    "websocket.handler.exception",
}
"""Signals of Sanic's at the end of a WebSocket's handler, or of a connection."""
_OF_REQUESTS = ("http.", "websocket.")
_INJECTION = "sanic_ext.extensions.injection.injector"


def signalled(app: Any) -> dict[str, list[Listener]]:
    """Listeners that pass events on as Sanic's signals, for every signal that the app handles.

    `@app.signal("chatrooms.member.joined")` receives the event `member.joined`. Signals have three parts, so only event types
    of two parts can be passed on.
    """
    wanted = {signal.name for signal in app.signal_router.routes if signal.name.startswith("chatrooms.")}
    return {name.removeprefix("chatrooms."): [_dispatcher(app, name)] for name in wanted}


def hears_ends(app: Any) -> bool:
    """Does the app handle a signal that tells of the end of a connection?"""
    return any(signal.name in ENDS for signal in app.signal_router.routes)


def hears_requests(app: Any) -> bool:
    """Does the app handle a signal that tells of requests or of WebSockets? sanic-ext hears of each to give its handler what it asks
    for, and the handlers of our WebSockets ask for nothing."""
    return any(
        signal.name.startswith(_OF_REQUESTS) and getattr(signal.handler, "__module__", "") != _INJECTION
        for signal in app.signal_router.routes
    )


def _dispatcher(app: Any, name: str) -> Listener:
    async def dispatch(happening: Happening) -> None:
        answer = app.dispatch(name, context={"happening": happening}, inline=True, fail_not_found=False)
        if inspect.isawaitable(answer):
            await answer

    return dispatch


def offer_injection(app: Any, type: type, instances: dict[str, Any]) -> None:
    """With sanic-ext, a handler's parameter `chat: ChatRooms` gets the instance of this app, where there is just one."""
    if not hasattr(app, "_ext") or len(instances) != 1:
        return
    (instance,) = instances.values()

    async def bound() -> Any:
        return instance

    app.ext.add_dependency(type, bound)


def leave_out_of_openapi(app: Any, handler: Callable[..., Any]) -> None:
    """With sanic-ext, a route is not in the app's OpenAPI document."""
    if hasattr(app, "_ext"):
        builders = importlib.import_module("sanic_ext.extensions.openapi.builders")
        builders.OperationStore()[handler].exclude()
