"""What tests of the wire need besides a client: mounted chats, tokens, and bytes that no decent client would send."""

from __future__ import annotations

import os
import time
from typing import Any

import jwt
from sanic import Sanic

from sanic_chatrooms import ChatRooms
from tests.support.client import Client

__all__ = ["SECRET", "masked", "mount", "token", "write"]

SECRET = "a-secret-of-more-than-32-bytes-for-tests"


def mount(app: Sanic[Any, Any], **settings: Any) -> ChatRooms:
    """A chat at /chat of `app`: for guests, unless the settings say otherwise."""
    chat = ChatRooms(**{"guests": True, **settings})
    app.blueprint(chat.bp)
    return chat


def token(user: str, *, expires_in: float = 600, secret: str = SECRET, **claims: Any) -> str:
    """A JSON Web Token that says: this is `user`, for so many seconds."""
    return jwt.encode({"sub": user, "exp": time.time() + expires_in, **claims}, secret, "HS256")


def masked(opcode: int, data: bytes, *, fin: bool = True, key: bytes | None = None, rsv: int = 0) -> bytes:
    """One frame as clients send them (RFC 6455 §5.2), masked with 4 random bytes unless told which."""
    size = len(data)
    head = bytes([opcode | rsv | (0x80 if fin else 0)])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65536:
        head += b"\xfe" + size.to_bytes(2, "big")
    else:
        head += b"\xff" + size.to_bytes(8, "big")
    key = os.urandom(4) if key is None else key
    mask = int.from_bytes((key * (size // 4 + 1))[:size], "big")
    return head + key + (int.from_bytes(data, "big") ^ mask).to_bytes(size, "big")


def write(client: Client, data: bytes) -> None:
    """Put bytes on the client's connection as they are, past its own protocol."""
    client.ws.transport.write(data)
