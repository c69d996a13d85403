"""Names that people may carry: readable, of one line, and without characters that nobody sees."""

import re
import unicodedata
from typing import Final

from ..errors import InvalidField, InvalidText

__all__ = ["MAX_NAME", "clean_name", "tidy"]

MAX_NAME: Final = 64
"""Characters (code points, after normalisation) in a name."""

_MAX_RAW = 4 * MAX_NAME
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")
# They are letters, marks or symbols to Unicode and draw nothing: Hangul fillers, grapheme joiner, Khmer inherent
# vowels, Mongolian separators, the empty Braille pattern.
_BLANK = frozenset("\u115f\u1160\u034f\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800")


def clean_name(name: str) -> str:
    """A name as everybody gets to see it: NFKC (UAX #15), single blanks, no control (Cc) or format (Cf) characters.

    So neither bidirectional controls nor zero-width characters survive (Trojan Source, CVE-2021-42574); the price is
    that emoji joined by U+200D fall apart into their members. Cleaning twice changes nothing.

    Raises `InvalidField` with the field "name" when nothing readable or more than 64 characters are left,
    `InvalidText` for a lone surrogate.
    """
    # Before normalising: putting marks in order takes quadratic time on a long row of them.
    if len(name) > _MAX_RAW:
        raise _too_long()
    if _LONE_SURROGATE.search(name):
        raise InvalidText("the name holds a lone surrogate; remove it")
    clean = tidy(name)
    if len(clean) > MAX_NAME:
        raise _too_long()
    if not any(unicodedata.category(c)[0] in "LNPS" for c in clean):
        raise InvalidField("is empty: give at least one visible character", field="name")
    return clean


def tidy(text: str) -> str:
    """The cleaning of `clean_name`, without its limits. The caller bounds the length."""
    # Blanks first, for line ends are control characters too; then NFKC on both sides of the removal: the first turns
    # compatibility forms into the fillers that they stand for, the second composes what the removal brought together.
    spaced = unicodedata.normalize("NFKC", " ".join(text.split()))
    visible = "".join(c for c in spaced if _is_visible(c))
    return " ".join(unicodedata.normalize("NFKC", visible).split())


def _is_visible(char: str) -> bool:
    return char not in _BLANK and unicodedata.category(char) not in ("Cc", "Cf")


def _too_long() -> InvalidField:
    return InvalidField(f"is longer than {MAX_NAME} characters; shorten it", field="name")
