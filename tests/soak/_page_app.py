"""The server of page.py: the ready page, rooms of many messages and of long ones, and one in which people keep talking."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any

from sanic import HTTPResponse, Request, Sanic, json

from sanic_chatrooms import ChatRooms, User

PEOPLE = [User(f"u{number}", name) for number, name in enumerate(("Ada", "Bob", "Cy", "Dee", "Eve"))]
CODE = "```python\ndef square(number):\n    return number * number\n```"
SAID = (
    "ok",
    "That is a good idea, let us do it tomorrow",
    "Who brings the bread?",
    "I do",
    "Then I bring what goes with it, and somebody else the plates, if there are any",
    "See https://example.org/a/page?of=mine and [the plan](https://example.org/plan) before",
    "It is **very** important to *read* this `carefully`, and ~~not~~ quickly: " + "words and words " * 12,
    "- milk\n- bread\n  - rye\n  - wheat\n- tea",
    "> What did she say?\n> I did not hear it\n\nNothing at all",
    CODE + "\nand that was all",
    "👍🏽 👩‍👩‍👧 🇪🇺",
    "שלום עולם, hello again",  # two directions
    "yes",
    "no",
    "It rains here. We wait for a moment, and then we come by bus, which takes longer but is dry",
    "fine",
    "你好、世界。" * 20,
    "one line\n" * 9 + "the last one",
    "a long story, " * 250,  # folded
)
LONGEST = 15_999
PIECES = (
    "hello world ",
    "[a](http://a) ",
    "**a** *b* ",
    "`a` ",
    "- a\n  - b\n",
    "> a\n",
    CODE + "\n",
    "你好、世界。",
    "👍🏽 ",
    "w",
)


def create_app() -> Sanic[Any, Any]:
    app: Sanic[Any, Any] = Sanic("soak")
    app.config.update(AUTO_EXTEND=False, ACCESS_LOG=False)
    chat = ChatRooms(guests=True, history_max=5_000, drain_seconds=0.0)
    app.blueprint(chat.bp)
    talk = _Talk(chat)

    @app.get("/fill")
    async def fill(request: Request) -> HTTPResponse:
        """Create the rooms `lobby`, `many`, `busy` and `longest`."""
        for room, messages in (("lobby", 1), ("many", int(request.args["many"][0])), ("busy", 200)):
            await chat.create_room(room)
            for number in range(messages):
                await talk.say(room, SAID[number % len(SAID)])
        await chat.create_room("longest")
        for number in range(int(request.args["longest"][0])):
            piece = PIECES[number % len(PIECES)]
            await talk.say("longest", (piece * LONGEST)[:LONGEST])
        return json({})

    @app.get("/talk")
    async def begin(request: Request) -> HTTPResponse:
        """Say so many messages `per_minute` in `busy`; 0: stop."""
        talk.begin(app, "busy", int(request.args["per_minute"][0]))
        return json({})

    return app


class _Talk:
    """What people say, in turn."""

    def __init__(self, chat: ChatRooms) -> None:
        self._chat = chat
        self._numbers = count()
        self._task: asyncio.Task[None] | None = None

    async def say(self, room: str, text: str) -> None:
        # Two messages of one person, then the next one.
        sender = PEOPLE[next(self._numbers) // 2 % len(PEOPLE)]
        await self._chat.publish(room, "message", {"text": text}, sender=sender)

    def begin(self, app: Sanic[Any, Any], room: str, per_minute: int) -> None:
        if self._task:
            self._task.cancel()
        self._task = app.add_task(self._go_on(room, 60 / per_minute)) if per_minute else None

    async def _go_on(self, room: str, pause: float) -> None:
        for number in count():
            await self.say(room, SAID[number % len(SAID)])
            await asyncio.sleep(pause)
