r"""What JSON text from outside must keep to, beyond what the decoder asks.

`msgspec` passes over the parts that it skips or keeps as `Raw`: there it accepts `1e999`, bytes that are not UTF-8
and any depth up to Python's recursion limit, where it raises `RecursionError`. Everywhere it accepts `\u0000` and,
untyped, integers of up to 4,300 digits. Whoever decodes such a text later (a store, another client) falls over it.

What it refuses by itself, skipped or not: `NaN`, `Infinity`, `01`, `+1`, `.5`, trailing commas, comments, a byte order
mark, anything after the value, raw control characters in strings, lone surrogates (as a plain syntax error; here they
are `InvalidText`). Keys that occur twice are allowed and the last one wins, as in every browser (RFC 8259 §4 leaves it
open).

Nothing here decodes a value: a number near the limits of a double costs `msgspec` up to 50 µs, an empty list an object.
"""

import re
from itertools import accumulate, pairwise
from math import isinf
from typing import Final

import msgspec

from .errors import BadFrame, ChatError, InvalidField, InvalidText

__all__ = ["MAX_INTEGER", "MAX_ODD", "check_json", "check_values", "without_surrogates"]

MAX_INTEGER: Final = 2**53 - 1
"""The largest integer that a double, and so JavaScript, holds together with its neighbours (RFC 8259 §6)."""
MAX_ODD: Final = 64
"""Numbers with an exponent of three digits, or with 200 before the point, in one text: each costs whoever decodes it up
to 50 µs."""

_FIELD = "payload"
_NOT_JSON = "not JSON: send one JSON object a frame"


def _classes() -> bytes:
    kinds = dict.fromkeys(b"0123456789", 0x30) | dict.fromkeys(b"[{", 0x5B) | dict.fromkeys(b"eE", 0x65)
    kinds |= dict.fromkeys(b"+-", 0x2D) | dict.fromkeys(b".", 0x2E)
    return bytes(kinds.get(byte, 0x20) for byte in range(256))


# One pass over the text prepares several questions at once: how many brackets, how long a row of digits, how large an
# exponent? Every digit becomes 0, every opening bracket [, both signs -, e and E e, the point stays, all else is a blank.
_CLASSES = _classes()
_ROW = b"0" * len(str(MAX_INTEGER))
_INTEGERS = b" " + _ROW, b"[" + _ROW, b"-" + _ROW
_EXPONENTS = b"0e000", b"0e-000"
_HUGE = b" " + b"0" * 200, b"[" + b"0" * 200, b"-" + b"0" * 200
"""As many digits, and two more in the exponent, and it is still a double."""

_INTEGER = re.compile(rb"[^-+.0-9eE]-?([0-9]{16,}+)(?![.eE])")
_HEAD, _TAIL = b"0123456789.-", re.compile(rb"-?[0-9]++(?:\.[0-9]++)?(?:[eE][-+]?[0-9]++)?")
_LARGEST = str(MAX_INTEGER).encode()

_PIECE = 4096

_skip = msgspec.json.Decoder(msgspec.Raw).decode


def check_json(raw: bytes, *, max_depth: int) -> None:
    r"""Accept one JSON text (RFC 8259) that every later reader can read, or say what is wrong with it.

    `max_depth` counts arrays and objects inside each other: `{}` is 1 deep, `{"a": [1]}` is 2 deep.

    Raises `InvalidField` with the field "payload" for deeper nesting, for numbers that a double cannot hold
    (`1e999`), for integers beyond ±(2^53-1) and for more than `MAX_ODD` numbers that are hard to read; `InvalidText` for a lone
    surrogate (`"\ud800"`) or a NUL (`"\u0000"`) in any string or key; `BadFrame` for what is no JSON or no UTF-8. Of
    several faults it names any one.
    """
    try:
        _skip(raw)
        if not raw.isascii():
            raw.decode()
    except (ValueError, RecursionError) as exc:
        raise _fault(raw, exc, max_depth) from None
    check_values(raw, max_depth=max_depth)


def check_values(raw: bytes, *, max_depth: int) -> None:
    """The same for who knows already that it is JSON in UTF-8."""
    # This runs for every frame. A quick look rules nearly everything out, and may be wrong about what is in strings; only
    # where it cannot do the exact checks run. All of it is linear, and no step of Python's is done for each byte or value.
    classes = raw.translate(_CLASSES)
    if classes.count(b"[") > max_depth or _has_long_number(classes):
        _look_outside_strings(raw, max_depth)
    # find(): `in` first tries its left side as an integer, which costs an exception. The backslash below is one.
    if 0x5C in raw and raw.find(b"u0000") >= 0 and b"\\u0000" in _without_escaped_backslashes(raw):
        raise InvalidText


def _has_long_number(classes: bytes) -> bool:
    return classes.find(_ROW) >= 0 or _has_exponent(classes)


def _has_exponent(classes: bytes) -> bool:
    if len(classes) < 1024 or classes.count(b"e") > 32:
        return classes.find(_EXPONENTS[0]) >= 0 or classes.find(_EXPONENTS[1]) >= 0
    # Among many digits the patterns are slow to look for.
    parts = classes.split(b"e")
    return any(
        before.endswith(b"0") and after.startswith((b"000", b"-000")) for before, after in pairwise(parts)
    )


def _has(classes: bytes, patterns: tuple[bytes, ...]) -> bool:
    return any(classes.find(pattern) >= 0 for pattern in patterns)


def _look_outside_strings(raw: bytes, max_depth: int) -> None:
    text = b" " + _outside_strings(raw)
    classes = text.translate(_CLASSES)
    if classes.count(b"[") > max_depth and _is_deeper(text, max_depth):
        raise _too_deep(max_depth)
    if _has_exponent(classes) or _has(classes, _HUGE):
        _check_odd(text, classes)
    # Nearly all long rows are the fractions of floats, and those cannot be too big.
    if _has(classes, _INTEGERS) and _has_big_integer(text):
        raise _too_big()


def _check_odd(text: bytes, classes: bytes) -> None:
    seen = 0
    for pattern in (*_HUGE, *_EXPONENTS):
        seen += classes.count(pattern)
        if seen > MAX_ODD:
            raise _too_odd()
        at = classes.find(pattern)
        while at >= 0:
            begins = len(text[: at + 1].rstrip(_HEAD))
            number = _TAIL.match(text, begins)
            # Nothing where it was found in an exponent: that is found by itself.
            if number is not None and isinf(float(number[0])):
                raise _too_big()
            at = classes.find(pattern, at + len(pattern))


def _fault(raw: bytes, exc: Exception, max_depth: int) -> ChatError:
    if isinstance(exc, RecursionError):
        return _too_deep(max_depth)
    if isinstance(exc, msgspec.DecodeError) and _reads_without_surrogates(raw):
        return InvalidText()
    return BadFrame(_NOT_JSON)


def _too_deep(max_depth: int) -> InvalidField:
    return InvalidField(f"is nested more than {max_depth} deep; flatten it", field=_FIELD)


def _too_odd() -> InvalidField:
    return InvalidField(
        f"has more than {MAX_ODD} numbers with exponents of three digits, or with 200 digits; send them as strings",
        field=_FIELD,
    )


def _too_big() -> InvalidField:
    return InvalidField(
        f"has a number that a double cannot hold, or an integer beyond ±{MAX_INTEGER}; send it as a string",
        field=_FIELD,
    )


def _without_escaped_backslashes(raw: bytes) -> bytes:
    # Afterwards each backslash begins an escape. What stands in for a pair means nothing anywhere in JSON, so that no
    # text becomes sound by it.
    return raw.replace(b"\\\\", b"__")


def without_surrogates(raw: bytes) -> bytes:
    """The text with other characters for all surrogates, so that a decoder takes it where they were all that was wrong."""
    # The hexadecimal digits after these stay, and have to be some.
    return raw.replace(b"\\ud", b"\\u1").replace(b"\\uD", b"\\u1")


def _reads_without_surrogates(raw: bytes) -> bool:
    cured = without_surrogates(raw)
    if cured == raw:
        return False
    try:
        _skip(cured)
        cured.decode()
    except RecursionError:
        return True  # it has another fault as well, and this one is as good an answer
    except ValueError:
        return False
    return True


def _outside_strings(raw: bytes) -> bytes:
    """Text that was decoded, without what is in strings: a quote stays, so that neither brackets nor digits move together."""
    if 0x5C in raw:
        raw = _without_escaped_backslashes(raw).replace(b'\\"', b"")
    outside: list[bytes] = []
    inside = 0
    # Piece by piece: memory for all the parts at once comes from the system each time, which takes longer than the rest.
    for at in range(0, len(raw), _PIECE):
        parts = raw[at : at + _PIECE].split(b'"')
        outside.append(b'"'.join(parts[inside::2]))
        inside = (inside + len(parts) - 1) % 2
        if inside:
            outside.append(b'"')
    return b"".join(outside)


def _has_big_integer(text: bytes) -> bool:
    # There are no leading zeros, so a longer row is a larger number.
    rows = _INTEGER.findall(text)
    return any(len(digits) > len(_LARGEST) or digits > _LARGEST for digits in rows)


# How deep, at the price of an eighth of a step a bracket: brackets become bits, and eight of them a byte that says how far
# it rises in all, and how far at most.

_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_BITS = bytes(0x31 if byte in b"[{" else 0x30 for byte in range(256))
_STEPS = [[1 if byte >> bit & 1 else -1 for bit in range(7, -1, -1)] for byte in range(256)]
_RISES = bytes(sum(steps) % 256 for steps in _STEPS)
_PEAKS = bytes(max(accumulate(steps, initial=0)) for steps in _STEPS)


def _is_deeper(text: bytes, max_depth: int) -> bool:
    """Whether text without strings nests deeper than `max_depth`, which is at most 128."""
    bits = text.translate(_BITS, _NO_BRACKETS)
    bits += b"0" * (-len(bits) % 8)
    packed = int(bits, 2).to_bytes(len(bits) // 8, "big")
    rises = memoryview(packed.translate(_RISES)).cast("b")
    try:
        begins = bytearray(accumulate(rises[:-1], initial=0))
    except ValueError:  # what is no byte is too deep
        return True
    allowed = bytes(range(max_depth + 1))
    if begins.translate(None, allowed):
        return True
    # Both are sums that fit into bytes, so adding the whole adds each.
    tops = int.from_bytes(begins, "big") + int.from_bytes(packed.translate(_PEAKS), "big")
    return bool(tops.to_bytes(len(packed), "big").translate(None, allowed))
