"""Clients of a server with two workers, at both of them."""

from __future__ import annotations

import asyncio

from tests.support.client import Client
from tests.support.fixtures import Connect
from tests.support.process import ServerProcess
from tests.support.wire import token

__all__ = ["on_both"]


async def on_both(
    connect: Connect, server: ServerProcess, *users: str
) -> tuple[dict[str, Client], list[int]]:
    """A connection of each user, not all of them on the same worker; and the workers' process ids."""
    clients: dict[str, Client] = {}
    pids: list[int] = []
    async with asyncio.timeout(40):
        while len(clients) < len(users):
            user = users[len(clients)]
            client = await connect(server=server, token=token(user.rstrip("'"), name=user.title()))
            pid = (await client.ack("test.where", payload={}))["pid"]
            if len(clients) == 1 and pid in pids:
                await client.close()  # the system chose the same worker again
                continue
            clients[user] = client
            pids.append(pid)
    return clients, pids
