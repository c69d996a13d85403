"""Words of a text: how search compares a query with a message, whichever store keeps it.

Case and accents do not count, and neither does how a character is written (`é` as one code point or two, `ﬁ` as one letter).
In scripts that put spaces between words, a word of the query finds that word, and with three characters or more also words that
begin with it. Scripts without such spaces (Chinese, Japanese, Korean, Thai …) and emoji are found anywhere in a run of them.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from heapq import merge
from itertools import chain, groupby, islice, pairwise

import msgspec

__all__ = ["LONGEST_TEXT", "WIDEST", "Query", "Text"]

LONGEST_TEXT = 65_536
"""Code points of a text that are looked at, and about as many characters of it when it is folded."""
WIDEST = 18
"""Characters that one code point can be when it is folded (U+FDFA)."""
MOST_MARKS = 30
"""Marks on one character that belong to it (UAX #15). To put a longer row in order takes quadratic time."""
PREFIX = 3
"""Characters that a word of the query needs to find longer words, too."""
LENGTHS = (3, 4, 6, 8, 12)
"""Lengths of the beginnings of words that an index knows."""
MOST_KEYS = 32
"""Keys of a query that an index looks up; fewer find more, which are compared all the same."""
_NOTHING, _WORD, _GRAM = 0, 1, 2
_UNSPACED = (
    (0x0E00, 0x0EFF), (0x1000, 0x11FF), (0x1780, 0x17FF), (0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3021, 0x3029),
    (0x3031, 0x312F), (0x3131, 0x318E), (0x31A0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xA960, 0xA97F),
    (0xAC00, 0xD7FF), (0xF900, 0xFAFF), (0x1B000, 0x1B2FF), (0x1F000, 0x1FAFF), (0x20000, 0x3FFFF),
)  # fmt: skip
"""Scripts that put no spaces between words, Korean, whose words take endings, and emoji."""
_GEORGIAN = range(0x10A0, 0x1100)
_JAMO = range(0x1160, 0x1200)
_SKIN_TONES = range(0x1F3FB, 0x1F400)


class Piece(msgspec.Struct, frozen=True, gc=False):
    """A word, or a run of characters of a script without spaces, folded. A long text has many: the garbage collector, which holds
    the event loop up, does not look at them."""

    text: str
    start: int
    """Where it begins in the folded text."""
    is_word: bool


class Text:
    """A text as search compares it: folded, cut into pieces, and each folded character with its place in the text."""

    __slots__ = ("_ends", "_starts", "folded", "pieces")

    def __init__(self, text: str) -> None:
        text = text[:LONGEST_TEXT]
        self._starts: Sequence[int]
        self._ends: Sequence[int]
        if text.isascii():
            self.folded = text.lower()
            self._starts, self._ends = range(len(text)), range(1, len(text) + 1)
        else:
            self.folded, self._starts, self._ends = _folded(text)
        self.pieces = _pieces(self.folded)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The code points of the text that these folded characters stand for; end exclusive."""
        return self._starts[start], self._ends[end - 1]

    @property
    def words(self) -> set[str]:
        """The words that it has."""
        return {piece.text for piece in self.pieces if piece.is_word}

    def keys(self, stems: Mapping[str, str] | None = None) -> set[str]:
        """What an index has to know of the text, so that it finds it for every query that matches.

        `stems`: the stem by which each word is found, where words are found so; "": the word is not found.
        """
        keys: set[str] = set()
        for piece in set(self.pieces):
            text = piece.text
            if not piece.is_word:
                keys.update(text)
                keys.update(map("".join, pairwise(text)))
            elif stems is not None:
                keys.add("=" + stems.get(text, text))
            elif len(text) < PREFIX:
                keys.add(text)
            else:
                keys.update(text[:length] for length in LENGTHS if length <= len(text))
        keys.discard("=")
        return keys


class Query:
    """What somebody looks for: every piece has to be in a text."""

    __slots__ = ("grams", "words")

    def __init__(self, text: str) -> None:
        pieces = Text(text).pieces
        self.words = list(dict.fromkeys(piece.text for piece in pieces if piece.is_word))
        self.grams = list(dict.fromkeys(piece.text for piece in pieces if not piece.is_word))

    def __len__(self) -> int:
        return len(self.words) + len(self.grams)

    def keys(self, stems: Mapping[str, str] | None = None) -> set[str]:
        """What an index looks up: every text that matches has all of these keys. Empty: nothing matches."""
        keys: set[str] = set()
        for gram in self.grams:
            keys.update(map("".join, pairwise(gram)) if len(gram) > 1 else gram)
        for word in self.words:
            if stems is not None:
                keys.add("=" + stems.get(word, word))
            else:
                keys.add(
                    word[: max((length for length in LENGTHS if length <= len(word)), default=len(word))]
                )
        keys.discard("=")
        return set(sorted(keys, key=len, reverse=True)[:MOST_KEYS])

    def find(
        self, text: Text, stems: Mapping[str, str] | None = None, most: int | None = None
    ) -> list[tuple[int, int]] | None:
        """Where the text has what is looked for: code points, end exclusive, ascending, apart. None: it does not match.

        `most`: so many of these places, the first ones; the others are not looked for.
        """
        looked_for = [word for word in self.words if stems is None or stems.get(word, word)]
        places = [
            *(_occurrences(gram, text) for gram in self.grams),
            *(_matches(word, text, stems) for word in looked_for),
        ]
        found: list[Iterator[tuple[int, int]]] = []
        for each in places:
            first = next(each, None)
            if first is None:
                return None
            found.append(chain([first], each))
        return list(islice(_joined(merge(*found)), most)) if found else None


def _joined(ascending: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """These ranges; those that overlap are one."""
    before: tuple[int, int] | None = None
    for start, end in ascending:
        if before is None:
            before = (start, end)
        elif start < before[1]:
            before = (before[0], max(end, before[1]))
        else:
            yield before
            before = (start, end)
    if before is not None:
        yield before


def _matches(word: str, text: Text, stems: Mapping[str, str] | None) -> Iterator[tuple[int, int]]:
    if stems is None and word not in text.folded:
        return  # the quick answer for most texts
    for piece in text.pieces:
        place = _match(word, piece, stems)
        if place is not None:
            yield text.span(*place)


def _match(word: str, piece: Piece, stems: Mapping[str, str] | None) -> tuple[int, int] | None:
    """Which folded characters of a piece match a word."""
    if not piece.is_word:
        return None
    if stems is not None:
        same = stems.get(word, word) == stems.get(piece.text, piece.text)
        return (piece.start, piece.start + len(piece.text)) if same else None
    begins = len(word) >= PREFIX and piece.text.startswith(word)
    return (piece.start, piece.start + len(word)) if begins or piece.text == word else None


def _occurrences(gram: str, text: Text) -> Iterator[tuple[int, int]]:
    if gram not in text.folded:
        return
    for piece in text.pieces:
        if piece.is_word:
            continue
        at = piece.text.find(gram)
        while at >= 0:
            yield text.span(piece.start + at, piece.start + at + len(gram))
            at = piece.text.find(gram, at + 1)


def _pieces(folded: str) -> list[Piece]:
    pieces, at = [], 0
    for kind, run in groupby(folded, _kind):
        text = "".join(run)
        if kind != _NOTHING:
            pieces.append(Piece(text, at, kind == _WORD))
        at += len(text)
    return pieces


def _folded(text: str) -> tuple[str, list[int], list[int]]:
    parts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    begin, length = 0, len(text)
    while begin < length and len(starts) < LONGEST_TEXT:
        end = begin + 1
        last = min(length, end + MOST_MARKS)
        while end < last and _joins(text[end]):
            end += 1
        folded = _fold(text[begin:end])
        parts.append(folded)
        starts += [begin] * len(folded)
        ends += [end] * len(folded)
        begin = end
    return "".join(parts), starts, ends


@lru_cache(maxsize=8_192)
def _joins(character: str) -> bool:
    """Is it written onto the character before it?"""
    code = ord(character)
    return (
        unicodedata.category(character)[0] == "M"
        or code in _JAMO
        or code in _SKIN_TONES
        or character in "\uff9e\uff9f"  # voicing marks of half-width kana
    )


@lru_cache(maxsize=16_384)
def _fold(character: str) -> str:
    """A character, with what is written onto it, without case and accents."""
    bare = _without_accents(unicodedata.normalize("NFKD", character)).casefold()
    return unicodedata.normalize("NFC", _without_accents(unicodedata.normalize("NFKD", bare)))


def _without_accents(text: str) -> str:
    return "".join(character for character in text if not _is_accent(character))


def _is_accent(character: str) -> bool:
    """Vowel signs of scripts that have no other vowels, and the voicing of kana, are no accents."""
    kind, place = unicodedata.category(character), unicodedata.combining(character)
    if kind == "Mn":
        return 10 <= place <= 36 or place >= 200 or 0xFE00 <= ord(character) <= 0xFE0F
    return kind in ("Me", "Cf") or ord(character) in _SKIN_TONES


@lru_cache(maxsize=8_192)
def _kind(character: str) -> int:
    code, category = ord(character), unicodedata.category(character)
    if category[0] not in "LNM" and category != "So":
        return _NOTHING
    if category == "So" or (code not in _GEORGIAN and any(low <= code <= high for low, high in _UNSPACED)):
        return _GRAM
    return _WORD
