"""What a server sends, as far as the client needs it to make sense. Whatever else it sends is passed over."""

from math import isfinite
from typing import Any

from ..support.positions import Position
from .events import Frame

__all__ = ["Ack", "checked_ack", "is_durable", "number_in", "position_in", "text_in", "token_in"]


class Ack:
    """What a join was answered with, as far as the client needs it."""

    def __init__(self, position: Position, recovered: bool, messages: list[Frame], more: bool) -> None:
        self.position = position
        self.recovered = recovered
        self.messages = messages
        self.more = more
        self.size = (
            sum(len(str(message.get("payload"))) for message in messages) // max(1, len(messages)) + 200
        )


def checked_ack(ack: dict[str, Any]) -> Ack | None:
    """The ack of a join; None if it makes no sense."""
    position, messages = position_in(ack), ack.get("messages")
    if position is None or not isinstance(messages, list) or not all(map(is_durable, messages)):
        return None
    try:
        return Ack(position, ack.get("recovered") is True, messages, ack.get("more") is True)
    except RecursionError:  # it is nested as deeply as could just be read
        return None


def is_durable(frame: object) -> bool:
    """An event with a number, of a room."""
    return (
        isinstance(frame, dict)
        and isinstance(frame.get("type"), str)
        and isinstance(frame.get("room"), str)
        and _number(frame.get("seq")) is not None
    )


def position_in(payload: dict[str, Any]) -> Position | None:
    """The position in a payload; None if there is none."""
    epoch, seq = payload.get("epoch"), payload.get("seq")
    number = 0 if seq == 0 and not isinstance(seq, bool) else _number(seq)
    return Position(epoch, number) if isinstance(epoch, str) and number is not None else None


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**53 else None


def text_in(value: object) -> str | None:
    """A text, or None."""
    return value if isinstance(value, str) else None


def number_in(value: object) -> float | None:
    """A finite number, or None. JSON has integers that no float can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if isfinite(number) else None


def token_in(value: object) -> str | None:
    """A text that fits into a header, or None."""
    return value if isinstance(value, str) and value.isascii() and value.isprintable() else None
