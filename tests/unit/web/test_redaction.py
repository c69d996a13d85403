"""What is left of a URL in a log."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from sanic_chatrooms.web.redaction import Redaction

S = "s3cret.t0ken-x_y"


@pytest.fixture
def redaction() -> Redaction:
    redaction = Redaction()
    redaction.names.add("jwt")
    return redaction


def line(redaction: Redaction, message: str, *args: Any, **extra: Any) -> str:
    record = logging.makeLogRecord({"msg": message, "args": args, **extra})
    assert redaction.filter(record)
    return f"{logging.Formatter().format(record)} {getattr(record, 'request', '')}".strip()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"/chat/ws?token={S}", "/chat/ws?token=***"),
        (f"/chat/ws?a=1&token={S}&b=2", "/chat/ws?a=1&token=***&b=2"),
        (f"ws://h:1/chat/ws?ticket={S}", "ws://h:1/chat/ws?ticket=***"),
        (f"/x?jwt={S}#part", "/x?jwt=***#part"),
        (f"/x?TOKEN={S}", "/x?TOKEN=***"),
        (f"/x?%74oken={S}", "/x?%74oken=***"),
        (f"/x?token={S}&token={S}", "/x?token=***&token=***"),
        (f"/x?access_token={S}=={S}", "/x?access_token=***"),
        ("/x?token=", "/x?token="),
        ("/x?tokens=5&my_token=6&a=token", "/x?tokens=5&my_token=6&a=token"),
        ("/x?since=e:5&history=50", "/x?since=e:5&history=50"),
        ("/token=5", "/token=5"),
    ],
)
def test_the_value_of_a_secret_parameter_is_not_shown(redaction: Redaction, url: str, shown: str) -> None:
    assert line(redaction, url) == shown
    assert line(redaction, "uri: %s", repr(url)) == f"uri: {shown!r}"
    assert line(redaction, "", request=f"GET {url}") == f"GET {shown}"
    assert line(redaction, f"Request: GET {url} stopped.") == f"Request: GET {shown} stopped."


def test_a_traceback_shows_none_either(redaction: Redaction) -> None:
    try:
        raise ValueError(f"/chat/ws?token={S}")
    except ValueError as exc:
        told = line(redaction, "failed", exc_info=(type(exc), exc, exc.__traceback__))

    assert S not in told
    assert "ValueError: /chat/ws?token=***" in told


@pytest.mark.parametrize(
    ("message", "args"), [("%(a)s", ({"a": 1},)), ("%s %s", (5, None)), ("100%", ()), (object(), ())]
)
def test_other_records_stay_as_they_are(redaction: Redaction, message: Any, args: Any) -> None:
    record = logging.LogRecord("x", logging.INFO, "x", 1, message, args, None)
    before = record.getMessage()

    assert redaction.filter(record)

    assert record.getMessage() == before
