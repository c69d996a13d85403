"""Scripts and style sheets without comments, needless spaces and needless signs: what browsers get, outside of debug mode.

Names stay, so an error in a browser still names its function, and needs no source map. A line break stays wherever it may end a
statement. A test parses every file of the page before and after this and compares the trees.
"""

import re
from collections.abc import Iterator

__all__ = ["compact_script", "compact_style"]

_SPACE = re.compile(r"(?:\s|//[^\n]*|/\*.*?\*/)+", re.DOTALL)
_WORD = re.compile(r"[\w$#]+")
_WHOLE = re.compile(r"[\w$#]+|=>")
_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'')
_TEMPLATE = re.compile(r"(?:[^`\\$]|\\.|\$(?!\{))*(?:`|\$\{)", re.DOTALL)
_REGEX = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/\w*")
# After one of these words, a slash begins a regular expression. After other words, and after a closing bracket, it divides.
_BEFORE_VALUE = {"return", "typeof", "case", "in", "of", "delete", "void", "throw", "else", "await", "yield"}
# A statement cannot end after one of these, or before one of those.
_GOES_ON = frozenset("{[(,;:?=&|<>*%^!~.")
_CONTINUES = frozenset("}]),;:?=&|<>*%^.")

_STYLE = re.compile(r'(?P<string>"[^"\n]*"|\'[^\'\n]*\')|(?:/\*.*?\*/|\s)+', re.DOTALL)
_AROUND = re.compile(r'("[^"\n]*"|\'[^\'\n]*\')| ?([{};,>]) ?|(:) ')


def compact_script(text: str) -> str:
    """A module that means the same. The text has to be in the style of this package: semicolons, and no regular expression
    after a closing bracket."""
    parts: list[tuple[str, str]] = []  # the space before each piece, and the piece
    statements = _Statements()
    space = ""
    for piece in _pieces(text):
        if _SPACE.fullmatch(piece):
            space = piece
            continue
        if statements.goes_on(piece):
            parts[-1] = ("", ",")
        else:
            _drop_needless(parts, piece)
            parts.append((space, piece))
        space = ""
    pieces = [piece for _, piece in parts]
    spaces = [
        _between(before, space, piece) for before, (space, piece) in zip(["", *pieces], parts, strict=False)
    ]
    return "".join(part for pair in zip(spaces, pieces, strict=True) for part in pair)


class _Statements:
    """With which words statements begin."""

    def __init__(self) -> None:
        self._levels = [("", "")]  # in each open bracket: this statement and the one before

    def goes_on(self, piece: str) -> bool:
        """Whether this is a `const` right after another, which one of them can declare."""
        first, before = self._levels[-1]
        self._levels[-1] = ("", first) if piece == ";" else (first or piece, before)
        if piece[0] in "})]":
            self._levels.pop()
        if piece[-1] in "{([":
            self._levels.append(("", ""))
        return piece == "const" == before and not first


def _drop_needless(parts: list[tuple[str, str]], piece: str) -> None:
    """Where one of these is needed after all, a browser refuses the module: nothing means something else without them."""
    last = [part for _, part in parts[-3:]]
    if piece == "}" and last and last[-1] in ";,":
        parts.pop()
    elif piece == "=>" and len(last) == 3 and last[0] == "(" and _is_word(last[1]) and last[2] == ")":
        parts[-3:] = [(parts[-3][0] or " ", last[1])]  # a single parameter needs no brackets


def _between(before: str, space: str, after: str) -> str:
    if not space or not before:
        return ""
    touches = _is_word(before[-1]) and _is_word(after[0])
    # A word after a brace begins something, or is an operator, before which no statement ends.
    goes_on = before[-1] in _GOES_ON or after[0] in _CONTINUES or (before[-1] == "}" and _is_word(after[0]))
    if "\n" in space and not goes_on:
        return "\n"
    return " " if touches or before[-1] + after[0] in {"++", "--", "//", "/*"} else ""


def _is_word(sign: str) -> bool:
    return _WORD.fullmatch(sign) is not None


def _pieces(text: str) -> Iterator[str]:
    at, before = 0, ""
    braces = [0]  # how many are open, in the script and in each `${` of a template
    while at < len(text):
        piece = _piece(text, at, before, braces)
        at += len(piece)
        yield piece
        if not _SPACE.fullmatch(piece):
            before = piece


def _piece(text: str, at: int, before: str, braces: list[int]) -> str:
    sign = text[at]
    if space := _SPACE.match(text, at):
        return space[0]
    if sign == "`" or (sign == "}" and not braces[-1] and len(braces) > 1):
        return _template(text, at, braces)
    if sign in "{}":
        braces[-1] += 1 if sign == "{" else -1
    pattern = _REGEX if sign == "/" and _begins_value(before) else _STRING if sign in "\"'" else _WHOLE
    found = pattern.match(text, at)
    return found[0] if found else sign


def _template(text: str, at: int, braces: list[int]) -> str:
    """A part of a template: to its end, or to the next expression in it."""
    if text[at] == "}":
        braces.pop()
    part = _TEMPLATE.match(text, at + 1)
    if part is None:
        raise ValueError("a template has no end")
    if part[0].endswith("${"):
        braces.append(0)
    return text[at] + part[0]


def _begins_value(before: str) -> bool:
    return not before or before in _BEFORE_VALUE or not (_is_word(before[-1]) or before[-1] in ")]}\"'`")


def compact_style(text: str) -> str:
    """A style sheet that means the same."""
    spaced = _STYLE.sub(lambda found: found["string"] or " ", text)
    return _AROUND.sub(lambda found: found[1] or found[2] or found[3], spaced).strip().replace(";}", "}")
