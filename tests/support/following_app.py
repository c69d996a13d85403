"""An app whose workers all follow the room "work"; one of them answers each event in the room "done"."""

from __future__ import annotations

import os
from typing import Any

from sanic import Sanic

from sanic_chatrooms import ChatRooms
from sanic_chatrooms.follows import turn
from tests.support.workers_app import create_app as create_workers_app

turn.LEASE = 4.0  # a test waits for it


def create_app() -> Sanic[Any, Any]:
    app = create_workers_app()

    @app.after_server_start
    async def begin(app: Sanic[Any, Any]) -> None:
        app.add_task(answer(app.ctx.chatrooms["default"]), name="answering")

    return app


async def answer(chat: ChatRooms) -> None:
    for room in ("work", "done"):
        await chat.ensure_room(room)
    async for event in chat.follow("work", once="worker"):
        await chat.publish("done", "DONE", {"n": event.payload["n"], "pid": os.getpid()})
