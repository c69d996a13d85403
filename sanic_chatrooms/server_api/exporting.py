"""The verb that tells everything that is stored of a user."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from ..access.standing import BLOCKED
from ..access.visibility import LAST
from ..errors import RoomNotFound
from ..models import Event, Sender, User
from ..stores.base import Store
from ..support.paging import PAGE_LIMIT
from ..verbs.across import all_rooms
from ..verbs.blocks import all_blocked
from ..verbs.reports import reports_by
from ..wire.encode import encode
from .base import Verbs, id_of

__all__ = ["Exporting"]


class _Of(msgspec.Struct):
    id: str = ""


class _About(msgspec.Struct):
    user: _Of | None = None


_about = msgspec.json.Decoder(_About)


class Exporting(Verbs):
    """The verb that tells everything that is stored of a user."""

    async def export_user(self, user: User | Sender | str) -> AsyncIterator[bytes]:
        r"""What is stored of a user, as JSON lines, one at a time: `{"room": …, "event": …}` for what they said and did and what others did
        to them, as on the wire; `{"room": …, "fact": kind, "value": …}` for what holds of them in a room (membership, bans …);
        `{"room": …, "report": …}` for what they have reported; `{"blocked": …}` for whom they have blocked.

            async for line in chat.export_user("u1"): file.write(line + b"\n")

        It reads all rooms, so it takes as long as there is history. Raises `InvalidField`, `Unavailable`.
        """
        core, id = self.running().core, id_of(user)
        async for other in all_blocked(core, id):
            yield encode({"blocked": other})
        async for room in all_rooms(core.store, visibility=None):
            for kind, known in (await core.store.facts_about(room.id, id)).items():
                if kind != BLOCKED:  # that the other one wants to hear nothing is theirs
                    yield encode({"room": room.id, "fact": kind, "value": msgspec.Raw(known.value)})
            async for report in reports_by(core, room.id, id):
                yield encode({"room": room.id, "report": report})
            async for event in _events(core.store, room.id):
                if _is_of(event, id):
                    yield encode({"room": room.id, "event": event})


async def _events(store: Store, room: str) -> AsyncIterator[Event]:
    after, more = 0, True
    while more:
        try:
            page = await store.history(room, after=after, limit=PAGE_LIMIT)
        except RoomNotFound:
            return
        for event in page.events:
            yield event
            after = event.seq or LAST
        more = page.more and bool(page.events)


def _is_of(event: Event, user: str) -> bool:
    if event.sender is not None and event.sender.id == user:
        return True
    if not event.type.startswith(("member.", "reaction.")):
        return False
    about: Any = _about.decode(event.payload)
    return about.user is not None and about.user.id == user
