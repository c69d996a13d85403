"""TLS before a server that speaks none, as a terminating proxy does it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

from tests.support.accepting import accept_no_more

__all__ = ["tls_before"]

_HERE = Path(__file__).parent / "tls"
CERTIFICATE, KEY = (
    _HERE / "localhost.pem",
    _HERE / "localhost.key",
)  # made for the tests, for localhost, good until 2126


@contextlib.asynccontextmanager
async def tls_before(port: int) -> AsyncIterator[tuple[int, Path]]:
    """A port that speaks TLS and passes on to `port`; and the certificate to trust."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE, KEY)
    passing: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", port)
        for source, target in ((reader, there[1]), (there[0], writer)):
            task = asyncio.ensure_future(_pass_on(source, target))
            passing.add(task)
            task.add_done_callback(passing.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1], CERTIFICATE
    finally:
        await accept_no_more(server.sockets)
        server.close()
        for task in list(passing):
            task.cancel()
        await asyncio.gather(*passing, return_exceptions=True)


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError), contextlib.closing(target):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
