"""What the tests themselves rely on: a server that stops leaves nobody behind."""

from __future__ import annotations

import asyncio
import socket

from tests.support.accepting import accept_no_more


async def test_who_was_accepted_just_now_is_let_in_and_nobody_after_them() -> None:
    let_in: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: let_in.append(writer), "127.0.0.1", 0)
    address = server.sockets[0].getsockname()

    with socket.create_connection(address):
        while len(asyncio.all_tasks()) == 1:  # noqa: ASYNC110 - then it is accepted, and has no transport yet
            await asyncio.sleep(0)
        await accept_no_more(server.sockets)
        with socket.create_connection(address):
            await asyncio.sleep(0)
            server.close()
            for writer in let_in:
                writer.close()
                await writer.wait_closed()

    assert len(let_in) == 1
