from __future__ import annotations

import pytest

from sanic_chatrooms.support.origin import normal_origin


@pytest.mark.parametrize(
    ("origin", "normal"),
    [
        ("http://chat.example", "http://chat.example"),
        ("HTTP://Chat.Example", "http://chat.example"),
        ("http://chat.example:80", "http://chat.example"),
        ("https://chat.example:443", "https://chat.example"),
        ("https://chat.example:80", "https://chat.example:80"),
        ("http://chat.example:8000", "http://chat.example:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("http://[0:0:0:0:0:0:0:1]", "http://[::1]"),
        ("null", None),
        ("", None),
        ("chat.example", None),
        ("file://", None),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"),
        ("http://bücher.example", None),
        ("http://", None),
        ("http://chat.example/", None),
        ("http://chat.example/path", None),
        ("http://chat.example?x", None),
        ("http://chat.example#x", None),
        ("http://user@chat.example", None),
        ("http://@chat.example", None),
        ("http://chat.example:port", None),
        ("http://chat.example:99999", None),
        ("http://[::1", None),
    ],
)
def test_origins_are_compared_in_one_spelling(origin: str, normal: str | None) -> None:
    try:
        spelling = normal_origin(origin)
    except ValueError:
        spelling = None

    assert spelling == normal
