"""The app of `_workers`."""

from __future__ import annotations

import os

from sanic import HTTPResponse, Request, Sanic, text

import sanic_chatrooms as chatrooms


def create_app() -> Sanic:  # type: ignore[type-arg]
    app = Sanic("Workers")
    app.config.CHATROOMS_STORE = "embedded:"
    app.config.CHATROOMS_JWT_SECRET = os.environ["CHAT_SECRET"]
    app.config.CHATROOMS_AUTO_CREATE = True
    app.blueprint(chatrooms.bp)
    app.add_route(restart, "/restart", methods=["POST"])
    return app


async def restart(request: Request) -> HTTPResponse:
    """One worker after the other: the next one serves before the last one goes."""
    request.app.m.restart(all_workers=True, zero_downtime=True)
    return text("restarting")
