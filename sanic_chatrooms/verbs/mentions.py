"""Mentions: users, roles and the room that a message names in its `mentions`.

Who is mentioned is decided when the message is sent, and again when it is edited. The store counts mentions with what is unread.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import msgspec

from ..access.needs import PINNING
from ..errors import ChatError, Unavailable
from ..models import PUBLIC, Appended, Known, Room, Sender
from ..stores.members import MEMBER
from ..stores.unread import GROUP, PREFS
from ..support.user_ids import MAX_USER_ID, is_text
from ..wire.encode import live_event
from ..wire.events import Mentioned
from .blocks import blocking
from .context import Ctx
from .core import Core
from .drafts import check_mentions
from .table import also_action, also_feature
from .unread import preferences

__all__ = ["NOBODY", "Mentions", "mentioned", "names_in", "of_app", "resolved", "tell", "tell_of"]

SHOWN = 140
"""Characters of the message in the event `mention`."""

MENTION_ROOM = also_action("mention.room", PINNING)
also_feature("mentions")


class Mentions(NamedTuple):
    """Whom a message mentions."""

    names: tuple[str, ...]
    """What the store keeps: ids of members, "@room", and "@" and a role."""
    told: tuple[str, ...]
    """Ids of the users who are told at once."""


NOBODY = Mentions((), ())


class _Body(msgspec.Struct):
    text: str = ""
    mentions: list[str] | None = None


_body = msgspec.json.Decoder(_Body)


def names_in(body: bytes) -> tuple[str, Sequence[str]]:
    """Text and mentions of a body that may have any form."""
    try:
        found = _body.decode(body)
    except msgspec.DecodeError:
        return "", ()
    return found.text, found.mentions or ()


async def mentioned(ctx: Ctx, room: Room, sender: Sender | None, names: Sequence[str] | None) -> Mentions:
    """Whom these names mention in the room, in a message of this sender that the actor writes or changes."""
    if not names:
        return NOBODY
    groups = any(name.startswith(GROUP) for name in names) and await _may_mention_groups(ctx)
    return await resolved(ctx.core, room, sender, names, groups=groups)


async def _may_mention_groups(ctx: Ctx) -> bool:
    try:
        await ctx.require(MENTION_ROOM)
    except ChatError as problem:
        if problem.temporary:
            raise
        return False
    return True


async def resolved(
    core: Core, room: Room, sender: Sender | None, names: Sequence[str], *, groups: bool = True
) -> Mentions:
    """Whom these names mention in the room. Who is not there, or blocked the sender, is passed over; so are `groups` if they may not
    be mentioned, and the sender."""
    wanted = dict.fromkeys(name for name in names if 0 < len(name) <= MAX_USER_ID and is_text(name))
    ids = [name for name in wanted if name[0] != GROUP and (sender is None or name != sender.id)]
    about = await core.store.about_each(room.id, ids) if ids else {}
    if sender is not None and ids:
        for id in await blocking(core, ids, sender.id):
            del about[id]
    members = [id for id, facts in about.items() if MEMBER in facts]
    told = [id for id in members if not _is_silent(about[id].get(PREFS))]
    told += await _present(core, room, [id for id in about if id not in members])
    kept = members + [name for name in wanted if name[0] == GROUP and groups]
    return Mentions(tuple(kept), tuple(told))


def _is_silent(prefs: Known | None) -> bool:
    return preferences(None if prefs is None else prefs.value).notify == "none"


async def _present(core: Core, room: Room, ids: Collection[str]) -> list[str]:
    """Those of them who are in a public room without being members."""
    if room.visibility != PUBLIC or not ids:
        return []
    try:
        there = await core.presence.online(ids, room=room.id)
    except Unavailable:
        return []
    return [id for id in ids if id in there]


async def of_app(core: Core, room: str, sender: Sender | None, body: bytes) -> tuple[Mentions, str]:
    """Whom a message of the app mentions, and its text. Raises `InvalidField`, `RoomNotFound`."""
    text, names = names_in(body)
    if not names:
        return NOBODY, text
    check_mentions(names)
    found, _ = await core.access.find(None, room)
    return await resolved(core, found, sender, names), text


def tell(
    core: Core, room: str, mentions: Mentions, stored: Appended | None, sender: Sender | None, text: str
) -> None:
    """Tell users that they are mentioned in the message that was stored now."""
    if stored is not None and not stored.duplicate:
        tell_of(core, room, mentions.told, stored.msg_id, stored.seq, sender, text)


def tell_of(
    core: Core, room: str, users: Collection[str], msg_id: str, seq: int, sender: Sender | None, text: str
) -> None:
    """Tell these users, on all of their connections, that a message mentions them."""
    if not users:
        return
    event = live_event(Mentioned(room, msg_id, seq, sender, text[:SHOWN]), room=room)
    for user in users:
        core.inbox.push(core.inbox.notify(user, event, None))
