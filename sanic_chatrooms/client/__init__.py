"""A client for asyncio: `ChatClient`. It needs `websockets` and no Sanic: `pip install "sanic-chatrooms[client]"`."""

from .client import ChatClient
from .errors import ClientClosed, ConnectionLost, NoAnswer, OutboxFull
from .events import Event
from .stream import MessageStream

__all__ = [
    "ChatClient", "ClientClosed", "ConnectionLost", "Event", "MessageStream", "NoAnswer", "OutboxFull",
]  # fmt: skip
