"""A peer that speaks WebSocket by the byte: what no decent client would send, or not in that way."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from typing import Any

from tests.support.server import LiveServer
from tests.support.wire import masked

__all__ = ["CLOSE", "Raw", "command", "handshake"]

CLOSE = 8
WITHIN = 40.0
"""Seconds to wait for anything."""


def handshake(host: str, *, path: str = "/chat/ws", token: str | None = None) -> bytes:
    """The request for an upgrade."""
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        *([f"Authorization: Bearer {token}"] if token else []),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Raw:
    """One TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(
        cls, server: LiveServer, *, early: bytes = b"", tls: ssl.SSLContext | None = None, **request: Any
    ) -> Raw:
        """Shake hands; `early` goes into the same segment as the request."""
        raw = cls(*await asyncio.open_connection(server.host, server.port, ssl=tls))
        raw.writer.write(handshake(f"{server.host}:{server.port}", **request) + early)
        assert b" 101 " in await raw.reader.readuntil(b"\r\n\r\n")
        return raw

    @property
    def name(self) -> Any:
        """As the server sees it: address and port."""
        return self.writer.get_extra_info("sockname")

    async def write(self, data: bytes) -> None:
        """Send, or find out that nobody takes it any more."""
        with contextlib.suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()

    async def say(self, type: str, **keys: Any) -> None:
        """Send a command."""
        await self.write(command(type, **keys))

    async def frame(self) -> tuple[int, bytes]:
        """The next frame: opcode and payload."""
        async with asyncio.timeout(WITHIN):
            first, second = await self.reader.readexactly(2)
            size = second & 127
            if size >= 126:
                size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
            return first & 15, await self.reader.readexactly(size)

    async def expect(self, type: str) -> dict[str, Any]:
        """The next event or reply of this type; what comes before it is dropped."""
        while True:
            opcode, payload = await self.frame()
            if opcode == 1 and (heard := json.loads(payload))["type"] == type:
                return dict(heard)

    async def close_code(self) -> int:
        """Read to the end and answer the server's close frame; its code, 1006 without one."""
        try:
            while True:
                opcode, payload = await self.frame()
                if opcode == CLOSE:
                    await self.write(masked(CLOSE, payload))
                    return int.from_bytes(payload[:2], "big")
        except (asyncio.IncompleteReadError, ConnectionError):
            return 1006

    async def ended(self) -> bytes:
        """Read until the server has closed the TCP connection; what came."""
        async with asyncio.timeout(WITHIN):
            try:
                return await self.reader.read(-1)
            except ConnectionError:
                return b""

    async def close(self) -> None:
        """Vanish, where that has not been done."""
        self.writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


def command(type: str, **keys: Any) -> bytes:
    """A command as a masked frame."""
    return masked(1, json.dumps({"type": type, **keys}).encode())
