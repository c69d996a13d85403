from __future__ import annotations

import json
import time

import pytest

from sanic_chatrooms.command_line.output import Table, note, safe, say, say_json, span, when


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Grüße, 世界 👩‍👩‍👧", "Grüße, 世界 👩‍👩‍👧"),
        ("\x1b[2Jgone\x07", "␛[2Jgone␇"),
        ("a\rb\nc\td", "a␍b␊c␉d"),
        ("\x9b31m", "\ufffd31m"),
        ("abc\u202ecba", "abc\ufffdcba"),
        ("[bold]no markup[/bold]", "[bold]no markup[/bold]"),
    ],
)
def test_what_others_write_does_nothing_to_a_terminal(text: str, shown: str) -> None:
    assert safe(text) == shown


def test_cells_stand_below_each_other_also_where_signs_are_wide(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("ROOM", "TITLE")
    table.add("世界", "World")
    table.add("general", "")
    table.end()

    assert capsys.readouterr().out == "ROOM     TITLE\n世界     World\ngeneral\n"


def test_a_long_table_is_printed_meanwhile_and_a_wide_cell_widens_no_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = Table("ROOM", "TITLE")
    for number in range(1_000):
        table.add("x" * 10_000 if number == 500 else str(number), "title")
    printed = capsys.readouterr().out.splitlines()
    table.end()

    assert len(printed) >= 800
    assert printed[:2] == ["ROOM  TITLE", "0     title"]
    assert max(len(line) for line in printed if not line.startswith("x")) < 100


def test_nothing_is_read_as_markup_and_no_line_is_broken(capsys: pytest.CaptureFixture[str]) -> None:
    say("[red]x[/red] :smile: " + "long " * 100, ("bold", "bold"))

    assert capsys.readouterr().out == "[red]x[/red] :smile: " + "long " * 100 + "bold\n"


def test_json_is_one_line_of_utf_8(capsys: pytest.CaptureFixture[str]) -> None:
    say_json({"text": "Grüße\n"})

    assert capsys.readouterr().out == '{"text":"Grüße\\n"}\n'


def test_no_line_does_anything_to_a_terminal_whoever_wrote_it(capsys: pytest.CaptureFixture[str]) -> None:
    said = "\x1b]0;mine\x07 \x9b31m \x7f \u202e \u2028 \ud800"

    note(f"the server says: {said}\nand more")
    say(said, (said, "bold"))
    say_json({said: said, "text": "👩‍👩‍👧"})

    out, err = capsys.readouterr()
    line, shown = out.splitlines()
    assert (err.count("\n"), safe(line)) == (2, line)
    assert all(safe(text) == text for text in (*err.splitlines(), shown))
    assert json.loads(shown) == {said: said, "text": "👩‍👩‍👧"}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.25, "0.2 s"),
        (36.2, "36 s"),
        (90, "1 min"),
        (7200, "2 h"),
        (12_000, "3 h 20 min"),
        (5.2 * 86_400, "5 d 4 h"),
    ],
)
def test_a_span_of_time_in_words(seconds: float, words: str) -> None:
    assert span(seconds) == span(-seconds) == words


def test_a_time_of_today_has_no_date() -> None:
    now = time.time()

    assert len(when(now)) == len("12:00:00")
    assert when(now - 400 * 86_400).startswith("20")
