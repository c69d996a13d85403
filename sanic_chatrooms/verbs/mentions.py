"""Mentions: users, roles and the room that a message names in its `mentions`.

Who is mentioned is decided when the message is sent, and again when it is edited. The store counts mentions with what is unread.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import msgspec

from ..access.actions import action
from ..access.decide import first_refusal
from ..access.needs import PINNING
from ..access.standing import standing_of
from ..access.visibility import seen_by
from ..errors import ChatError, Unavailable
from ..models import PUBLIC, Appended, Draft, Known, Room, Sender, User
from ..observe.ids import ids
from ..stores.members import MEMBER
from ..stores.unread import GROUP, PREFS
from ..support.clock import now
from ..support.user_ids import MAX_USER_ID, is_text
from ..wire.encode import live_event
from ..wire.events import Mentioned
from .blocks import blocking
from .context import Ctx
from .core import Core
from .drafts import check_mentions
from .table import also_action, also_feature
from .unread import preferences

__all__ = [
    "NOBODY",
    "Mentions",
    "mentioned",
    "names_in",
    "of_app",
    "resolved",
    "tell",
    "tell_later",
    "tell_of",
]

logger = logging.getLogger("sanic_chatrooms.verbs.mentions")

SHOWN = 140
"""Characters of the message in the event `mention`."""

MENTION_ROOM = also_action("mention.room", PINNING)
also_feature("mentions")


class Mentions(NamedTuple):
    """Whom a message mentions."""

    names: tuple[str, ...]
    """What the store keeps: ids of members, "@room", and "@" and a role."""
    told: tuple[str, ...]
    """Ids of the users who are told at once: those who may read the message."""


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


async def mentioned(
    ctx: Ctx, room: Room, sender: Sender | None, names: Sequence[str] | None, *, seq: int | None = None
) -> Mentions:
    """Whom these names mention in the room, in a message of this sender that the actor writes, or that has the number `seq` already."""
    if not names:
        return NOBODY
    groups = any(name.startswith(GROUP) for name in names) and await _may_mention_groups(ctx)
    return await resolved(ctx.core, room, sender, names, groups=groups, seq=seq)


async def _may_mention_groups(ctx: Ctx) -> bool:
    try:
        await ctx.require(MENTION_ROOM)
    except ChatError as problem:
        if problem.temporary:
            raise
        return False
    return True


async def resolved(
    core: Core,
    room: Room,
    sender: Sender | None,
    names: Sequence[str],
    *,
    groups: bool = True,
    seq: int | None = None,
) -> Mentions:
    """Whom these names mention in the room. Who is not there, or blocked the sender, is passed over; so are `groups` if they may not
    be mentioned, and the sender. `seq`: the number of the message; None: it is about to get one."""
    wanted = dict.fromkeys(name for name in names if 0 < len(name) <= MAX_USER_ID and is_text(name))
    ids = [name for name in wanted if name[0] != GROUP and (sender is None or name != sender.id)]
    about = await core.store.about_each(room.id, ids) if ids else {}
    if sender is not None and ids:
        for id in await blocking(core, ids, sender.id):
            del about[id]
    members = [id for id, facts in about.items() if MEMBER in facts]
    there = [id for id in members if not _is_silent(about[id].get(PREFS))]
    there += await _present(core, room, [id for id in about if id not in members])
    told = [id for id in there if _may_read(core, room, id, about[id], seq)]
    kept = members + [name for name in wanted if name[0] == GROUP and groups]
    return Mentions(tuple(kept), tuple(told))


def _is_silent(prefs: Known | None) -> bool:
    return preferences(None if prefs is None else prefs.value).notify == "none"


def _may_read(core: Core, room: Room, id: str, facts: Mapping[str, Known], seq: int | None) -> bool:
    """Whether the user may read the message and ask what is unread, by what the room and their standing say. The policy is not asked:
    it may need more of a user than their id."""
    user, standing = User(id, id), standing_of(room, facts, core.access.levels)
    asked = action("unread"), action("history")
    if any(first_refusal(one, user, None, room, standing, now()) is not None for one in asked):
        return False
    return seq is None or seq in seen_by(room, standing)


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
        core.inbox.push(core.inbox.notify(user, event, None, room=room))


async def tell_later(core: Core, draft: Draft, stored: Appended) -> None:
    """Tell users that they are mentioned in an event that was stored without them being told."""
    text, names = names_in(draft.payload) if draft.type == "message" else ("", ())
    if not names:
        return
    try:
        room, _ = await core.access.find(None, draft.room)
        mentions = await resolved(core, room, draft.sender, names, seq=stored.seq)
    except ChatError as problem:  # the room was deleted, or the store is away: a live event may be lost
        logger.warning(
            "nobody is told that message %s mentions them: %s",
            stored.msg_id,
            problem,
            extra=ids(msg_id=stored.msg_id, code=problem.code),
        )
    else:
        tell_of(core, draft.room, mentions.told, stored.msg_id, stored.seq, draft.sender, text)
