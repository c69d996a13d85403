r"""Checks of JSON from outside, beyond those of the decoder.

`msgspec` passes over the parts that it skips or keeps as `Raw`: there it accepts `1e999`, bytes that are not UTF-8
and any depth up to Python's recursion limit, where it raises `RecursionError`. Everywhere it accepts `\u0000` and,
untyped, integers of up to 4,300 digits. A later reader of such a text (a store, another client) may fail.

What it refuses by itself, skipped or not: `NaN`, `Infinity`, `01`, `+1`, `.5`, trailing commas, comments, a byte order
mark, anything after the value, raw control characters in strings, lone surrogates (as a plain syntax error; here they
are `InvalidText`). Keys that occur twice are allowed and the last one wins, as in every browser (RFC 8259 §4 leaves it
open).

Nothing here decodes a value: a number near the limits of a double costs `msgspec` up to 50 µs, an empty list an object.
"""

import re
from collections.abc import Iterator
from itertools import accumulate, islice, pairwise
from math import isinf
from typing import Final

import msgspec

from ..errors import BadFrame, ChatError, InvalidField, InvalidText

__all__ = ["MAX_INTEGER", "MAX_LISTS", "MAX_ODD", "check_json", "check_values", "without_surrogates"]

MAX_INTEGER: Final = 2**53 - 1
"""The largest integer n for which a double, and so JavaScript, holds n and n + 1 exactly (RFC 8259 §6)."""
MAX_ODD: Final = 64
"""Numbers in one text that take a decoder up to 50 µs each, or the check longer than others: with an exponent of three
digits, with 17 digits before the point, and integers of 16 digits that begin with 9, except for the largest itself."""
MAX_LISTS: Final = 5000
"""Lists and objects in one text, or in one above 65,000 bytes one for every `_SPARSE` bytes."""
_SPARSE = 13

_FIELD = "payload"
_NOT_JSON = "not JSON: send one JSON object a frame"


def _classes() -> bytes:
    kinds = dict.fromkeys(b"0123456789", 0x30) | dict.fromkeys(b"]}", 0x5D) | dict.fromkeys(b"eE", 0x65)
    kinds |= dict.fromkeys(b'."', 0x2E)
    return bytes(kinds.get(byte, 0x20) for byte in range(256))


# One pass over the text prepares several checks: how many brackets, how many digits in a row, how large an exponent? It
# replaces every digit by 0, every closing bracket by ], E by e, the point and the quote by a point, all else by a blank.
_CLASSES, _SIGNS = _classes(), b"+-"
_ROW = b" " + b"0" * len(str(MAX_INTEGER))
_LONG = _ROW + b"0"
_EXPONENT = b"0e000"
_ODD = _LONG, _EXPONENT, b"0e 000"
_FEW, _REACH = 32, 64
_SHORT = 1024
"""Bytes of a text in which any search is quick."""

_HEAD = b"0123456789.-"
_NUMBER = re.compile(rb"-?[0-9]++(?:\.[0-9]++)?(?:[eE][-+]?[0-9]++)?")
_DIGITS = bytes(byte if byte in b"0123456789.e" else 0x65 if byte == 0x45 else 0x20 for byte in range(256))
_LARGEST = str(MAX_INTEGER).encode()
_NINES = re.compile(rb" (9(?!%b)[0-9]{15})(?![0-9.e])" % _LARGEST[1:])
"""Among integers of as many digits as the largest, those that may be larger; it is the largest itself that people send."""

_PIECE = 4096

_skip = msgspec.json.Decoder(msgspec.Raw).decode


def check_json(raw: bytes, *, max_depth: int) -> None:
    r"""Accept one JSON text (RFC 8259) that every later reader can read, or say what is wrong with it.

    `max_depth` counts arrays and objects inside each other: `{}` is 1 deep, `{"a": [1]}` is 2 deep.

    Raises `InvalidField` with the field "payload" for deeper nesting, for numbers that a double cannot hold
    (`1e999`), for integers beyond ±(2^53-1), for more than `MAX_ODD` numbers that are hard to read and for more than
    `MAX_LISTS` lists and objects; `InvalidText` for a lone surrogate (`"\ud800"`) or a NUL (`"\u0000"`) in any string or
    key; `BadFrame` for what is no JSON or no UTF-8. Of several faults it names any one.
    """
    try:
        _skip(raw)
        if not raw.isascii():
            raw.decode()
    except (ValueError, RecursionError) as exc:
        raise _fault(raw, exc, max_depth) from None
    check_values(raw, max_depth=max_depth)


def check_values(raw: bytes, *, max_depth: int) -> None:
    """The same for text that is known to be JSON in UTF-8."""
    # This runs for every frame. A quick pass accepts nearly all text. It may misjudge the inside of strings, so the exact
    # checks run where it does not accept. All of it is linear, and no Python code runs per byte or value.
    classes = raw.translate(_CLASSES, _SIGNS)
    deep = classes.count(b"]") > max_depth
    bare = classes.startswith(b"0")
    long = bare or classes.rfind(_ROW) >= 0  # as `_has` does
    exponent = classes.rfind(_EXPONENT) >= 0 if len(classes) <= _SHORT else _has_exponent(classes)
    odd = bare or exponent or (long and _has(classes, _LONG))
    if deep:
        _check_lists(_brackets(raw), max_depth, max(MAX_LISTS, len(raw) // _SPARSE))
    if odd or long:
        _check_numbers(b" " + _outside_strings(raw), odd=odd)
    if 0x5C in raw and _has(raw, b"\\u0000") and _has(_without_escaped_backslashes(raw), b"\\u0000"):
        raise InvalidText


def _has(text: bytes, pattern: bytes) -> bool:
    # `find` and `in` take up to ten times as long where much of the text is like the pattern.
    return text.rfind(pattern) >= 0


def _has_exponent(classes: bytes) -> bool:
    parts = classes.split(b"e", _FEW)
    if len(parts) > _FEW:
        return _has(classes, _EXPONENT)
    # Among many digits the pattern is slow to look for.
    return any(before.endswith(b"0") and after.startswith(b"000") for before, after in pairwise(parts))


def _check_lists(brackets: bytes, max_depth: int, most: int) -> None:
    if len(brackets) // 2 > most:
        raise _too_many()
    if len(brackets) // 2 > max_depth and _is_deeper(brackets, max_depth):
        raise _too_deep(max_depth)


def _check_numbers(text: bytes, *, odd: bool) -> None:
    begins: set[int] = set()
    if odd:
        classes = text.translate(_CLASSES)
        places = (at for pattern in _ODD for at in islice(_places(classes, pattern), MAX_ODD + 1))
        begins = {_begin(text, at) for at in places}
    nines = list(islice(_NINES.finditer(text.translate(_DIGITS, _SIGNS)), MAX_ODD + 1))
    if len(begins) + len(nines) > MAX_ODD:
        raise _too_odd()
    if any(nine[1] > _LARGEST for nine in nines) or any(_is_too_big(text, begin) for begin in begins):
        raise _too_big()


def _is_too_big(text: bytes, begin: int) -> bool:
    number = _NUMBER.match(text, begin)
    if number is None or text[begin - 1] in b"eE+":
        return False  # it was found in an exponent, and is found by itself
    return number[0].lstrip(b"-").isdigit() or isinf(float(number[0]))


def _places(text: bytes, pattern: bytes) -> Iterator[int]:
    at = text.rfind(pattern)
    while at >= 0:
        yield at
        at = text.rfind(pattern, 0, at)


def _begin(text: bytes, at: int) -> int:
    """Where the number begins of which this is a digit, or before which this is."""
    before = text[max(0, at + 1 - _REACH) : at + 1]
    rest = before.rstrip(_HEAD)
    if not rest:
        before = text[: at + 1]
        rest = before.rstrip(_HEAD)
    return at + 1 - len(before) + len(rest)


def _fault(raw: bytes, exc: Exception, max_depth: int) -> ChatError:
    if isinstance(exc, RecursionError):
        return _too_deep(max_depth)
    if isinstance(exc, msgspec.DecodeError) and _reads_without_surrogates(raw):
        return InvalidText()
    return BadFrame(_NOT_JSON)


def _too_deep(max_depth: int) -> InvalidField:
    return InvalidField(f"is nested more than {max_depth} deep; flatten it", field=_FIELD)


def _too_many() -> InvalidField:
    return InvalidField(
        f"has more than {MAX_LISTS} lists and objects, and more than one for every {_SPARSE} bytes; send fewer at a time",
        field=_FIELD,
    )


def _too_odd() -> InvalidField:
    return InvalidField(
        f"has more than {MAX_ODD} numbers with exponents of three digits, with 17 digits before the point, or with 16 and a 9 "
        "as the first; send them as strings",
        field=_FIELD,
    )


def _too_big() -> InvalidField:
    return InvalidField(
        f"has a number that a double cannot hold, or an integer beyond ±{MAX_INTEGER}; send it as a string",
        field=_FIELD,
    )


def _without_escaped_backslashes(raw: bytes) -> bytes:
    # Afterwards each backslash begins an escape. The replacement of a pair has no meaning in JSON, so no invalid text
    # becomes valid.
    return raw.replace(b"\\\\", b"__")


def without_surrogates(raw: bytes) -> bytes:
    """The text with other characters for all surrogates, so that a decoder takes it where they were all that was wrong."""
    # The hexadecimal digits that follow stay as they are, and are still checked.
    for surrogate in (b"\\ud", b"\\uD"):
        if _has(raw, surrogate):
            raw = raw.replace(surrogate, b"\\u1")
    return raw


def _reads_without_surrogates(raw: bytes) -> bool:
    cured = without_surrogates(raw)
    if cured == raw:
        return False
    try:
        _skip(cured)
        if not cured.isascii():
            cured.decode()
    except RecursionError:
        return True  # the text is also nested too deeply; either error is a correct answer
    except ValueError:
        return False
    return True


def _brackets(raw: bytes) -> bytes:
    """Those of text that was decoded, and none that is in strings."""
    return _outside_strings(_without_escapes(raw).translate(None, _NO_BRACKETS)).replace(b'"', b"")


def _without_escapes(raw: bytes) -> bytes:
    return _without_escaped_backslashes(raw).replace(b'\\"', b"") if 0x5C in raw else raw


def _outside_strings(raw: bytes) -> bytes:
    """Text that was decoded, without what is in strings: a quote stays, so that digits do not move together."""
    raw = _without_escapes(raw)
    if _has(raw, b'""'):
        # Two quotes fewer change nothing: what follows is inside or outside of a string as before.
        raw = raw.replace(b'""', b"")
    outside: list[bytes] = []
    inside = 0
    # In pieces: for all parts at once, Python asks the system for memory each time, which takes longer than the rest.
    for at in range(0, len(raw), _PIECE):
        parts = raw[at : at + _PIECE].split(b'"')
        outside.append(b'"'.join(parts[inside::2]))
        inside = (inside + len(parts) - 1) % 2
        if inside:
            outside.append(b'"')
    return b"".join(outside)


# The depth of nesting, in one step for eight brackets: each bracket becomes a bit, and tables tell for each byte of eight how
# much deeper it ends, and how deep it is at most.

_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b'"[]{}')
_BITS = bytes(0x31 if byte in b"[{" else 0x30 for byte in range(256))
_STEPS = [[1 if byte >> bit & 1 else -1 for bit in range(7, -1, -1)] for byte in range(256)]
_RISES = bytes(sum(steps) % 256 for steps in _STEPS)
_PEAKS = bytes(max(accumulate(steps, initial=0)) for steps in _STEPS)


def _is_deeper(brackets: bytes, max_depth: int) -> bool:
    """Whether brackets nest deeper than `max_depth`, which is at most 128."""
    bits = brackets.translate(_BITS)
    bits += b"0" * (-len(bits) % 8)
    packed = int(bits, 2).to_bytes(len(bits) // 8, "big")
    rises = memoryview(packed.translate(_RISES)).cast("b")
    try:
        begins = bytearray(accumulate(rises[:-1], initial=0))
    except ValueError:  # a depth that does not fit into a byte is too deep
        return True
    allowed = bytes(range(max_depth + 1))
    if begins.translate(None, allowed):
        return True
    # All sums fit into bytes, so adding both numbers adds byte by byte.
    tops = int.from_bytes(begins, "big") + int.from_bytes(packed.translate(_PEAKS), "big")
    return bool(tops.to_bytes(len(packed), "big").translate(None, allowed))
