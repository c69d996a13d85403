"""One setting: its description, how its value is read from code and from text, and how it is shown."""

import math
import re
from collections.abc import Callable, Mapping
from types import UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin

import msgspec

from ..access.limits.rate import Rate, parse_rate

__all__ = ["Bare", "Field", "Setting", "field_of", "parse_bool", "shown"]


class Setting(msgspec.Struct, frozen=True):
    """The description of a setting, apart from its type and default.

    `minimum` and `maximum` bound the value of a number, the UTF-8 bytes of a text, and the length of a list. `words` are
    values that stand for others; text is compared in lower case. `check` returns the value as it is kept, or raises
    `ValueError` with the reason. `below` and `at_most` name another setting, below which this one must stay, or which it
    must not exceed. `lines`: a text of several lines, around which white space does not count. `takes` says in words
    what `check` accepts, `none` what None means. `per_route`: a route may have its own value. `at_run_time`:
    `reconfigure` may change it.
    """

    doc: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    below: str = ""
    at_most: str = ""
    none: str = "off"
    takes: str = ""
    words: Mapping[Any, Any] = {}
    check: Callable[[Any], Any] | None = None
    secret: bool = False
    lines: bool = False
    per_route: bool = False
    at_run_time: bool = False


# Reading one value.

# The words that Sanic reads as a truth value, so that a variable means the same to both.
_TRUTH = dict.fromkeys(
    ["y", "yes", "yep", "yup", "t", "true", "on", "enable", "enabled", "1"], True
) | dict.fromkeys(["n", "no", "nope", "f", "false", "off", "disable", "disabled", "0"], False)


def parse_bool(text: str) -> bool:
    """A truth value in one of the words that Sanic reads as one. Raises `ValueError`."""
    if text.lower() not in _TRUTH:
        raise ValueError("neither on nor off")
    return _TRUTH[text.lower()]


def _parse_int(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("not a whole number") from None


def _parse_float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("not a number") from None


def _take_bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{_kind_of(value)} is neither True nor False")
    return value


def _take_int(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{_kind_of(value)} is not a whole number")
    return value


def _take_float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{_kind_of(value)} is not a number")
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _take_text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{_kind_of(value)} is not text")
    if not value.strip():
        raise ValueError("empty")
    if value != value.strip():
        # A line break from the end of a file is always a mistake, and invisible in a log.
        raise ValueError("begins or ends with white space")
    return value


def _take_list(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(_take_text(part.strip()) for part in value.split(","))
    if not isinstance(value, list | tuple | set | frozenset):
        raise ValueError(f"{_kind_of(value)} is not a list of texts")
    return tuple(map(_take_text, sorted(value, key=str) if isinstance(value, set | frozenset) else value))


def _take_rate(value: Any) -> Rate:
    return value if isinstance(value, Rate) else parse_rate(_take_text(value))


def _take_any(value: Any) -> Any:
    return _take_text(value) if isinstance(value, str) else value


def _kind_of(value: Any) -> str:
    return "None" if value is None else f"a value of type {type(value).__name__}"


class _Kind(NamedTuple):
    """How values of a type are read: from the text of an environment variable, and from code."""

    noun: str
    parse: Callable[[str], Any]
    take: Callable[[Any], Any]


_KINDS: Mapping[Any, _Kind] = {
    bool: _Kind("True or False", parse_bool, _take_bool),
    int: _Kind("a whole number", _parse_int, _take_int),
    float: _Kind("a number", _parse_float, _take_float),
    str: _Kind("text", _take_text, _take_text),
    tuple[str, ...]: _Kind("a list of texts (or one text with commas)", _take_list, _take_list),
    Rate: _Kind("a rate", parse_rate, _take_rate),
    Any: _Kind("", _take_any, _take_any),
}


def _measure(value: Any) -> float | None:
    if isinstance(value, str):
        try:
            return len(value.encode())
        except UnicodeEncodeError:
            raise ValueError("not UTF-8") from None
    if isinstance(value, tuple):
        return len(value)
    return value if isinstance(value, int | float) else None


def _number(bound: float) -> str:
    return f"{int(bound) if bound == int(bound) else bound:,}"


def _outside(value: Any, size: float, how: str) -> str:
    if isinstance(value, str):
        return f"has {size:,} bytes"
    return how if size or not isinstance(value, tuple) else "empty"


class Field(msgspec.Struct, frozen=True):
    """A setting with its name (lower case), the type of its values, and its default."""

    name: str
    type: Any
    optional: bool
    default: Any
    setting: Setting

    def read(self, value: Any, *, text: bool = False) -> Any:
        """The value as `Settings` keeps it. `text`: it comes from an environment variable. Raises `ValueError`."""
        if value is None and self.optional:
            return None
        word = value.lower() if isinstance(value, str) else value
        if isinstance(word, str | bool) and word in self.setting.words:
            return self.setting.words[word]
        kind = _KINDS[self.type]
        if self.setting.lines and isinstance(value, str):
            value = value.strip()
        if text and not value.strip():
            raise ValueError("empty")
        value = kind.parse(value) if text else kind.take(value)
        self._bound(value)
        return self.setting.check(value) if self.setting.check else value

    def _bound(self, value: Any) -> None:
        size, setting = _measure(value), self.setting
        if size is None:
            return
        # Not isfinite(): an int need not fit into a float.
        if not -math.inf < size < math.inf:
            raise ValueError("not a finite number")
        if setting.minimum is not None and size < setting.minimum:
            raise ValueError(_outside(value, size, "too small"))
        if setting.maximum is not None and size > setting.maximum:
            raise ValueError(_outside(value, size, "too large"))

    @property
    def expected(self) -> str:
        """The values that it accepts, in words: "a whole number of bytes from 1,024 to 16,777,216"."""
        setting, noun = self.setting, _KINDS[self.type].noun
        bounds = [_number(bound) for bound in (setting.minimum, setting.maximum) if bound is not None]
        if self.type is str:
            noun = f"text of {' to '.join(bounds)} {setting.unit}"
        elif setting.unit:
            noun = f"{noun} of {setting.unit} from {' to '.join(bounds)}"
        words = ": ".join(part for part in (noun, setting.takes) if part)
        return words + (", or None" if self.optional else "")

    def label(self, instance: str) -> str:
        """Its key in `app.config` for this instance."""
        start = "CHATROOMS_" if instance == "default" else f"CHATROOMS_{instance.upper()}_"
        return start + self.name.upper()


def field_of(name: str, hint: Any, default: Any) -> Field:
    """The field of a setting, from the annotation of its attribute."""
    of, setting = get_args(hint)
    optional = get_origin(of) in (Union, UnionType)
    return Field(name, get_args(of)[0] if optional else of, optional, default, setting)


# Showing one value.


class Bare:
    """A text that stands for a value in a repr, without quotes."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def shown(value: Any, *, secret: bool = False) -> str:
    """The value for a log: no secret, no password of a URL, one line, of moderate length."""
    if value is None:
        return "None"
    if secret:
        return "***"
    if isinstance(value, Rate):
        return repr(value.text)
    if not isinstance(value, str | bool | int | float | bytes | list | tuple | set | frozenset):
        # The repr of an app's object may contain anything.
        return f"<{type(value).__name__}>"
    try:
        shown = re.sub(r":.*@", "://***@", repr(value), flags=re.DOTALL)
    except ValueError:  # an integer of more digits than Python writes
        return f"<{type(value).__name__}>"
    shown = re.sub(
        r"([?&;]\w*(?:pass|pwd|secret|token|key)\w*=)[^&;'\"]*", r"\1***", shown, flags=re.IGNORECASE
    )
    return shown if len(shown) <= 80 else f"{shown[:60]}… ({len(shown):,} characters)"
