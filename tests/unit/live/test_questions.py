"""Questions to other workers about messages that are being written."""

from __future__ import annotations

import asyncio
import time

import pytest

from sanic_chatrooms.live import questions
from sanic_chatrooms.live.questions import Questions

pytestmark = pytest.mark.asyncio


class Asked:
    """What the other workers hear."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.questions = Questions(lambda room, msg_id, question: self.ids.append(question), time.monotonic)

    async def ask(self) -> asyncio.Task[bool]:
        """Ask about one message, until the others have heard it."""
        asking = asyncio.ensure_future(self.questions.ask("general", "m1"))
        await asyncio.sleep(0)
        return asking


async def test_all_who_ask_at_a_time_ask_once_and_hear_the_answer() -> None:
    asked = Asked()
    both = [await asked.ask(), await asked.ask()]
    (id,) = asked.ids

    asked.questions.answered("m1", id)

    assert await asyncio.gather(*both) == [True, True]


async def test_what_was_told_before_the_question_is_no_answer_to_it() -> None:
    asked = Asked()
    asking = await asked.ask()

    asked.questions.answered("m1", "")  # as when a message is taken over
    asked.questions.answered("m1", "another question")
    await asyncio.sleep(0)
    assert not asking.done()
    asked.questions.answered("m1", *asked.ids)

    assert await asking


async def test_nobody_is_asked_again_soon_where_nobody_has_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "ANSWERED", 0.01)
    asked = Asked()

    assert not await asked.questions.ask("general", "m1")
    assert not await asked.questions.ask("general", "m1")

    assert len(asked.ids) == 1
