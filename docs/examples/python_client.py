import asyncio
from collections.abc import Iterable
import sys

from sanic_chatrooms.client import ChatClient
from sanic_chatrooms.errors import PositionLost

URL = "ws://127.0.0.1:8000/chat/ws"


# region talk
async def talk() -> None:
    async with ChatClient(URL, name="Ada") as client:
        page = await client.join("general", history=20)
        for event in page["messages"]:
            print(event["payload"])
        stored = await client.send("general", "hello")  # returns when the server has stored it
        print(f"stored as number {stored['seq']}")
        await client.edit("general", stored["msgId"], "hello, everybody")


# endregion


# region stream
async def recite(client: ChatClient, words: Iterable[str]) -> None:
    async with client.stream("general") as out:
        for word in words:
            out.write(word)
            await out.flush()  # not faster than the server takes it
    if out.cancelled_by is not None:
        print(f"{out.cancelled_by['name']} has heard enough")


# endregion


# region follow
async def forward(client: ChatClient, since: str | None) -> str | None:
    """Print what is said, until somebody says goodbye; return where that was."""
    async for event in client.follow("general", since=since, types=("message",)):
        print(event["seq"], event["payload"].get("text"))
        since = client.position(event)
        if event["payload"].get("text") == "goodbye":
            break
    return since


# endregion


# region lost
async def forward_for_ever(client: ChatClient, since: str | None) -> str | None:
    while True:
        try:
            return await forward(client, since)
        except PositionLost as lost:
            print("some messages are not there any more", file=sys.stderr)
            since = f"{lost.fields['epoch']}:{lost.fields['seq']}"


# endregion


# region token
async def fresh_token() -> str:
    """Ask your own server who you are."""
    await asyncio.sleep(0)
    return "…"


client = ChatClient("wss://chat.example/chat/ws", token=fresh_token)
# endregion


if __name__ == "__main__":
    asyncio.run(talk())
