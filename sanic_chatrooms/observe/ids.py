"""What a line of the log is about, as attributes of its record: `extra=ids(room=…)` of stdlib's logging."""

__all__ = ["ids"]

MOST = 128
"""Characters of an id; what clients send may be longer."""


def ids(**known: str | None) -> dict[str, str]:
    """Attributes for a log record, each named with `chat_` before it; those that are None are left out.

    The names: `connection`, `user`, `room`, `command` (its type), `msg_id`, `code` (of an error). Never a text, a name or a token.
    """
    return {f"chat_{name}": value[:MOST] for name, value in known.items() if value is not None}
