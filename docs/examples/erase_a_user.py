import asyncio
import sys

import sanic_chatrooms as chatrooms

STORE = "sqlite:///chat.db"


async def erase(user: str) -> None:
    async with chatrooms.connect("default", store=STORE, namespace="Shop", guests=True) as chat:
        await chat.ban_user(user)  # or end the account, so that nobody signs in as this user
        await chat.erase_user(user)


if __name__ == "__main__":
    asyncio.run(erase(sys.argv[1]))
