"""Names that people may carry: readable, of one line, and without characters that nobody sees.

A name is shown in NFC, as it was written; `skeleton.py` has the form in which two names are compared.
"""

import functools
import hashlib
import re
import unicodedata
from typing import Final

from ..errors import ChatError, InvalidField, InvalidText

__all__ = ["MAX_NAME", "clean_name", "is_visible", "shown_name"]

MAX_NAME: Final = 64
"""Characters (code points, after cleaning) in a name."""

_MAX_RAW = 4 * MAX_NAME
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")
# They are letters, marks or symbols to Unicode and draw nothing: Hangul fillers, grapheme joiner, Khmer inherent
# vowels, the empty Braille pattern, the musical null.
_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u034f\u17b4\u17b5\u2800\U0001d159")
_NON_JOINER, _JOINER = "\u200c", "\u200d"
_JOINERS = frozenset((_NON_JOINER, _JOINER))
_VIRAMA = 9
"""The combining class of what kills a vowel in the scripts of India: a joiner beside it says how the letters join."""
_CURSIVE = frozenset(
    (
        "ARABIC",
        "SYRIAC",
        "NKO",
        "MANDAIC",
        "MONGOLIAN",
        "PHAGS-PA",
        "ADLAM",
        "HANIFI",
        "MANICHAEAN",
        "SOGDIAN",
    )
)
"""Scripts whose letters join, by the first word of their letters' names: a non-joiner parts them."""
_TEXT_OR_PICTURE = frozenset("\ufe0e\ufe0f")
_MONGOLIAN_VARIANTS = frozenset("\u180b\u180c\u180d\u180f")
_FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f")
"""The flag of a part of a country: a black one, its code in tags, and an end."""
_ABOVE_AND_BELOW = 200
"""From this combining class on, marks pile up over and under their letter …"""
_MAX_PILE = 4
"""… and so many of them may."""


def clean_name(name: str) -> str:
    """A name as everybody gets to see it: NFC (UAX #15), single blanks, no control (Cc) or format (Cf) characters.

    So neither bidirectional controls nor zero-width characters survive (Trojan Source, CVE-2021-42574). Joiners stay
    where they join something, as in emoji, Persian and the scripts of India. Cleaning twice changes nothing.

    Raises `InvalidField` with the field "name" when nothing readable or more than 64 characters are left,
    `InvalidText` for a lone surrogate.
    """
    # Before normalising: putting marks in order takes quadratic time on a long row of them.
    if len(name) > _MAX_RAW:
        raise _too_long()
    if _LONE_SURROGATE.search(name):
        raise InvalidText("the name holds a lone surrogate; remove it")
    clean = _tidy(name)
    if clean and clean.isascii() and len(clean) <= MAX_NAME:
        return clean  # all that is left of ASCII can be seen
    # In NFKC as well: some single characters are drawn as wide as a sentence.
    if len(clean) > MAX_NAME or len(unicodedata.normalize("NFKC", clean)) > MAX_NAME:
        raise _too_long()
    if not is_visible(clean):
        raise InvalidField("is empty: give at least one visible character", field="name")
    return clean


def is_visible(text: str) -> bool:
    """Whether a text has a character that can be seen."""
    return any(not _is_junk(c) and (unicodedata.category(c)[0] in "LNPS" or _is_picture(c)) for c in text)


def shown_name(name: object, user_id: str) -> str:
    """What others see of a user whose name somebody else vouches for: the name, cleaned and cut to size; where that
    leaves nothing, the id, treated alike; and where that cannot be shown either, "User" with a number of theirs."""
    text = name if isinstance(name, str) else ""
    first = text or user_id
    # What is left of ASCII can be seen, so nothing more has to be looked at.
    return (first.isascii() and _cut(first).rstrip()) or _shown(text, user_id)


# An app may publish thousands of events a second under the same few names.
@functools.lru_cache(maxsize=1024)
def _shown(name: str, user_id: str) -> str:
    for candidate in filter(None, (name, user_id)):
        try:
            return clean_name(_cut(candidate))
        except ChatError:
            continue
    return f"User {hashlib.sha256(user_id.encode(errors='replace')).hexdigest()[:8]}"


def _cut(name: str) -> str:
    return _tidy(name[:_MAX_RAW])[:MAX_NAME]


def _tidy(text: str) -> str:
    """The cleaning of `clean_name`, without its limits. The caller bounds the length."""
    # What is removed can bring together what then composes, or part what a joiner joined.
    text = " ".join(text.split())  # first, for line ends are control characters too
    if text.isascii() and text.isprintable():
        return text  # nothing of all that is in there
    while (tidier := _tidy_once(text)) != text:
        text = tidier
    return text


def _tidy_once(text: str) -> str:
    text = "".join(c for c in unicodedata.normalize("NFC", text) if not _is_junk(c))
    flags = {at for flag in _FLAG.finditer(text) for at in range(*flag.span())}
    kept = "".join(c for at, c in enumerate(text) if at in flags or _has_a_place(text, at))
    return " ".join(unicodedata.normalize("NFC", kept).split())


def _is_junk(char: str) -> bool:
    if char in _BLANK or unicodedata.category(char) == "Cc":
        return True
    return (
        unicodedata.category(char) == "Cf"
        and char not in _JOINERS
        and not "\U000e0020" <= char <= "\U000e007f"
    )


def _has_a_place(text: str, at: int) -> bool:
    """Whether what is invisible or piles up does something where it stands; everything else does."""
    char = text[at]
    if char.isascii():
        return True
    if char in _JOINERS:
        return _joins_pictures(text, at) or _joins_letters(text, at)
    if _is_selector(char):
        return _selects(text, at)
    if unicodedata.category(char) in ("Mn", "Me"):
        return at > 0 and text[at - 1] != " " and not _piles_up(text, at)
    return unicodedata.category(char) != "Cf"  # a tag that is no flag's


def _joins_pictures(text: str, at: int) -> bool:
    before = at - 1
    while before > 0 and (text[before] in _TEXT_OR_PICTURE or "\U0001f3fb" <= text[before] <= "\U0001f3ff"):
        before -= 1
    return (
        text[at] == _JOINER
        and before >= 0
        and at + 1 < len(text)
        and _is_picture(text[before])
        and _is_picture(text[at + 1])
    )


def _is_picture(char: str) -> bool:
    if "\U0001f000" <= char <= "\U0001faff":
        return True  # of which Unicode may know more than Python does
    return char in "\u2194\u2195" or (unicodedata.category(char) == "So" and "\u2600" <= char <= "\u2bff")


def _joins_letters(text: str, at: int) -> bool:
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if not before:
        return False
    if unicodedata.combining(before) == _VIRAMA:
        return text[at] == _JOINER or after.isalpha()
    if after and unicodedata.combining(after) == _VIRAMA:
        return before.isalpha()
    base = text[:at].rstrip("".join(c for c in set(text[:at]) if unicodedata.combining(c)))[-1:]
    return _is_cursive(base) and _is_cursive(after)


def _is_cursive(char: str) -> bool:
    return char.isalpha() and unicodedata.name(char, "").partition(" ")[0] in _CURSIVE


def _is_selector(char: str) -> bool:
    return "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef" or char in _MONGOLIAN_VARIANTS


def _selects(text: str, at: int) -> bool:
    """Whether a variation selector follows something that has variants."""
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if not before:
        return False
    if text[at] in _TEXT_OR_PICTURE:
        keycap = before in "#*0123456789" and after == "\u20e3"
        return keycap or (not before.isascii() and unicodedata.category(before) in ("So", "Sm", "Po", "Pd"))
    script = "MONGOLIAN" if text[at] in _MONGOLIAN_VARIANTS else "CJK"
    return unicodedata.name(before, "").startswith(script)


def _piles_up(text: str, at: int) -> bool:
    below = text[max(0, at - _MAX_PILE) : at + 1]
    return len(below) > _MAX_PILE and all(unicodedata.combining(c) >= _ABOVE_AND_BELOW for c in below)


def _too_long() -> InvalidField:
    return InvalidField(f"is longer than {MAX_NAME} characters; shorten it", field="name")
