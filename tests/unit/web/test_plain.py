"""The plain edge's codec: texts are kept apart without WebSocket frames."""

from __future__ import annotations

from sanic_chatrooms.models import Envelope
from sanic_chatrooms.web.socket.plain import RECORDS


def test_texts_come_apart_as_they_were_put_together() -> None:
    spaced = b'{\n\t"text":\r\n "\\u001e"}'  # all the white space that JSON has, and the separator as JSON writes it

    records = RECORDS.event(Envelope("r", "epoch", 1, "message", spaced)) + RECORDS.reply(b"{}")

    assert RECORDS.texts(records) == [spaced, b"{}"]
