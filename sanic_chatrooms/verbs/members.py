"""Members of a room, and who of them is here."""

import msgspec

from ..access.access import Access, Actor
from ..errors import InvalidField, Unavailable
from ..models import Sender
from ..presence.base import Presence
from ..stores.base import Store
from .messages import HISTORY_LIMIT

__all__ = ["MemberLine", "MemberList", "Members", "PresentList"]


class MemberLine(msgspec.Struct, rename="camel"):
    """One member in the answer to `members`. `last_seen`: Unix seconds, None where nothing is known."""

    user: str = msgspec.field(name="id")
    name: str
    role: str
    online: bool
    last_seen: float | None


class MemberList(msgspec.Struct, omit_defaults=True):
    """The answer to `members`."""

    members: list[MemberLine]
    total: int
    cursor: str | None = None


class PresentList(msgspec.Struct, omit_defaults=True):
    """The answer to `presence`."""

    users: list[Sender]
    total: int
    cursor: str | None = None


class Members:
    """The verbs for members and presence."""

    def __init__(self, store: Store, presence: Presence, access: Access) -> None:
        self._store = store
        self._presence = presence
        self._access = access

    async def list(
        self, actor: Actor | None, room_id: str, *, cursor: str | None = None, limit: int = 50
    ) -> MemberList:
        """A page of the members. Raises `RoomNotFound`, `InvalidCursor`."""
        limit = _page_limit(limit)
        await self._access.look(actor, "members", room_id)
        page = await self._store.members(room_id, cursor=cursor, limit=limit)
        ids = [member.user for member in page.members]
        online, seen = await self._here(ids)
        lines = [MemberLine(m.user, m.name, m.role, m.user in online, seen.get(m.user)) for m in page.members]
        return MemberList(lines, page.total, page.cursor)

    async def _here(self, ids: "list_[str]") -> tuple[set[str], dict[str, float]]:
        try:
            return await self._presence.online(ids), await self._presence.seen(ids)
        except Unavailable:
            return set(), {}

    async def present(
        self, actor: Actor | None, room_id: str, *, cursor: str | None = None, limit: int = 50
    ) -> PresentList:
        """A page of those who are in the room right now. Raises `RoomNotFound`, `InvalidCursor`."""
        limit = _page_limit(limit)
        await self._access.look(actor, "presence", room_id)
        page = await self._presence.list(room_id, cursor=cursor, limit=limit)
        return PresentList(page.users, page.total, page.cursor)


list_ = list  # `Members.list` shadows the name inside the class


def _page_limit(limit: int) -> int:
    if limit < 1:
        raise InvalidField("must be at least 1", field="limit")
    return min(limit, HISTORY_LIMIT)
