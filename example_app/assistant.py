"""The assistant in #assistant. It answers every message there, piece by piece, and can be stopped."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

from sanic import Sanic

from example_app.answers import GREETING, answer
from sanic_chatrooms import ChatError, ChatRooms, Happening, User

logger = logging.getLogger("example_app.assistant")

ROOM = "assistant"
BOT = User("assistant", "Assistant")
NAMES = ("Admin", "Administrator", "Moderator", "Server", "Support", "System")  # which no guest has anyway
AT_ONCE, IN_ALL = 2, 50  # answers for one user, and on this worker
AGAIN = 5.0  # seconds until it tries again to be there


class Assistant:
    """One on each worker. A question is answered by the worker that it came to."""

    def __init__(self, chat: ChatRooms, model: Callable[[str], AsyncIterator[str]] = answer) -> None:
        self.chat = chat
        self.model = model
        self._answers: dict[asyncio.Task[None], str] = {}  # the answers under way, and who asked
        self._presence: asyncio.Task[None] | None = None

    async def start(self, _: Sanic[Any, Any]) -> None:
        await self.open()
        self._presence = asyncio.create_task(self._be_there())

    async def open(self) -> None:
        """Make the room. Everybody in it may stop an answer."""
        await self.chat.ensure_room(ROOM, title="Assistant", permissions={"message.cancel": 1})

    async def stop(self, _: Sanic[Any, Any]) -> None:
        """What is being written is closed as interrupted."""
        tasks = [*self._answers, *([self._presence] if self._presence else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _be_there(self) -> None:
        while True:
            try:
                async with self.chat.appear(BOT, rooms=[ROOM]):
                    await self._greet()
                    await asyncio.Event().wait()
            except ChatError as problem:
                logger.warning("the assistant cannot be in its room now: %s", problem)
            await asyncio.sleep(AGAIN)

    async def _greet(self) -> None:
        """Say once what this room is for."""
        page = await self.chat.history(ROOM)
        if not page.more and not any(event["type"] == "message" for event in page.messages):
            await self.chat.publish(
                ROOM, "message", {"text": GREETING}, sender=BOT, key="greeting-of-the-assistant"
            )

    async def hear(self, said: Happening) -> None:
        if said.event is None or said.user is None or said.user.id == BOT.id:
            return
        body = said.payload
        question = body.get("text")
        if not isinstance(question, str) or not question.strip():
            return
        parent = body.get("parent")  # a reply is answered in its thread
        if self._is_busy(said.user.id):
            await self._say(
                parent, "One question after the other, please. Stop an answer, or wait for its end."
            )
            return
        task = asyncio.create_task(self._answer(question, parent))
        self._answers[task] = said.user.id
        task.add_done_callback(self._answers.pop)

    def _is_busy(self, user: str) -> bool:
        return len(self._answers) >= IN_ALL or list(self._answers.values()).count(user) >= AT_ONCE

    async def _answer(self, question: str, parent: str | None) -> None:
        try:
            await self._write(question, parent)
        except (
            Exception
        ):  # the message says that it ended with an error; the next question is answered as ever
            logger.exception("an answer of the assistant failed")

    async def _write(self, question: str, parent: str | None) -> None:
        async with self.chat.stream(ROOM, sender=BOT, parent=parent) as out:
            async for piece in self.model(question):
                out.write(piece)

    async def _say(self, parent: str | None, text: str) -> None:
        body = {"text": text, **({"parent": parent} if parent else {})}
        with suppress(ChatError):  # the question may be gone
            await self.chat.publish(ROOM, "message", body, sender=BOT)


def add_assistant(app: Sanic[Any, Any], chat: ChatRooms, assistant: Assistant) -> None:
    app.config.CHATROOMS_RESERVED_NAMES = [*NAMES, BOT.name]
    chat.on("message", rooms=[ROOM])(assistant.hear)
    app.register_listener(assistant.start, "before_server_start")
    app.register_listener(assistant.stop, "before_server_stop")
