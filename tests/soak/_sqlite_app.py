"""The server that `sqlite_kill` kills."""

from __future__ import annotations

import os

from sanic import Sanic

import sanic_chatrooms as chatrooms


def create_app() -> Sanic:  # type: ignore[type-arg]
    app = Sanic("Killed")
    app.config.CHATROOMS_STORE = f"sqlite:///{os.environ['CHAT_FILE']}"
    app.config.CHATROOMS_JWT_SECRET = os.environ["CHAT_SECRET"]
    app.config.CHATROOMS_AUTO_CREATE = True
    app.blueprint(chatrooms.bp)
    return app
