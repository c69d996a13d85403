"""Close codes and their words."""

from __future__ import annotations

from sanic_chatrooms.wire.codes import CloseCode, reason


def test_every_close_code_has_words_that_fit() -> None:
    for code in CloseCode:
        assert 0 < len(reason(code).encode()) <= 123
    assert reason(4242) == "closed by the application"
