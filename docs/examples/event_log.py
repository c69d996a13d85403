import asyncio
import json
import os

import nats
from nats.js import JetStreamContext
import sanic_chatrooms as chatrooms
from sanic_chatrooms import ChatRooms

ROOMS = ["orders"]
NATS_URL = os.environ.get("NATS_URL", "nats://localhost:4222")
AGAIN = 1.0  # seconds


# region sink
async def forward(chat: ChatRooms, log: JetStreamContext) -> None:
    """All events of the rooms, each at least once: the log has it before the loop goes on."""
    async for event in chat.follow(rooms=ROOMS, once="event-log"):
        entry = {"type": event.type, "seq": event.seq, "at": event.timestamp, "payload": event.payload}
        await append(log, f"chat.{event.room}", json.dumps(entry).encode(), event.msg_id)


async def append(log: JetStreamContext, subject: str, entry: bytes, id: str) -> None:
    """Until the log has it. By the id, it takes a repetition for the same, for as long as its window says."""
    while True:
        try:
            await log.publish(subject, entry, headers={"Nats-Msg-Id": id})
            return
        except nats.errors.Error as problem:
            print(f"{id} is tried again in {AGAIN:g} s: {problem!r}", flush=True)
            await asyncio.sleep(AGAIN)


# endregion


async def main() -> None:
    store = os.environ.get("SHOP_DATABASE", "postgresql+asyncpg://localhost/shop")
    async with await nats.connect(NATS_URL, max_reconnect_attempts=-1) as connection:
        log = connection.jetstream()
        await log.add_stream(name="CHAT", subjects=["chat.>"])
        async with chatrooms.connect(store=store, namespace="Shop", guests=True) as chat:
            await forward(chat, log)


if __name__ == "__main__":
    asyncio.run(main())
