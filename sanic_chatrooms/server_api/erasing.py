"""The verb that erases a user."""

import time

from ..models import Sender, User
from ..sessions.inbox import Close
from ..verbs.erasing import erase_user
from ..wire import codes
from ..wire.codes import CloseCode
from .base import Verbs, id_of

__all__ = ["Erasing"]


class Erasing(Verbs):
    """The verb that erases a user."""

    async def erase_user(self, user: User | Sender | str) -> None:
        """Erase what a user said, did and was called: in all rooms, and what is kept of them outside of rooms.

        Their events keep number, id, type and time only; memberships, bans, reactions, mentions, invitations, reports by and about
        them, blocks, tickets, and what waits to be published are forgotten. What others said stays. Rooms that changed get a new
        epoch: clients join them anew. The rooms that the user made stay, too, with their titles. Files of the app that become
        unused are told by `message.unattached`.

        Keep the user out first: end their account, or call `ban_user`. This call revokes what was issued until now and closes
        their connections, but an app that signs them in again, or publishes in their name, makes new traces. It reads all
        rooms, so it takes as long as there is history. If it raises or its process ends, call it again: it goes on.

        Raises `InvalidField`, `Unavailable`.
        """
        chat, id = self.running(), id_of(user)
        await chat.revocations.revoke(id, None, None, time.time())
        code = CloseCode.INVALID_TOKEN
        await chat.inbox.send(id, Close(int(code), codes.reason(code)))
        await erase_user(chat.core, id)
