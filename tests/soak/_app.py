"""The server of the long runs: a chat at /chat, with the store that SOAK_STORE names (a URL; by default memory)."""

from __future__ import annotations

import json
import os
from typing import Any

from sanic import Sanic

from sanic_chatrooms import ChatRooms
from tests.support.wire import SECRET


def create_app() -> Sanic[Any, Any]:
    app: Sanic[Any, Any] = Sanic("soak")
    settings = json.loads(os.environ.get("SOAK_SETTINGS", "{}"))
    store = os.environ.get("SOAK_STORE", "memory:")
    name = settings.pop("name", "default")
    # Scripts look at what is stored: under the name of the instance alone.
    chat = ChatRooms(name, namespace="none", jwt_secret=SECRET, auto_create=True, store=store, **settings)
    app.blueprint(chat.bp, url_prefix="/chat")
    return app
