"""The server of the long runs: guests, one worker, and how it is at /sessions."""

from __future__ import annotations

import os
import socket
from typing import Any

from sanic import HTTPResponse, Request, Sanic, json

from sanic_chatrooms import ChatRooms, User

OUTBOX = "SOAK_OUTBOX_LIMIT"
SIGNED = "SOAK_SIGNED"
"""Set: nobody is let in without a token."""
STORE = "SOAK_STORE"


def create_app() -> Sanic[Any, Any]:
    app: Sanic[Any, Any] = Sanic("soak")
    app.config.update(AUTO_EXTEND=False, ACCESS_LOG=False)
    limit = os.environ.get(OUTBOX)
    chat = ChatRooms(
        guests=SIGNED not in os.environ,
        jwt_secret="s" * 32 if SIGNED in os.environ else None,
        outbox_limit=int(limit) if limit else None,
        store=os.environ.get(STORE),
        auth_timeout=300.0,
    )
    app.blueprint(chat.bp)

    if limit:

        @app.on_request
        async def keep_the_systems_share_small(request: Request) -> None:
            # So that what a reader leaves waiting is here and counted, not in megabytes of the system's.
            transport: Any = request.transport
            sock = transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)

    @app.get("/sessions")
    async def sessions(_: Request) -> HTTPResponse:
        return json(len(chat.running().sessions))

    @app.get("/fill")
    async def fill(request: Request) -> HTTPResponse:
        """What is large to read: a room of large messages, with many members, among many rooms."""
        await chat.create_room("fat")
        for _ in range(300):
            await chat.publish("fat", "message", {"text": "x" * 15_000})
        for number in range(300):
            await chat.create_room(f"room-{number:0100}", title="x" * 200)
            await chat.add_member("fat", User(f"{number:0100}", "x" * 100))
        return json({})

    return app
