"""python prove_it.py HOST PORT TOKEN TOKEN …: are messages here neither lost, nor doubled, nor reordered?"""

import asyncio
from contextlib import suppress
import json
import sys
import uuid

from sanic_chatrooms.testing import Checker, FaultProxy, Witness
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

ROOM, MESSAGES = "proof", 20


class Client:
    """Sends its messages, and repeats those without an ack after each reconnect."""

    def __init__(self, url: str, token: str, witness: Witness, news: asyncio.Event) -> None:
        self.url, self.witness, self.news = url, witness, news
        self.headers = {"Authorization": f"Bearer {token}"}
        self.to_say = {str(uuid.uuid4()): f"message {n}" for n in range(MESSAGES)}

    async def live(self) -> None:
        while True:
            with suppress(WebSocketException, OSError):
                async with connect(self.url, additional_headers=self.headers, proxy=None) as ws:
                    await self.be_here(ws)
            self.witness.cut()

    async def be_here(self, ws: ClientConnection) -> None:
        self.witness.received(json.loads(await ws.recv()))  # `welcome` names the user
        since = self.witness.since(ROOM)
        await self.send(ws, "join", str(uuid.uuid4()), {"since": since} if since else {})
        for msg_id, text in list(self.to_say.items()):
            await self.send(ws, "message", msg_id, {"text": text})
        async for frame in ws:
            answer = json.loads(frame)
            self.witness.received(answer)
            if answer["type"] == "ack":
                self.to_say.pop(answer["replyTo"], None)
            self.news.set()

    async def send(self, ws: ClientConnection, type: str, msg_id: str, payload: object) -> None:
        frame = {"type": type, "msgId": msg_id, "room": ROOM, "payload": payload}
        self.witness.sent(frame)
        await ws.send(json.dumps(frame))


async def prove(host: str, port: int, tokens: list[str]) -> list[str]:
    """The flaws, as sentences; an empty list if there are none."""
    checker, news = Checker(), asyncio.Event()
    async with FaultProxy(host, port) as proxy:
        url = f"ws://127.0.0.1:{proxy.port}/chat/ws"
        clients = [Client(url, token, checker.witness(f"client {n}"), news) for n, token in enumerate(tokens)]
        lives = [asyncio.create_task(client.live()) for client in clients]
        for kept in range(0, 200, 10):
            proxy.down.cut_next(kept)  # usually in the middle of a frame
            await asyncio.sleep(0.05)
        while any(client.to_say for client in clients) or not settled(clients):
            news.clear()
            await news.wait()
        flaws = checker.flaws() + checker.gaps()
        for life in lives:
            life.cancel()
        await asyncio.gather(*lives, return_exceptions=True)
    print(f"{len(checker.acked)} messages acked, {checker.repetitions} repetitions: {len(flaws)} flaws")
    return flaws


def settled(clients: list[Client]) -> bool:
    """Whether all clients have been in the room and are at the same position."""
    positions = [client.witness.since(ROOM) for client in clients]
    return None not in positions and all(position == positions[0] for position in positions)


if __name__ == "__main__":
    sys.exit("\n".join(asyncio.run(prove(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))) or 0)
