"""What a name looks like: two names that a reader could take for one have the same skeleton.

In the manner of UTS #39, with a table of our own that knows what looks like a Latin letter, and coarser: case, marks,
blanks, punctuation and pictures count for nothing, and digits for the letters that they are written for.
"""

# ruff: noqa: RUF001 - that its letters are ambiguous is what the table is for
import re
import unicodedata
from collections.abc import Iterable

__all__ = ["ReservedNames", "skeleton", "skeletons"]

_LOOKALIKES = {
    "a": "аαɑᴀАΑᎪ4@",
    "b": "вьВΒᏴ8β",
    "c": "сϲСϹᏟ¢",
    "d": "ԁժᎠᗞ",
    "e": "еєҽЕΕεᎬ3€",
    "f": "ϝƒ",
    "g": "ɡցԍԌᏀ9",
    "h": "һհНΗнᎻ",
    "i": "іıɩιӏІΙӀ1|!ǀ׀ןᏞ",
    "j": "јϳЈᎫ",
    "k": "кκКΚᏦ",
    "m": "мМΜϻᎷ",
    "n": "ոռпΝ",
    "o": "оοσօОΟՕ0",
    "p": "рρРΡᏢ",
    "q": "ԛզ",
    "r": "гᴦᎡᏒя",
    "s": "ѕЅՏᏚ5$",
    "t": "тτТΤᎢ7",
    "u": "υսцᴜ",
    "v": "ѵνѴᏙ",
    "w": "ԝшωѡᏔ",
    "x": "хχХΧ",
    "y": "уγүУΥҮ",
    "z": "ΖᏃ",
}
_LATIN = {ord(alike): letter for letter, all_alike in _LOOKALIKES.items() for alike in all_alike}
# Small capitals, letters with strokes and hooks, and letters in boxes say in their names what they look like.
_NAMED = re.compile(
    r"(?:LATIN|REGIONAL INDICATOR) .*LETTER (?:SMALL CAPITAL |DOTLESS |REVERSED |TURNED |OPEN )*([A-Z])(?: WITH .*)?$"
)
_PAIRS = (("rn", "m"), ("vv", "w"), ("cl", "d"), ("l", "i"))


class ReservedNames:
    """Names that nobody may choose, nor one that looks like them: `"$3rver!" in ReservedNames(["Server"])`."""

    def __init__(self, names: Iterable[str]) -> None:
        self._forms = frozenset(form for name in names for form in skeletons(name))

    def __contains__(self, name: str) -> bool:
        return not self._forms.isdisjoint(skeletons(name))


def skeletons(name: str) -> set[str]:
    """What a name can be taken for: two names look alike if these sets have something in common.

    A symbol may stand for a letter ("$erver") or stand about ("$ Server $"), and a capital letter look like another one than
    its small one does (a Greek eta).
    """
    letters = "".join(c for c in name if unicodedata.category(c)[0] not in "SP")
    return {skeleton(form) for one in (name, letters) for form in (one, one.casefold())} - {""}


def skeleton(name: str) -> str:
    """The skeleton of a name, for comparing only. Empty for a name without letters and digits."""
    text = "".join(map(_latin, unicodedata.normalize("NFKD", name)))
    text = "".join(c for c in text if unicodedata.category(c)[0] in "LN")
    # Folded, and then once more what came of it: a sharp s is two letters, and a capital iota small by now.
    text = "".join(map(_latin, unicodedata.normalize("NFKD", text.casefold())))
    for pair, letter in _PAIRS:
        text = text.replace(pair, letter)
    return text


def _latin(char: str) -> str:
    if char.isascii() and char.isalpha():
        return char
    digit = unicodedata.decimal(char, None)
    char = char if digit is None else str(digit)
    known = _LATIN.get(ord(char))
    if known is not None:
        return known
    named = _NAMED.search(unicodedata.name(char, ""))
    return named[1].lower() if named is not None else char
