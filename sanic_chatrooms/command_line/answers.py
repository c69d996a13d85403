"""What a server answers, as far as commands rely on it. Whatever else is in it is shown, and may be anything."""

from itertools import pairwise
from typing import Any

from ..client.checks import is_durable, text_in
from ..errors import ChatroomsError

__all__ = ["MOST_PAGES", "Nonsense", "messages_in", "rooms_in"]

MOST_PAGES = 50_000
"""Pages of a list, ten million rooms: a list that goes on after them has no end."""


class Nonsense(ChatroomsError):
    """A server has answered what no chat answers."""

    @classmethod
    def to(cls, command: str) -> "Nonsense":
        """The answer to this command has not what the command is for."""
        return cls(f"the server's answer to {command} makes no sense; is this the address of a chat?")


def rooms_in(page: dict[str, Any]) -> tuple[list[dict[str, Any]], str | None]:
    """The rooms of a page of them, and the cursor of the next. Raises `Nonsense`."""
    rooms, cursor = page.get("rooms"), page.get("cursor")
    if not isinstance(rooms, list) or not all(map(_is_room, rooms)) or text_in(cursor) != cursor:
        raise Nonsense.to("rooms")
    return rooms, cursor


def _is_room(room: object) -> bool:
    return isinstance(room, dict) and isinstance(room.get("room"), str)


def messages_in(page: dict[str, Any], after: int) -> tuple[list[dict[str, Any]], bool]:
    """The messages of a page of them, which have numbers above `after`, and whether there are more. Raises `Nonsense`."""
    messages = page.get("messages")
    if not isinstance(messages, list) or not all(map(is_durable, messages)):
        raise Nonsense.to("history")
    numbers = [after, *(message["seq"] for message in messages)]
    if any(one >= next for one, next in pairwise(numbers)):
        raise Nonsense("the numbers of the messages that the server has do not grow")
    return messages, bool(page.get("more")) and bool(messages)
