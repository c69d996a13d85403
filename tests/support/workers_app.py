"""An app for several workers, on the store of `CHAT_STORE` and the broker of `CHAT_BROKER`. The command `test.where` says which one answers."""

from __future__ import annotations

import os
from typing import Any

from sanic import Sanic

from sanic_chatrooms import ChatRooms, Context


def create_app() -> Sanic[Any, Any]:
    app = Sanic("OnOneServer")
    app.config.CHATROOMS_STORE = os.environ["CHAT_STORE"]
    if "CHAT_BROKER" in os.environ:
        app.config.CHATROOMS_BROKER = os.environ["CHAT_BROKER"]
    app.config.CHATROOMS_JWT_SECRET = os.environ["CHAT_SECRET"]
    app.config.CHATROOMS_NAMESPACE = (
        "none"  # scripts look at what is stored, under the name of the instance alone
    )
    app.config.CHATROOMS_AUTO_CREATE = True
    app.config.CHATROOMS_PRESENCE_TTL = float(os.environ.get("CHAT_PRESENCE_TTL", "60"))
    app.config.CHATROOMS_PRESENCE_GRACE = 0.5
    chat = ChatRooms()

    @chat.command("test.where")
    async def where(ctx: Context, payload: Any) -> dict[str, int]:
        return {"pid": os.getpid()}

    app.blueprint(chat.bp)
    return app
