"""Cursors that clients make up: for the suites of stores and of presences."""

from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Collection, Iterator

from ..errors import InvalidCursor

__all__ = ["FORGED", "assert_harmless", "hostile"]

FORGED = (
    "", " ", "0", "1", "-1", "null", "a", "====", "é", "😀", "../..", "' OR 1=1 --", "%00", "\x00", "\r\n",
    "A" * 100_000, "bWluZQ", "cm9vbXMK=", "9" * 400, "\ud800", "_", "-", "AA==", "AAAA", "/+/+", "a b", "a\nb",
)  # fmt: skip
"""Cursors that no store can have given."""

_KINDS = ("rooms", "mine", "members", "present", "seen", "all facts", "")
_LAST = (
    b"", b"\x00", b"\x00\x00", b"a\x00", b"a\x00b", b"\n", b"a\nb", b"rooms\na", b"\xed\xa0\x80", b"\xed\xbf\xbf",
    b"\xff", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\xf0\x9f\x98\x80", b"\xef\xbf\xbf", b"\xe2\x80\xae", b"\x7f", b"\x1b[2J",
    b"%", b"%s", b"{}", b"(", b"[", b"+", b"\\", b"'; DROP TABLE x; --", b"x" * 70_000,
)  # fmt: skip


def hostile() -> Iterator[str]:
    """Cursors in the form that `paging.encode_cursor` gives, around what no database likes."""
    for kind in _KINDS:
        for last in _LAST:
            yield urlsafe_b64encode(kind.encode() + b"\n" + last).rstrip(b"=").decode()


async def assert_harmless(
    listed: Callable[[str], Awaitable[Collection[str]]], *, holds: Collection[str]
) -> None:
    """Each hostile cursor is refused as `InvalidCursor`, or shows nothing but what the list holds."""
    for cursor in hostile():
        try:
            shown = await listed(cursor)
        except InvalidCursor:
            continue
        assert set(shown) <= set(holds), f"{cursor[:60]!r} shows {shown}"
