"""The page is walked: a real message calls, in this order, what the tables of a-messages-way.md name."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from sanic import Sanic

import sanic_chatrooms
from sanic_chatrooms import ChatRooms
from tests.support.fixtures import Connect

PACKAGE = str(Path(sanic_chatrooms.__file__).parent)
PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "a-messages-way.md"
FIRST = 5
"""The step at which the message's bytes arrive."""
ABSTRACT = {"Store.append_now"}


def steps() -> list[str]:
    """The functions in the second column, from the first step of the message on."""
    rows = re.findall(r"^\| (\d+) \| (.+?) \| .+ \|$", PAGE.read_text(), re.MULTILINE)
    names = [
        name for number, where in rows if int(number) >= FIRST for name in re.findall(r"`(\w+\.\w+)`", where)
    ]
    return [name for name in names if not name.endswith(".py") and name not in ABSTRACT]


class Trace:
    """Notes every call into the package, as `Class.function` or `module.function`."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __enter__(self) -> Trace:
        sys.setprofile(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _note(self, frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(PACKAGE):
            name = code.co_qualname
            self.calls.append(name if "." in name else f"{Path(code.co_filename).stem}.{name}")


async def test_a_message_goes_the_way_that_the_page_tells(app: Sanic[Any, Any], connect: Connect) -> None:
    app.blueprint(ChatRooms(guests=True).bp)
    ada, bob = await connect(), await connect()
    for client in (ada, bob):
        await client.ack("join", room="general")

    with Trace() as trace:
        await ada.ack("message", room="general", payload={"text": "hi"})
        await bob.expect("message")

    way = iter(trace.calls)
    missed = [step for step in steps() if step not in way]  # `in` moves the iterator on: order counts
    assert missed == []
