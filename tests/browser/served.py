"""An app in the test's own loop: its verbs are at hand, and it stops and starts again within a moment."""

from __future__ import annotations

import asyncio
from typing import Any

from sanic import Sanic

from example_app.server import STATIC, add_headers, index
from sanic_chatrooms import ChatRooms, Happening, User
from tests.support.fixtures import Live
from tests.support.server import LiveServer

__all__ = ["ServedApp"]


class ServedApp:
    """`chat` is declared at once, so that a test can add hooks; it runs from `open` on."""

    def __init__(self, app: Sanic[Any, Any], live: Live, **settings: Any) -> None:
        self.app = app
        usual = {"guests": True, "drain_seconds": 0, "presence_grace": 0.1, "history_max": 5000}
        self.chat = ChatRooms(**{**usual, **settings})
        self._live = live
        self._server: LiveServer | None = None
        self._left = asyncio.Event()
        self.chat.on("disconnect")(self._note_left)
        app.blueprint(self.chat.bp)
        app.add_route(index, "/")
        app.register_middleware(add_headers, "response")

    @property
    def url(self) -> str:
        assert self._server is not None, "the test forgot `await served.open()`"
        return self._server.url

    async def open(self, *rooms: str) -> None:
        """Serve, with these rooms; on the port of before, if it was served before."""
        if self._server is None:
            self.app.static("/static", STATIC)
        self._server = await self._live(port=self._server.port if self._server else 0)
        for room in ("general", *rooms):
            await self.chat.create_room(room, title=room.capitalize())

    async def stop(self) -> None:
        """Stop as a deployment does: everybody gets 1012. What is in memory is lost."""
        assert self._server is not None
        await self._server.stop()

    async def say(self, room: str, *texts: str) -> None:
        """Messages of the app's."""
        for text in texts:
            await self.chat.publish(room, "message", {"text": text})

    async def alone(self) -> None:
        """Wait until nobody is connected: the server learns that later than who leaves."""
        async with asyncio.timeout(30):
            while self.chat.connections():
                self._left.clear()
                await self._left.wait()

    async def _note_left(self, _: Happening) -> None:
        self._left.set()

    def user(self, name: str) -> User:
        """Who is connected under this name."""
        return next(one.user for one in self.chat.connections() if one.user.name == name)

    async def cut(self, name: str) -> None:
        """End the connections of the user of this name, as a network does: they may come back."""
        await self.chat.disconnect(self.user(name), code=4000)
