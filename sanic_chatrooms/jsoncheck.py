r"""What JSON text from outside must keep to, beyond what the decoder asks.

`msgspec` passes over the parts that it skips or keeps as `Raw`: there it accepts `1e999`, bytes that are not UTF-8
and any depth up to Python's recursion limit, where it raises `RecursionError`. Everywhere it accepts `\u0000` and,
untyped, integers of up to 4,300 digits. Whoever decodes such a text later (a store, another client) falls over it.

What it refuses by itself, skipped or not: `NaN`, `Infinity`, `01`, `+1`, `.5`, trailing commas, comments, a byte order
mark, anything after the value, raw control characters in strings, lone surrogates (as a plain syntax error, "Input
data was truncated"; here they are `InvalidText`). Keys that occur twice are allowed and the last one wins, as in
every browser (RFC 8259 §4 leaves it open).
"""

import re
from itertools import accumulate
from typing import Final

import msgspec

from .errors import BadFrame, ChatError, InvalidField, InvalidText

__all__ = ["MAX_INTEGER", "check_json"]

MAX_INTEGER: Final = 2**53 - 1
"""The largest integer that a double, and so JavaScript, holds together with its neighbours (RFC 8259 §6)."""

_FIELD = "payload"
_NOT_JSON = "not JSON: send one JSON object a frame"

# One pass over the text prepares two questions at once: how many brackets, how long a row of digits?
# Every digit becomes 0, every opening bracket [, all else a blank.
_CLASSES = bytes(0x30 if byte in b"0123456789" else 0x5B if byte in b"[{" else 0x20 for byte in range(256))
_LONG_NUMBER = b"0" * len(str(MAX_INTEGER))

_INTEGER = re.compile(rb"(?<![-+.0-9eE])-?([0-9]{16,}+)(?![.eE])")
_LONE_SURROGATE = re.compile(
    rb"\\u[dD](?:[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..\\u[dD])[c-fC-F][0-9a-fA-F]{2})"
)

# Brackets as signed bytes, +1 and -1, so that depth is a running sum.
_STEPS = bytes(0x01 if byte in b"[{" else 0xFF for byte in range(256))
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")

_decode = msgspec.json.Decoder().decode


def check_json(raw: bytes, *, max_depth: int) -> None:
    r"""Accept one JSON text (RFC 8259) that every later reader can read, or say what is wrong with it.

    `max_depth` counts arrays and objects inside each other: `{}` is 1 deep, `{"a": [1]}` is 2 deep.

    Raises `InvalidField` with the field "payload" for deeper nesting, for numbers that a double cannot hold
    (`1e999`) and for integers beyond ±(2^53-1); `InvalidText` for a lone surrogate (`"\ud800"`) or a NUL (`"\u0000"`)
    in any string or key; `BadFrame` for what is no JSON or no UTF-8. Of several faults it names any one.
    """
    # This runs for every frame. A full decode costs about as much as three searches and answers for syntax, UTF-8,
    # surrogates and the range of floats; a quick look rules the rest out. Only where it cannot (a row of 16 digits,
    # more brackets than levels) do the exact checks run. All of it is linear, and none of it recurses in Python.
    try:
        _decode(raw)
    except (ValueError, RecursionError) as exc:
        raise _fault(raw, exc, max_depth) from None
    classes = raw.translate(_CLASSES)
    if classes.count(b"[") > max_depth and _depth(raw) > max_depth:
        raise _too_deep(max_depth)
    # find(): `in` first tries its left side as an integer, which costs an exception. The backslash below is one.
    if classes.find(_LONG_NUMBER) >= 0 and _has_big_integer(raw):
        raise _too_big()
    if 0x5C in raw and b"\\u0000" in _without_escaped_backslashes(raw):
        raise InvalidText


def _fault(raw: bytes, exc: Exception, max_depth: int) -> ChatError:
    if isinstance(exc, RecursionError):
        return _too_deep(max_depth)
    if isinstance(exc, msgspec.ValidationError):
        return _too_big()  # untyped, a number out of range is the only thing that can be invalid
    if isinstance(exc, msgspec.DecodeError) and _reads_without_lone_surrogates(raw):
        return InvalidText()
    return BadFrame(_NOT_JSON)


def _too_deep(max_depth: int) -> InvalidField:
    return InvalidField(f"is nested more than {max_depth} deep; flatten it", field=_FIELD)


def _too_big() -> InvalidField:
    return InvalidField(
        f"has a number that a double cannot hold, or an integer beyond ±{MAX_INTEGER}; send it as a string",
        field=_FIELD,
    )


def _without_escaped_backslashes(raw: bytes) -> bytes:
    # Afterwards each backslash begins an escape. What stands in for a pair means nothing anywhere in JSON, so that no
    # text becomes sound by it.
    return raw.replace(b"\\\\", b"__")


def _reads_without_lone_surrogates(raw: bytes) -> bool:
    text = _without_escaped_backslashes(raw)
    cured = _LONE_SURROGATE.sub(b"?", text)
    if cured == text:
        return False
    try:
        _decode(cured)
    except (msgspec.ValidationError, RecursionError):
        return True  # it has another fault as well, and this one is as good an answer
    except ValueError:
        return False
    return True


def _outside_strings(raw: bytes) -> bytes:
    # For text that was decoded. One quote stays for each string, so that neither brackets nor digits move together.
    return b'"'.join(_without_escaped_backslashes(raw).replace(b'\\"', b"").split(b'"')[::2])


def _depth(raw: bytes) -> int:
    steps = memoryview(_outside_strings(raw).translate(_STEPS, _NO_BRACKETS)).cast("b")
    return max(accumulate(steps), default=0)


def _has_big_integer(raw: bytes) -> bool:
    # int() reads at most 4,300 digits, and the decoder has refused longer ones.
    return any(int(digits) > MAX_INTEGER for digits in _INTEGER.findall(_outside_strings(raw)))
