"""The commands with which a client says something."""

import json
from typing import Any

from .stream import MessageStream
from .verbs import Body, Verbs, body_of, given

__all__ = ["Saying"]


class Saying(Verbs):
    """Messages, and what is done to them."""

    async def send(self, room: str, body: Body, *, msg_id: str | None = None) -> dict[str, Any]:
        """Send a message; -> the ack, when it is stored. Text stands for {"text": …}. A body with `parent` is a reply.

        It waits while the client is offline, repeats the message under one `msgId` until its outcome is known, and keeps the order of
        calls in each room. If you keep `msg_id` (a UUID), you can send the message again after a restart, and it is stored once. A
        call that is cancelled gives the message up, unless another call sends the same. Raises the server's error, `OutboxFull`,
        `ClientClosed`.
        """
        self._engine.typing_at.pop(room, None)
        return await self._put("message", room=room, payload=body_of(body), msg_id=msg_id, keep=True)

    async def direct(self, to: str, body: Body, *, msg_id: str | None = None) -> dict[str, Any]:
        """Send a message to one user, likewise; `room` of the ack is your direct room."""
        payload = {"to": to, "body": body_of(body)}
        return await self._put("direct", to=to, payload=payload, msg_id=msg_id, keep=True)

    async def edit(self, room: str, msg_id: str, body: Body) -> dict[str, Any]:
        """Replace a message. `msg_id` is the server's. It is repeated for up to 30 seconds while its outcome is not known."""
        return await self._put("message.edit", room=room, payload={"msgId": msg_id, "body": body_of(body)})

    async def delete(
        self, room: str, msg_id: str, *, reason: str | None = None, **more: Any
    ) -> dict[str, Any]:
        """Delete a message, likewise. Moderators may give a `reason`."""
        payload = given(msgId=msg_id, reason=reason, **more)
        return await self._put("message.delete", room=room, payload=payload)

    async def react(self, room: str, msg_id: str, emoji: str, on: bool = True) -> dict[str, Any]:
        """Add a reaction to a message, or with `on=False` remove it; -> {"seq"?, "duplicate", "count"}."""
        type = "reaction.add" if on else "reaction.remove"
        return await self._put(type, room=room, payload={"msgId": msg_id, "emoji": emoji})

    async def pin(self, room: str, msg_id: str, on: bool = True) -> dict[str, Any]:
        """Pin a message, or with `on=False` take the pin off; -> {"seq"?, "duplicate"}."""
        return await self._put("message.pin" if on else "message.unpin", room=room, payload={"msgId": msg_id})

    def stream(self, room: str, body: Body = "") -> MessageStream:
        """Write a message piece by piece: `async with client.stream("support") as out: out.write("…")`.

        The room sees it grow, and the end of the block closes it. `body` is what it begins with: text, or other fields such as
        `parent`. If somebody cancels it, `asyncio.CancelledError` is raised inside, `out.cancelled_by` says who, and the code
        behind the block goes on. After any other exception it has ended with `error`, and the exception goes on. Pieces are sent
        again after a reconnect, so none is lost.

        Entering raises what `send` raises; leaving, what made it impossible to write the message to its end.
        """
        return MessageStream(self._engine, room, {"text": "", **body_of(body)})

    async def cancel(self, room: str, msg_id: str) -> dict[str, Any]:
        """Ask the writer of a message to stop."""
        return await self.request("message.cancel", room=room, payload={"msgId": msg_id})

    def typing(self, room: str, active: bool = True) -> None:
        """Say that you are typing. Call it for every key: it sends at most once every 3 seconds, and only while online."""
        if self._engine.may_tell_typing(room, active):
            payload = {"active": active}
            self._engine.link.send(json.dumps({"type": "typing", "room": room, "payload": payload}))
