from __future__ import annotations

import pytest

from example_app import answers
from example_app.answers import NoModelError, answer, said_to


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2 * (3 + 4)", "14"),
        ("1/4", "0.25"),
        ("2**40", "1,099,511,627,776"),
        ("-7 // 2", "-4"),
        ("10 % 4 - 1.5", "0.5"),
        ("1+1\n", "2"),
    ],
)
def test_a_sum_is_worked_out(text: str, value: str) -> None:
    assert said_to(text).endswith(f"= {value}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 / 0", "Nothing can be divided by zero."),
        ("9**9**9**9", "That is too much for me."),
        ("99999999999 * 99999999999", "That is too much for me."),
        ("2**-65", "That is too much for me."),
        ("(1+2", "I do not understand the sum `(1+2`."),
        ("1 + + ", "I do not understand the sum `1 + +`."),
        ("(-8)**0.5", "I do not understand the sum `(-8)**0.5`."),
        ("(2)(3)", "I do not understand the sum `(2)(3)`."),
        ("(" * 48 + "1+1" + ")" * 48, "= 2"),
    ],
)
def test_a_sum_that_has_no_answer_is_answered_too(text: str, said: str) -> None:
    assert said in said_to(text)


@pytest.mark.parametrize("text", ["__import__('os')", "a + b", "lambda: 1", "'x' * 9", "1" * 101 + "+1"])
def test_only_numbers_are_sums(text: str) -> None:
    assert "I have no model" in said_to(text)


def test_it_counts_and_not_for_ever() -> None:
    assert said_to("please count to 3") == "1\n2\n3"
    assert said_to("count to 999999").endswith("\n200")


@pytest.mark.parametrize("word", ["help", "story", "code", "time", "Hello!"])
def test_it_knows_some_words(word: str) -> None:
    assert "I have no model" not in said_to(word)


async def test_an_answer_comes_in_pieces_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "PAUSE", 0)
    for question in ("help", "story", "code", "count to 30", "what?"):
        pieces = [piece async for piece in answer(question)]
        assert "".join(pieces) == said_to(question)
        assert len(pieces) > 5


async def collect(question: str, pieces: list[str]) -> None:
    async for piece in answer(question):
        pieces.append(piece)  # noqa: PERF401 - what came before an error counts


async def test_it_fails_when_asked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "PAUSE", 0)
    pieces: list[str] = []
    with pytest.raises(NoModelError):
        await collect("break", pieces)
    assert "".join(pieces).startswith("This answer is going to fail")
