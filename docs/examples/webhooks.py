import asyncio
import base64
from datetime import UTC, datetime
import hmac
import json
import os
import time
from typing import Any

import httpx
import sanic_chatrooms as chatrooms
from sanic_chatrooms import ChatRooms, PositionLost, RoomEvent

ROOMS = ["orders", "support"]
URL = os.environ.get("WEBHOOK_URL", "https://example.com/hooks/chat")
SECRET = os.environ["WEBHOOK_SECRET"]  # "whsec_" and 24 to 64 random bytes in Base64
FIRST, LONGEST = 1.0, 300.0  # seconds between attempts


# region follow
async def forward(chat: ChatRooms, http: httpx.AsyncClient) -> None:
    """All events of the rooms, each at least once, over restarts too: the store keeps how far this came."""
    while True:
        try:
            async for event in chat.follow(rooms=ROOMS, once="webhooks"):
                await deliver(http, event.msg_id, event.type, event.timestamp, data(event))
            return  # the chat has stopped
        except PositionLost as lost:  # it goes on with what comes
            id = f"lost-{lost.fields['epoch']}-{lost.fields['seq']}"
            await deliver(http, id, "events.lost", time.time(), lost.fields)


def data(event: RoomEvent) -> dict[str, Any]:
    sender = event.sender and {"id": event.sender.id, "name": event.sender.name}
    return {"room": event.room, "seq": event.seq, "sender": sender, "payload": event.payload}


# endregion


# region deliver
async def deliver(http: httpx.AsyncClient, id: str, type: str, at: float, data: dict[str, Any]) -> None:
    """Post it until the answer is 2xx. It may arrive twice, and what comes after it waits."""
    told = {"type": type, "timestamp": datetime.fromtimestamp(at, UTC).isoformat(), "data": data}
    body, wait = json.dumps(told).encode(), FIRST
    while (problem := await attempt(http, id, body)) is not None:
        print(f"{id} is tried again in {wait:g} s: {problem}", flush=True)
        await asyncio.sleep(wait)
        wait = min(2 * wait, LONGEST)


async def attempt(http: httpx.AsyncClient, id: str, body: bytes) -> str | None:
    """None: it was taken."""
    headers = {"content-type": "application/json", **signed(id, body)}
    try:
        async with http.stream("POST", URL, content=body, headers=headers) as answer:
            if answer.status_code == 410:
                raise RuntimeError("410: the receiver wants no more webhooks")
            return None if answer.is_success else f"status {answer.status_code}"
    except httpx.TransportError as problem:
        return repr(problem)


# endregion


# region sign
def signed(id: str, body: bytes) -> dict[str, str]:
    """The headers of Standard Webhooks: the same id for each attempt, and the time of this one."""
    now = str(int(time.time()))
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{id}.{now}.".encode() + body, "sha256")
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": id, "webhook-timestamp": now, "webhook-signature": signature}


# endregion


async def main() -> None:
    store = os.environ.get("REDIS_URL", "redis://localhost")
    connected = chatrooms.connect(store=store, namespace="Shop", guests=True)
    async with httpx.AsyncClient(timeout=15) as http, connected as chat:
        await forward(chat, http)


if __name__ == "__main__":
    asyncio.run(main())
