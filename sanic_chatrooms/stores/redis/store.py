"""A store in Redis or Valkey: one script per room and batch numbers, de-duplicates, changes and keeps, in one step.

What an acknowledgement survives is the server's to say: with `appendonly yes` and `appendfsync always` everything;
otherwise a server that started again may have lost the last of it, and every room gets a new epoch with its next event.
Memory must not run out silently: `maxmemory-policy noeviction`.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any, ClassVar

import msgspec

from ...drivers.redis.cluster import Call, RedisLink, Script
from ...errors import ChatError, Conflict, MessageNotFound, RoomLimit, RoomNotFound
from ...models import (
    PUBLIC,
    Appended,
    Draft,
    Event,
    Head,
    Member,
    MemberRemoved,
    MemberSet,
    MessageDeleted,
    MessageEdited,
    Page,
    Room,
    Scope,
    is_reserved,
)
from ...support.ids import new_epoch
from ...support.paging import decode_cursor, encode_cursor
from ...support.signature import script_keys
from ..base import FOLDED, HISTORY_MAX, RESERVED_HISTORY_MAX, Bounds, MemberPage, RoomPage, Store
from .eraser import Eraser
from .lists import RedisLists

__all__ = ["RedisStore"]

CALL_LIMIT = 500
"""Drafts in one call of the script: Lua takes only so many arguments at a time."""

ROOM = Script(__package__, "room.lua")
_PARTS = ("h", "m", "t", "i", "k0", "k1", "u", "o", "x")


class _Text(msgspec.Struct, rename="camel", omit_defaults=True):
    """What of an event never changes, as it stands in its text."""

    msg_id: str
    timestamp: float
    type: str
    room: str
    sender: Any = None
    client_msg_id: str | None = None


_encode = msgspec.json.Encoder().encode
_pack = msgspec.msgpack.Encoder().encode
_event = msgspec.json.Decoder(Event)
_room = msgspec.json.Decoder(Room)
_member = msgspec.json.Decoder(Member)


class RedisStore(Store):
    """Keeps everything in one Redis or Valkey (7 or newer), or in a cluster, where all of a room is in one slot.

    `url`: see `sanic_chatrooms.drivers.redis.address`; `clock` returns
    Unix seconds, by which events and repeated keys become too old; without one it is the server's own. `life` names
    the span in which the server loses nothing (see `RedisLink`).
    """

    scope: ClassVar[Scope] = Scope.CLUSTER

    def __init__(
        self,
        url: str = "redis://localhost",
        *,
        clock: Callable[[], float] | None = None,
        life: str | None = None,
    ) -> None:
        self._link = RedisLink(url, scripts=(ROOM, RedisLists.script), life=life)
        self.server_url = url
        self._clock = clock
        self._base = ""
        self._publish = "SPUBLISH" if self._link.is_cluster else "PUBLISH"
        self._bounds = Bounds()
        self._limits: tuple[Any, ...] = ()
        self._lists = RedisLists(self._link, "")
        self._eraser = Eraser(self._link, "", 0.0)

    async def start(self, instance: str, bounds: Bounds) -> None:
        """See `Store.start`. Raises `ConfigError` where the server does not let us in, `Unavailable` where there is none."""
        self._base = f"{self._link.prefix}{instance}:"
        self._lists = RedisLists(self._link, instance)
        self._bounds = bounds
        self._limits = (
            HISTORY_MAX if bounds.history_max is None else bounds.history_max,
            RESERVED_HISTORY_MAX,
            "" if bounds.retention is None else bounds.retention,
            bounds.dedup_window,
        )
        await self._link.start(bounds.timeout)
        self._eraser = Eraser(self._link, instance, bounds.erase_within)
        self._eraser.start()

    async def stop(self) -> None:
        """See `Store.stop`."""
        await self._eraser.stop()
        await self._link.stop()

    # ---- appending ----

    async def append(self, drafts: Sequence[Draft]) -> list[Appended | ChatError]:
        """See `Store.append`. One call per room and 500 drafts; all rooms in one round trip."""
        changing = [draft for draft in drafts if draft.change is not None]
        if changing:
            await self._note_first(changing)
        by_room: dict[str, list[int]] = {}
        for n, draft in enumerate(drafts):
            by_room.setdefault(draft.room, []).append(n)
        results: list[Any] = [None] * len(drafts)
        # What of a room does not fit into one call goes with the next round, or its order would hang on the network.
        start = 0
        while left := [
            (room, numbers[start : start + CALL_LIMIT])
            for room, numbers in by_room.items()
            if len(numbers) > start
        ]:
            epoch = new_epoch()
            calls = [self._append_call(room, epoch, [drafts[n] for n in numbers]) for room, numbers in left]
            for (_, numbers), reply in zip(left, await self._link.run(calls), strict=True):
                for n, result in zip(numbers, _results(reply, len(numbers)), strict=True):
                    results[n] = _appended(drafts[n], reply, result)
            start += CALL_LIMIT
        return results

    async def _note_first(self, changing: Sequence[Draft]) -> None:
        members = [(d.room, d.change.member) for d in changing if isinstance(d.change, MemberSet)]
        await self._list_first(members)
        if any(isinstance(d.change, MessageEdited | MessageDeleted) for d in changing):
            await self._eraser.note()

    def _append_call(self, room: str, epoch: str, drafts: Sequence[Draft]) -> Call:
        arguments: list[Any] = list(self._bell(room))
        for draft in drafts:
            key = draft.key
            text = _Text(
                draft.msg_id,
                draft.timestamp,
                draft.type,
                draft.room,
                draft.sender,
                key[1] if key is not None and key[0] else None,  # "": the key is ours, not a client's
            )
            at = repr(draft.timestamp)
            change = b"~" if draft.type.startswith(FOLDED) else b"-"
            if draft.change is not None:
                change += _change(draft, at)
            arguments += (
                _named(key),
                f"{at} {draft.msg_id} ".encode() + draft.hash,
                b'%b\n,"payload":%b}' % (_encode(text)[1:-1], draft.payload),
                change,
            )
        return self._call(room, "append", *arguments, epoch=epoch)

    def _bell(self, room: str) -> tuple[str, str, str, str, str]:
        if self.publishes_as is None:
            return ("", "", "", "", "")
        # The channel that RedisBroker listens to, in the room's slot.
        return (f"{self._base}{{{room}}}", self._publish, self.publishes_as, *script_keys(self.publish_key))

    # ---- reading ----

    async def heads(self, rooms: Collection[str]) -> dict[str, Head]:
        """See `Store.heads`."""
        calls = [self._plain("HMGET", room, "h", "e", "n") for room in rooms]
        replies = zip(rooms, await self._link.run(calls), strict=True)
        return {room: Head(epoch.decode(), int(seq)) for room, (epoch, seq) in replies if epoch is not None}

    async def history(  # type: ignore[override] # until it knows facts
        self,
        room: str,
        *,
        after: int | None = None,
        before: int | None = None,
        limit: int,
        timeline: bool = False,
    ) -> Page:
        """See `Store.history`. Costs the same wherever the page lies and however long the room is."""
        if (after is None) == (before is None):
            raise ValueError("history: give exactly one of after and before")
        way, number = ("before", before) if after is None else ("after", after)
        reply = await self._ask(room, "history", way, number, limit, "line" if timeline else "")
        epoch, seq, floor, more, *texts = reply
        return Page([_event.decode(text) for text in texts], bool(more), epoch.decode(), seq, floor)

    async def message(self, room: str, msg_id: str) -> Event | None:
        """See `Store.message`."""
        text = await self._ask(room, "message", msg_id)
        return _event.decode(text) if text else None

    async def renew_epoch(self, room: str, old: str) -> Head:
        """See `Store.renew_epoch`."""
        epoch, seq = await self._ask(room, "renew", old, epoch=new_epoch())
        return Head(epoch.decode(), seq)

    # ---- rooms ----

    async def create_room(  # type: ignore[override] # until it knows facts
        self,
        room: Room,
        *,
        owner: Member | None = None,
        key: tuple[str, str] | None = None,
        hash: bytes = b"",
    ) -> tuple[Room, bool]:
        """See `Store.create_room`."""
        made_by = b"" if key is None else _encode(key) + hash
        member = ("", b"") if owner is None else (owner.user, _encode(owner))
        what = (made_by, _named(key), _encode(room), room.visibility, "1" if room.auto else "0", *member)
        state, *found = await self._ask(room.id, "create", "look", *what)
        if state == 2:
            most = self._bounds.most_rooms(room.visibility)
            if most is not None and not await self._lists.reserve(room, most):
                raise RoomLimit.of(most, "the server")
            await self._list_first([] if owner is None else [(room.id, owner)])
            state, *found = await self._ask(room.id, "create", "make", *what, epoch=new_epoch())
        if state < 0:
            raise Conflict("there is a room with this name already; take another")
        return _shown(found), state == 1

    async def room(self, room: str) -> Room | None:
        """See `Store.room`."""
        found = await self._link.call(self._plain("HMGET", room, "h", "e", "n", "i"))
        return None if found[0] is None else _shown(found)

    async def rooms(  # type: ignore[override] # until it knows facts
        self, *, member: str | None = None, cursor: str | None = None, limit: int = 50
    ) -> RoomPage:
        """See `Store.rooms`."""
        if member is None:
            last = "" if cursor is None else decode_cursor("rooms", cursor)
            found = await self._lists.public(last, limit + 1, self._public)
        else:
            last = "" if cursor is None else decode_cursor("mine", cursor)
            found = await self._lists.of_user(member, last, limit + 1, self._mine)
        shown = found[:limit]
        more = len(found) > limit
        return RoomPage(
            shown, encode_cursor("rooms" if member is None else "mine", shown[-1].id) if more else None
        )

    async def _public(self, rooms: Sequence[str]) -> list[Room | None]:
        calls = [self._plain("HMGET", room, "h", "e", "n", "i", "v") for room in rooms]
        return [_shown(found[:3]) if found[3] == b"public" else None for found in await self._link.run(calls)]

    async def _mine(self, rooms: Sequence[str], user: str) -> list[Room | None]:
        calls = [self._call(room, "mine", user) for room in rooms]
        return [_shown(found) if found else None for found in await self._link.run(calls)]

    async def update_room(self, room: Room) -> Room:
        """See `Store.update_room`. The list of public rooms holds it before it is public, and until it is no longer."""
        if room.visibility == PUBLIC:
            await self._lists.open(room.id)
        found = _shown(await self._ask(room.id, "update", room.epoch, _encode(room), room.visibility))
        if room.visibility != PUBLIC:
            await self._lists.close(room.id)
        return found

    async def delete_room(self, room: str, *, unused: bool = False) -> bool:
        """See `Store.delete_room`. Lists that lead to the room forget it when somebody reads them."""
        stamp = await self._lists.stamp(room)
        if not unused and not is_reserved(room):  # what is in those is no text of anybody's
            await self._eraser.note()
        deleted = bool(await self._link.call(self._call(room, "delete", "unused" if unused else "")))
        if deleted and stamp is not None:
            await self._lists.forget(room, stamp)
        return deleted

    # ---- members ----

    async def member(self, room: str, user: str) -> Member | None:
        """See `Store.member`."""
        found = await self._link.call(self._plain("HGET", room, "u", user))
        return None if found is None else _member.decode(found)

    async def members(self, room: str, *, cursor: str | None = None, limit: int = 50) -> MemberPage:
        """See `Store.members`."""
        start = "-" if cursor is None else "(" + decode_cursor("members", cursor)
        total, *found = await self._ask(room, "members", start, limit + 1)
        shown = [_member.decode(member) for member in found[:limit]]
        more = len(found) > limit
        return MemberPage(shown, total, encode_cursor("members", shown[-1].user) if more else None)

    async def first_members(self, rooms: Collection[str], limit: int) -> dict[str, list[Member]]:
        """See `Store.first_members`. One round trip for up to 500 rooms."""
        asked = list(rooms)
        replies = await self._link.run([self._call(room, "members", "-", limit) for room in asked])
        found = {room: reply for room, reply in zip(asked, replies, strict=True) if reply is not None}
        return {room: [_member.decode(member) for member in reply[1:]] for room, reply in found.items()}

    async def set_member(self, room: str, member: Member) -> None:
        """See `Store.set_member`."""
        await self._list_first([(room, member)])
        await self._ask(room, "change", "set", member.user, _encode(member))

    async def remove_member(self, room: str, user: str) -> bool:
        """See `Store.remove_member`."""
        return bool(await self._ask(room, "change", "remove", user))

    async def secret(self, name: str) -> str:
        """See `Store.secret`."""
        return await self._lists.secret(name)

    async def _list_first(self, members: Sequence[tuple[str, Member]]) -> None:
        # Before the fact: a list that leads to a room too many is put right by whoever reads it.
        if members:
            await self._lists.add([(room, member.user) for room, member in members])

    # ---- calls ----

    def _call(self, room: str, operation: str, *arguments: Any, epoch: str = "") -> Call:
        base = f"{self._base}{{{room}}}:"
        clock = "" if self._clock is None else self._clock()
        parts = (clock, operation, *self._limits, epoch, *arguments)
        return Call(base, parts, ROOM, tuple([base + part for part in _PARTS]))

    def _plain(self, command: str, room: str, part: str, *arguments: str) -> Call:
        key = f"{self._base}{{{room}}}:{part}"
        return Call(key, (command, key, *arguments))

    async def _ask(self, room: str, operation: str, *arguments: Any, epoch: str = "") -> Any:
        reply = await self._link.call(self._call(room, operation, *arguments, epoch=epoch))
        if reply is None:
            raise RoomNotFound
        return reply


def _named(key: tuple[str, str] | None) -> str:
    return "" if key is None else f"{len(key[0])}:{key[0]}{key[1]}"


def _change(draft: Draft, at: str) -> bytes:
    match draft.change:
        case MemberSet(member):
            return _pack(("set", member.user, _encode(member).decode()))
        case MemberRemoved(user):
            return _pack(("remove", user))
        case MessageEdited(msg_id, payload):
            return _pack(("edit", msg_id, payload.decode(), at))
        case MessageDeleted(msg_id):
            return _pack(("delete", msg_id))
    raise TypeError(f"no change: {draft.change!r}")


def _results(reply: Any, count: int) -> list[Any]:
    return [None] * count if reply is None else reply[1:]


def _appended(draft: Draft, reply: Any, result: Any) -> Appended | ChatError:
    if result is None:
        return RoomNotFound()
    epoch = reply[0].decode()
    if isinstance(result, bytes):
        seq, at, msg_id = result.decode().split(" ")
        return Appended(msg_id, int(seq), float(at), epoch, duplicate=True)
    if result < 0:
        return Conflict() if result == -1 else MessageNotFound()
    return Appended(draft.msg_id, result, draft.timestamp, epoch)


def _shown(found: Sequence[Any]) -> Room:
    epoch, seq, text = found
    return msgspec.structs.replace(_room.decode(text), epoch=epoch.decode(), seq=int(seq))
