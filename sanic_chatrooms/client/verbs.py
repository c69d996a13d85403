"""What the commands of a client stand on: those that are asked once, and those that wait in the outbox until they are stored."""

from collections.abc import Mapping
from typing import Any

from ..support.ids import new_id
from .engine import Engine

__all__ = ["Body", "Page", "Verbs", "body_of", "given"]

Body = str | Mapping[str, Any]
"""The body of a message. Text stands for {"text": …}."""
Page = dict[str, Any]


class Verbs:
    """Commands of one client."""

    _engine: Engine

    async def request(
        self,
        type: str,
        *,
        room: str | None = None,
        payload: Mapping[str, Any] | None = None,
        msg_id: str | None = None,
    ) -> dict[str, Any]:
        """Send any command, also one of the app; -> the payload of its ack. It is sent once.

        It waits for the connection within its time. Raises the server's error, `NoAnswer`, `ConnectionLost`, `ClientClosed`.
        """
        return await self._engine.request(type, room, payload, msg_id)

    async def _put(
        self,
        type: str,
        *,
        payload: dict[str, Any],
        room: str | None = None,
        to: str | None = None,
        msg_id: str | None = None,
        keep: bool = False,
    ) -> dict[str, Any]:
        """Send a command in its turn, and again until its outcome is known."""
        return await self._engine.put(type, room, payload, to=to, msg_id=msg_id or new_id(), keep=keep)


def body_of(body: Body) -> dict[str, Any]:
    """The body as the wire has it."""
    return {"text": body} if isinstance(body, str) else dict(body)


def given(**values: Any) -> dict[str, Any]:
    """A payload of what is not None."""
    return {key: value for key, value in values.items() if value is not None}
