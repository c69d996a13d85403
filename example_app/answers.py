"""What the assistant says: canned, or computed. It stands for a language model, and yields text as one does."""

import ast
import asyncio
import operator
import re
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

__all__ = ["GREETING", "answer"]

PAUSE = 0.04  # seconds between two pieces
PIECES = re.compile(r"\s*\S+\s*")
SUM = re.compile(r"[\d\s.+\-*/%()]{3,100}")
LARGEST, HIGHEST = 10**18, 64  # of any number, and of an exponent

GREETING = (
    "Hello! I am the assistant of this example. I run without a language model and without a network, so I know little, "
    "but my answers write themselves as those of a model do. Write `help` to see what I can do."
)
HELP = (
    "You can ask me these things:\n\n"
    "`2 * (3 + 4)` and other sums: I work them out\n"
    "`time`: what the clock of the server shows\n"
    "`count to 50`: a long answer, so that you can scroll away and come back\n"
    "`story`: a longer one, to press Stop\n"
    "`code`: a block of code that grows\n"
    "`break`: an answer that fails in the middle\n\n"
    "Open this room in a second window, or reload it while I write: everybody sees the same text grow."
)
STORY = (
    "A message set out one morning to cross a busy server.\n\n"
    "At the gate it was asked for its name. It showed a number that its writer had given to it, so that it would be let in "
    "once, and only once, however often it had to knock.\n\n"
    "Inside, it was given a second number. “You are after 41 and before 43,” said the keeper of the room. “Whoever hears you "
    "hears 41 first.” The message found that reassuring.\n\n"
    "Then it was written down. Only when the ink was dry did the keeper tell the writer: “It is here.” And only then were the "
    "doors opened, and everybody in the room heard the message in the same moment, on every machine.\n\n"
    "One listener was in a tunnel. When the train came out, the listener said: “I have heard everything up to 41.” And the "
    "keeper, who had the book at hand, read the rest aloud.\n\n"
    "So nothing was lost, nothing was heard twice, and nothing came in the wrong order. The message thought that this was an "
    "ordinary day. That was what it liked about it."
)
CODE = (
    "This is all that an app needs to write a message like this one:\n\n"
    "```python\n"
    'async with chat.stream("assistant", sender=BOT) as out:\n'
    "    async for piece in model(question):\n"
    "        out.write(piece)\n"
    "```\n"
    "Whoever presses Stop cancels the loop."
)


class NoModelError(Exception):
    """What a model raises whose provider is down."""


async def answer(question: str) -> AsyncIterator[str]:
    """Answer piece by piece. Raises `NoModelError` in the middle where one asks for it."""
    for piece in PIECES.findall(said_to(question)):
        yield piece
        await asyncio.sleep(PAUSE)
    if "break" in words_of(question):
        raise NoModelError("somebody asked for an answer that fails")


def said_to(question: str) -> str:
    text = question.strip()
    if SUM.fullmatch(text) and re.search(r"\d\s*[-+*/%)]", text):
        return worked_out(text)
    words = words_of(text)
    for word, canned in CANNED.items():
        if word in words:
            return canned(text)
    return f"I have no model, so I cannot say much about your {counted(len(words), 'word')}. Write `help` to see what I can do."


def words_of(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def count_to(text: str) -> str:
    found = re.search(r"\d{1,6}", text)
    end = min(int(found[0]), 200) if found else 20
    return "\n".join(str(number) for number in range(1, end + 1))


CANNED: dict[str, Callable[[str], str]] = {
    "help": lambda _: HELP,
    "count": count_to,
    "story": lambda _: STORY,
    "code": lambda _: CODE,
    "time": lambda _: (
        f"The clock of the server shows {datetime.now(UTC):%H:%M:%S} UTC, on {datetime.now(UTC):%A, %d %B %Y}."
    ),
    "break": lambda _: (
        "This answer is going to fail. What has been written so far stays, and the room can see that"
    ),
    "hello": lambda _: "Hello! Write `help` to see what I can do.",
    "hi": lambda _: "Hello! Write `help` to see what I can do.",
    "thanks": lambda _: "You are welcome.",
}

# ---- sums ----

OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
}


def worked_out(text: str) -> str:
    try:
        value = value_of(ast.parse(text, mode="eval").body)
    except ZeroDivisionError:
        return "Nothing can be divided by zero."
    except OverflowError:
        return "That is too much for me."
    except (SyntaxError, ValueError, TypeError):
        return f"I do not understand the sum `{text}`."
    return f"`{text}` = {value:,}" if isinstance(value, int) else f"`{text}` = {value:,.10g}"


def value_of(node: ast.expr) -> Any:
    """The value of a sum. Every number on the way has a limit, so that no sum takes long."""
    match node:
        case ast.Constant(int() | float() as value):
            return limited(value)
        case ast.UnaryOp(op, operand) if type(op) in OPERATORS:
            return OPERATORS[type(op)](value_of(operand))
        case ast.BinOp(left, op, right) if type(op) in OPERATORS:
            one, other = value_of(left), value_of(right)
            if isinstance(op, ast.Pow) and abs(other) > HIGHEST:
                raise OverflowError
            return limited(OPERATORS[type(op)](one, other))
    raise ValueError("no sum")


def limited(value: Any) -> Any:
    if isinstance(value, complex):
        raise TypeError("no sum has this value")
    if abs(value) > LARGEST:
        raise OverflowError
    return value
