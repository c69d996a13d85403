import asyncio
from collections.abc import AsyncIterator

from sanic import Sanic
from sanic_chatrooms import ChatRooms, Happening, User

BOT = User("bot", "Assistant")

app = Sanic("Answers")
chat = ChatRooms(guests=True)
app.blueprint(chat.bp)


async def model(question: str) -> AsyncIterator[str]:
    """Stands for a language model: anything that yields text."""
    for word in f"You asked: {question} Let me think about it.".split():
        await asyncio.sleep(0.02)
        yield word + " "


# region answer
async def answer(room: str, question: str, msg_id: str) -> None:
    async with chat.stream(room, sender=BOT, parent=msg_id, body={"model": "example"}) as out:
        async for token in model(question):
            out.write(token)
    if out.cancelled_by is not None:
        print(f"{out.cancelled_by.name} has read enough")


# endregion


# region listen
tasks: set[asyncio.Task[None]] = set()


@chat.on("message")
async def on_question(said: Happening) -> None:
    text = said.payload["text"]
    if said.event is not None and said.room is not None and text.startswith("/ask "):
        task = asyncio.create_task(answer(said.room, text.removeprefix("/ask "), said.event.msg_id))
        tasks.add(task)  # asyncio keeps no task alive
        task.add_done_callback(tasks.discard)


# endregion
