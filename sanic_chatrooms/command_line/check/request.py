"""A plain request to the chat's other addresses, which tells more than a refused handshake."""

import asyncio
import json
from collections.abc import Mapping
from email.parser import BytesHeaderParser
from typing import Any, NamedTuple

from .network import close
from .visit import Visit

__all__ = ["Answer", "get", "is_chat", "lacks"]

LARGEST = 65_536
"""Bytes of an answer that are read."""


class Answer(NamedTuple):
    """An answer, or the beginning of one."""

    status: int
    headers: Mapping[str, str]
    """By their names in lower case."""
    body: bytes

    @property
    def value(self) -> dict[str, Any]:
        """The JSON object in it; empty if there is none."""
        text = self.body.decode(errors="replace")
        try:
            value = json.JSONDecoder().raw_decode(text, max(0, text.find("{")))[0]
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}


async def get(
    visit: Visit, path: str, *, accept: str = "application/json", stream: bool = False
) -> Answer | None:
    """Ask for a path with the token; None: there is no answer. `stream`: the first bytes of the body are enough."""
    try:
        async with asyncio.timeout(visit.timeout):
            reader, writer = await asyncio.open_connection(
                visit.host, visit.port, ssl=visit.tls(), limit=LARGEST
            )
            try:
                writer.write(_asked(visit, path, accept))
                return await _answer(reader, stream)
            finally:
                writer.transport.abort()
                await close(writer)
    except (OSError, EOFError, ValueError, LookupError, asyncio.LimitOverrunError):
        return None


def _asked(visit: Visit, path: str, accept: str) -> bytes:
    lines = {"Host": visit.authority, "Connection": "close", "Accept": accept, "Origin": visit.origin}
    if visit.token is not None:
        lines["Authorization"] = f"Bearer {visit.token}"
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"GET {path} HTTP/1.1\r\n{head}\r\n".encode()


async def _answer(reader: asyncio.StreamReader, stream: bool) -> Answer:
    first, _, head = (await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")
    headers = {name.lower(): str(value) for name, value in BytesHeaderParser().parsebytes(head).items()}
    body = await reader.read(LARGEST)
    while not stream and len(body) < LARGEST and (more := await reader.read(LARGEST)):
        body += more
    return Answer(int(first.split()[1]), headers, body)


async def is_chat(visit: Visit, prefix: str) -> bool:
    """Whether an instance answers at this path."""
    answer = await get(visit, f"{prefix}/health")
    return answer is not None and answer.value.get("status") == "live"


async def lacks(visit: Visit) -> list[str]:
    """What keeps a worker from being ready, by its own words: `store`, `broker`, `draining`, `starting`."""
    answer = await get(visit, f"{visit.prefix}/ready")
    reasons = answer.value.get("reasons") if answer is not None and answer.status == 503 else None
    return [str(reason) for reason in reasons] if isinstance(reasons, list) else []
