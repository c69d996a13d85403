import asyncio

import sanic_chatrooms as chatrooms


# region connect
async def main() -> int:
    async with chatrooms.connect("support", guests=True) as chat:
        await chat.ensure_room("orders", title="Orders")
        event = await chat.publish("orders", "ORDER_CREATED", {"orderId": 7})
        return event.seq


# endregion

if __name__ == "__main__":
    asyncio.run(main())
