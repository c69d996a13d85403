import asyncio
from pathlib import Path

import sanic_chatrooms as chatrooms
from sanic_chatrooms import ChatRooms, PositionLost, User

SAVED = Path("position.txt")
BOT = User("order-bot", "Order bot")


# region follow
def saved() -> str | None:
    return SAVED.read_text() if SAVED.exists() else None


async def ship(chat: ChatRooms) -> None:
    """Handle the orders since the last run, each once: one twice only if this process dies in the middle of it."""
    async for event in chat.follow("orders", since=saved(), types=("ORDER_CREATED",)):
        print(f"order {event.payload['orderId']} is number {event.seq} of the room")
        save(chat.position(event))


def save(position: str) -> None:
    SAVED.write_text(position)


# endregion


# region lost
async def ship_for_ever(chat: ChatRooms) -> None:
    while True:
        try:
            return await ship(chat)  # the chat has stopped
        except PositionLost as lost:
            print("some orders are not there any more: ask the shop's own database")
            save(f"{lost.fields['epoch']}:{lost.fields['seq']}")


# endregion


# region answer
async def answer(chat: ChatRooms) -> None:
    """A bot in a room: present, typing, and answering."""
    async with chat.appear(BOT, rooms=["support"]):
        async for event in chat.follow("support", types=("message",), once="order-bot"):
            if event.payload.get("text") == "/orders":
                await chat.typing("support", BOT)
                await chat.publish("support", "message", {"text": "Three today."}, sender=BOT)


# endregion


# region listen
def declare(chat: ChatRooms) -> None:
    @chat.on("message", rooms=["support", "sales"])
    async def log(event: chatrooms.Happening) -> None:
        print(event.room, event.payload["text"])


# endregion


async def main() -> None:
    async with chatrooms.connect("support", store="redis://localhost", namespace="Shop", guests=True) as chat:
        declare(chat)
        await asyncio.gather(ship_for_ever(chat), answer(chat))


if __name__ == "__main__":
    asyncio.run(main())
