"""What `together_play` stands on: workers whose rooms keep little, and what a connection has made of its events."""

from __future__ import annotations

from typing import Any

from sanic_chatrooms import ChatRooms
from sanic_chatrooms.config.backends import Backends
from sanic_chatrooms.testing.connections import running_core
from tests.support.fold_play import Message, folded
from tests.support.model_cast import Frame, Worker
from tests.support.together_model import KEPT

__all__ = ["Keeping", "View"]


class Keeping(Worker):
    """A worker whose rooms keep few events, with the verbs of its app."""

    async def start(self) -> None:
        self.api = ChatRooms(self._instance)
        backends = Backends(self.store, self.broker, self._presence)
        settings: dict[str, Any] = {"guests": True, "auto_create": False, "position_check": 300}
        running = running_core(
            self.api, backends=backends, history_max=KEPT, history_page=200, rate_limits=False, **settings
        )
        self.chat = await self._running.enter_async_context(running)


class View:
    """The messages on the page of one connection, by their ids, by the rules of the protocol."""

    def __init__(self, messages: list[Message], seq: int, *, complete: bool) -> None:
        """A page of history up to `seq`; `complete`: nothing was left out at its beginning."""
        self.shown = {message["msgId"]: message for message in messages if message["type"] == "message"}
        self.seq = seq
        first = messages[0]["seq"] - 1 if messages else seq
        self.start = 0 if complete else first
        """It has all messages above this number that the user may read."""

    def take(self, event: Frame, me: str) -> None:
        """The next event of the room; one that is known already changes nothing."""
        if event["seq"] <= self.seq:
            return
        assert event["seq"] == self.seq + 1, (event, self.seq)
        self.seq = event["seq"]
        for id in (event["payload"].get("msgId"), event["payload"].get("parent")):
            if id in self.shown:
                self.shown[id] = folded(self.shown[id], event, me)
        if event["type"] == "message":
            self.shown.setdefault(event["msgId"], event)
