"""Verbs that mark messages: reactions and pins."""

from typing import Any

from ..errors import InvalidField
from ..models import Sender, User
from ..verbs.pins import Pin
from ..verbs.reactions import Counted, React, react
from ..verbs.table import Settled, acked
from ..wire.decode import checked
from ..wire.encode import encode, encode_object
from .base import Verbs, acting_as, sender_of

__all__ = ["Marking"]


class Marking(Verbs):
    """Verbs that mark messages: reactions and pins."""

    async def react(
        self,
        room: str,
        msg_id: str,
        emoji: str,
        *,
        on: bool = True,
        sender: User | Sender | None = None,
        as_user: User | None = None,
    ) -> Counted:
        """React to a message, or with `on=False` take the reaction back; -> `count`: how many users react with the emoji now,
        `duplicate`: nothing changed.

        Give the user who reacts: as `sender`, whatever that user may do, or as `as_user`, which is a command of that user's
        client. Raises `RoomNotFound`, `MessageNotFound`, `InvalidField`, `InvalidText`, `Unavailable`, and with `as_user` the
        refusals of that command.
        """
        if (sender is None) is (as_user is None):
            raise InvalidField("is missing: give sender or as_user, and not both", field="sender")
        ask = checked(React(msg_id, emoji))
        encode_object({"msgId": msg_id, "emoji": emoji}, "emoji")
        if sender is not None:
            return await react(self.running().core, room, sender_of(sender, "sender"), ask, on=on)
        type = "reaction.add" if on else "reaction.remove"
        counted: Counted = await self._mark(type, ask, room, as_user, Counted)
        return counted

    async def pin(self, room: str, msg_id: str, *, as_user: User | None = None) -> bool:
        """Pin a message for everybody in the room. True if it was not pinned before.

        Raises `RoomNotFound`, `MessageNotFound`, `Unavailable`, and with `as_user` the refusals of that user's command.
        """
        return await self._set_pin("message.pin", room, msg_id, as_user)

    async def unpin(self, room: str, msg_id: str, *, as_user: User | None = None) -> bool:
        """Take the pin off a message. True if it was pinned. Raises what `pin` does."""
        return await self._set_pin("message.unpin", room, msg_id, as_user)

    async def _set_pin(self, type: str, room: str, msg_id: str, as_user: User | None) -> bool:
        settled: Settled = await self._mark(type, checked(Pin(msg_id)), room, as_user, Settled)
        return not settled.duplicate

    async def _mark(self, type: str, ask: Any, room: str, as_user: User | None, shape: Any) -> Any:
        chat = self.running()
        if as_user is None:
            return acked(shape, await chat.commands.give(type, ask, room=room))
        acting = acting_as(chat, as_user)
        return (await chat.commands.act(acting, acting.command(type, encode(ask), room=room))).result
