"""What search finds in a text, and where: against a naive search that folds every part of the text anew."""

# ruff: noqa: RUF001 - texts of many scripts

from __future__ import annotations

import sys
import unicodedata
from itertools import combinations
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sanic_chatrooms.support import words
from sanic_chatrooms.support.words import LONGEST_TEXT, WIDEST, Query, Text

LETTERS = "abéÉßﬁİıΣςσйё日本語ねがか\u3099서울한\u1112\u1161\u11abשלום\u05b8مرحبا\u064bไทยनमस्ते🎉👩\u200d💻👍🏽️1٣_ '\"*-.\u0301\u0327\u200f\ufe0f\u00ad½㍿ﾊﾟ"
# Each of these is one character when it is folded, or an accent on the one before it.
SIMPLE = [*"abAé日本が서한שלמرไयनस🎉👩1 -\u05b8\u064b\u0301\u200d\u200f", "か\u3099"]
simple = st.lists(st.sampled_from(SIMPLE), max_size=8).map("".join)
texts = st.text(st.sampled_from(LETTERS) | st.characters(codec="utf-8"), max_size=40)


def find(query: str, text: str) -> list[tuple[int, int]] | None:
    return Query(query).find(Text(text))


def shown(query: str, text: str) -> list[str] | None:
    """The parts of the text that match."""
    found = find(query, text)
    return None if found is None else [text[start:end] for start, end in found]


@pytest.mark.parametrize(
    ("query", "text", "parts"),
    [
        ("lamp", "A Lamp, two lamps", ["Lamp", "lamp"]),
        ("LAMP", "lamp", ["lamp"]),
        ("cafe", "Café", ["Café"]),
        ("café", "cafe", ["cafe"]),
        ("cafe", "un cafe\u0301!", ["cafe\u0301"]),
        ("strasse", "Straße", ["Straße"]),
        ("straße", "STRASSE", ["STRASSE"]),
        ("office", "oﬃce", ["oﬃce"]),
        ("off", "oﬃce", ["oﬃ"]),
        ("日本", "私は日本語を話す", ["日本"]),
        ("語", "日本語", ["語"]),
        ("がっこう", "か\u3099っこう", ["か\u3099っこう"]),
        ("서울", "서울에서 왔다", ["서울"]),
        ("한국", unicodedata.normalize("NFD", "한국어"), [unicodedata.normalize("NFD", "한국")]),
        ("ไทย", "ภาษาไทยง่าย", ["ไทย"]),
        ("שלום", "\u200fשָׁלוֹם!", ["שָׁלוֹם"]),
        ("مرحبا", "مَرْحَبًا بك", ["مَرْحَبًا"]),
        ("नमस्ते", "नमस्ते दुनिया", ["नमस्ते"]),
        ("🎉", "done 🎉🎉", ["🎉", "🎉"]),
        ("👍", "👍🏽 ok", ["👍🏽"]),
        ("👩‍💻", "the 👩‍💻 works", ["👩‍💻"]),
        ("ολοσ", "όλος", ["όλος"]),
        ("two lamps", "lamps: two", ["lamps", "two"]),
        ("to to", "to be", ["to"]),
        ("don't", "Don't", ["Don", "t"]),
        ("あああ", "ああああ", ["ああああ"]),
    ],
)
def test_a_query_finds_what_people_would_call_the_same(query: str, text: str, parts: list[str]) -> None:
    assert shown(query, text) == parts


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("lamp", "a clamp"),
        ("la", "lamp"),
        ("lamps", "lamp"),
        ("か", "が"),
        ("कि", "कु"),
        ("two lamps", "one lamp"),
        ("日語", "日本語"),
        ("선", "서"),
        ("...", "..."),
        ("", "lamp"),
    ],
)
def test_a_query_finds_nothing_else(query: str, text: str) -> None:
    assert find(query, text) is None


@settings(deadline=None)
@given(texts, texts)
def test_what_is_found_is_within_the_text_ascending_and_apart(query: str, text: str) -> None:
    found = find(query, text)
    if found is not None:
        assert found
        assert found == spans(found)
        assert all(0 <= start < end <= len(text) for start, end in found)


@settings(max_examples=200, deadline=None)
@given(texts, st.data())
def test_a_highlight_reads_like_what_was_looked_for(text: str, data: st.DataObject) -> None:
    pieces = Text(text).pieces
    if not pieces:
        return
    piece = data.draw(st.sampled_from(pieces))

    found = find(piece.text, text)

    assert found is not None
    for start, end in found:
        assert piece.text in Text(text[start:end]).folded.replace("\u0301", "")


@settings(max_examples=200, deadline=None)
@given(simple, simple)
@example("か\u3099っ", "がっこ")
def test_it_finds_what_a_naive_search_finds(query: str, text: str) -> None:
    assert find(query, text) == naive(query, text)


@settings(max_examples=200, deadline=None)
@given(texts, texts)
def test_whatever_matches_has_all_keys_of_the_query(query: str, text: str) -> None:
    if find(query, text) is not None:
        assert Query(query).keys() <= Text(text).keys()


@settings(deadline=None)
@given(texts, texts)
def test_whatever_matches_by_stems_has_all_keys_of_the_query(query: str, text: str) -> None:
    asked, said = Query(query), Text(text)
    stems = {word: word[:2] for word in {*asked.words, *said.words}}
    if asked.find(said, stems) is not None:
        assert asked.keys(stems) <= said.keys(stems)


def test_words_are_found_by_their_stems_where_there_are_some() -> None:
    stems = {"lamps": "lamp", "lamp": "lamp", "the": "", "lampoon": "lampoon"}
    assert Query("the lamp").find(Text("the lamps"), stems) == [(4, 9)]
    assert Query("lamp").find(Text("lampoon"), stems) is None
    assert Query("the").find(Text("the"), stems) is None
    assert Query("the").keys(stems) == set()


def test_only_the_beginning_of_a_very_long_text_is_looked_at() -> None:
    text = Text("x " * LONGEST_TEXT + "lamp")
    assert len(text.folded) == LONGEST_TEXT
    assert Query("lamp").find(text) is None


def test_a_text_that_grows_when_it_is_folded_is_looked_at_no_further_than_any_other() -> None:
    text = Text("\ufdfa" * LONGEST_TEXT + "lamp")
    assert LONGEST_TEXT <= len(text.folded) < LONGEST_TEXT + WIDEST
    assert Query("lamp").find(text) is None
    first, *_, last = Query("\ufdfa").find(text) or []
    assert (first, last) == ((0, 1), (len(text.folded) // WIDEST - 1, len(text.folded) // WIDEST))


def test_no_character_is_wider_than_the_widest() -> None:
    every = map(chr, range(sys.maxunicode + 1))
    wide = [one for one in every if len(unicodedata.normalize("NFKD", one)) > WIDEST // 3]
    assert max(len(Text(one).folded) for one in wide) == WIDEST


def test_a_long_row_of_marks_is_not_put_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = []

    def normalize(form: Any, text: str) -> str:
        lengths.append(len(text))
        return unicodedata.normalize(form, text)

    monkeypatch.setattr(
        words, "unicodedata", SimpleNamespace(**{**vars(unicodedata), "normalize": normalize})
    )
    words._fold.cache_clear()
    text = Text("a" + "\u0301\u0327\u05b8" * 300 + " lamp")
    words._fold.cache_clear()
    assert max(lengths) <= 2 * (1 + words.MOST_MARKS)
    assert Query("lamp").find(text) == [(902, 906)]


@pytest.mark.parametrize(
    ("query", "text"), [("a b", "a b " * 1_000), ("本日", "日本" * 1_000), ("lam lamp", "lamp, " * 1_000)]
)
def test_no_more_places_are_looked_for_than_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, query: str, text: str
) -> None:
    asked, said = Query(query), Text(text)
    everything = asked.find(said)
    looked_at = list[tuple[int, int]]()

    def span(self: Text, start: int, end: int) -> tuple[int, int]:
        looked_at.append((start, end))
        return unwatched(self, start, end)

    unwatched = Text.span
    monkeypatch.setattr(Text, "span", span)
    assert everything is not None
    assert asked.find(said, most=10) == everything[:10]
    assert len(looked_at) <= 30


def spans(found: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """These ranges, ascending; those that overlap are one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


# ---- the naive search: is this part of the text, folded as a whole, what is looked for? ----


def naive(query: str, text: str) -> list[tuple[int, int]] | None:
    asked = Query(query)
    found: list[tuple[int, int]] = []
    for looked_for in (*asked.words, *asked.grams):
        is_word = looked_for in asked.words
        places = [
            (start, end)
            for start, end in combinations(edges(text), 2)
            if fold(text[start:end]) == looked_for and is_bare(text[start:end])
            if not is_word or stands_alone(text, start, end, len(looked_for))
        ]
        if not places:
            return None
        found += places
    return spans(found) or None


def edges(text: str) -> list[int]:
    """Where a character begins that is not written onto another."""
    return [n for n in range(len(text) + 1) if n == len(text) or n == 0 or not joins(text[n])]


def joins(character: str) -> bool:
    return unicodedata.category(character)[0] == "M" or 0x1160 <= ord(character) < 0x1200


def fold(text: str) -> str:
    for _ in range(2):
        text = unicodedata.normalize("NFKD", text).casefold()
        text = "".join(one for one in text if not is_accent(one))
    return unicodedata.normalize("NFC", text)


def is_accent(one: str) -> bool:
    return (
        unicodedata.category(one) == "Cf"
        or 10 <= unicodedata.combining(one) <= 36
        or unicodedata.combining(one) > 200
    )


def is_bare(part: str) -> bool:
    """Nothing invisible is at its ends."""
    last = max(edges(part)[:-1])
    return fold(part[0]) != "" and fold(part[last:]) != ""


def stands_alone(text: str, start: int, end: int, length: int) -> bool:
    return not ends_in_word(text[:start]) and (length >= 3 or not begins_with_word(text[end:]))


def ends_in_word(text: str) -> bool:
    pieces = Text(fold(text)[-1:]).pieces
    return bool(pieces) and pieces[0].is_word


def begins_with_word(text: str) -> bool:
    pieces = Text(fold(text)[:1]).pieces
    return bool(pieces) and pieces[0].is_word
