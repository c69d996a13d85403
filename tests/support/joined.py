"""A client that is in rooms already."""

from __future__ import annotations

from typing import Any

from sanic_chatrooms import User
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.testing import MemoryClient, chat_client

__all__ = ["joined"]


async def joined(chat: Chat, user: User, *rooms: str, **arguments: Any) -> MemoryClient:
    """Connect as this user, and join these rooms."""
    client = await chat_client(chat, user, **arguments)
    for room in rooms:
        await client.ack("join", room=room)
    return client
