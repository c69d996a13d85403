"""All that people read is in the files of words, where every language has it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sanic_chatrooms.web.assets import FOLDER
from sanic_chatrooms.web.compact import _pieces
from tests.support.process import ROOT

MODULES = [
    path
    for folder in (FOLDER, ROOT / "example_app" / "static")
    for path in sorted(folder.rglob("*.js"))
    if path.parent.name not in {"words", "client", "style"}
    and path.name not in {"client.js", "client-http.js", "operator-words.js"}
]
# Two words, or one that begins with a capital letter.
READABLE = re.compile(r"[A-Za-z]{2,} [a-z]{2,}|^[A-Z][a-z]+[.…:]?$|^[A-Z][a-z]+ ")
NOT_READ = {
    "keys of the storage": r"chatrooms .*|example signed in|example notifications",
    "names of keys": r"Enter|Escape|Tab|Esc|Alt",
    "classes and other attributes": r"dialog search|dialog picker|dialog picker sheet|dialog sheet|button primary open-app|dialog switcher|plain unfold|badge mentions|icon-button format-|noopener noreferrer nofollow",
    "names in Intl and the browser": r"Segmenter|Collator|Files|Bearer |not all",
    "what the server says, and client.js": r"protocol error|text frames only|text is not valid UTF-8|token expired|invalid token|too many malformed frames|"
    r"not authenticated in time|disconnected by the application|too many connections|replaced by another connection|sign in first|"
    r"signed out elsewhere|you are banned from this chat|this token was revoked; sign in again",
    "what developers read": r"<chat-room> is not in a page, or has no room|<chat-room> has no room: it needs the attribute room|a row of the conversation cannot be drawn",
}
ALLOWED = re.compile("|".join(NOT_READ.values()))


def texts(script: str) -> list[str]:
    """What stands between quotation marks; templates in parts, without their expressions."""
    found = [piece for piece in _pieces(script) if piece[0] in "\"'`}" and len(piece) > 1]
    return [re.sub(r"^.|(?:.|\$\{)$", "", piece, flags=re.DOTALL) for piece in found]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_no_words_for_people_stand_in_a_module(path: Path) -> None:
    readable = [text for text in texts(path.read_text()) if READABLE.search(text)]

    assert [text for text in readable if not ALLOWED.fullmatch(text)] == []


def test_words_that_are_left_in_a_module_are_found() -> None:
    script = 'a("Show"); b(`Delete ${"Now"} the ${c} room`); d("two words", "size-one", "Enter");'

    assert [text for text in texts(script) if READABLE.search(text)] == [
        "Show",
        "Delete ",
        "Now",
        "two words",
        "Enter",
    ]


def test_what_is_allowed_is_there() -> None:
    found = {text for path in MODULES for text in texts(path.read_text())}

    for about, pattern in NOT_READ.items():
        for one in pattern.split("|"):
            assert any(re.fullmatch(one, text) for text in found), f"{about}: {one}"


@pytest.mark.parametrize(
    "path",
    [*FOLDER.rglob("*.css"), *(ROOT / "example_app" / "static").glob("*.css")],
    ids=lambda path: path.name,
)
def test_style_sheets_do_not_know_left_and_right(path: Path) -> None:
    rules = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
    sides = re.findall(
        r"[\w-]*\b(?:left|right)\b[\w-]*:(?! 50%)|text-align: (?:left|right)|float: \w+", rules
    )
    # top, right, bottom, left, of which the second and the last differ
    four = re.findall(r"(?:padding|margin|inset): ([^ ;]+) ([^ ;]+) ([^ ;]+) ([^ ;]+)[;}]", rules)

    assert sides == []
    assert [one for one in four if one[1] != one[3] and "auto" not in one] == []
