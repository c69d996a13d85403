"""Revoked tokens, and users who are banned from the server.

Both are facts in the room that every worker holds, set by events there. So every worker hears of them in order, and closes
the connections that they concern (`registry`). A token that is shown is compared with the facts in the store.
"""

import logging
import math
import random
import time
from collections.abc import Callable
from hashlib import blake2b

import msgspec

from ..access.standing import Restriction
from ..errors import Banned, ChatError, RoomNotFound, Unauthenticated, Unavailable
from ..hub.hub import Hub
from ..hub.journal import Journal
from ..models import EVERYONE, Appended, Draft, Fact, Known, User
from ..stores.base import Stale, Store
from ..support.clock import now
from ..support.ids import new_id
from ..support.paging import PAGE_LIMIT
from ..wire.codes import CloseCode
from ..wire.encode import encode
from .inbox import Forgotten, InboxMessage, Refuse

__all__ = ["BannedFromServer", "Revocations", "Revoked", "concerns"]

logger = logging.getLogger("sanic_chatrooms.sessions.revocations")

BAN, REVOKED = "ban", "revoked"
"""The kinds of facts. A ban is a `Restriction`, a revocation the time in milliseconds until which it revokes."""
SWEEP_EVERY = 3600.0
"""Most seconds between two removals of facts that have passed, by each worker."""
LONGEST_KEY = 128
"""Characters of an id that are kept in a fact's key. Of longer ones the hash is."""


class Revoked(Unauthenticated):
    """The token was revoked."""

    default = "this token was revoked; sign in again"


class BannedFromServer(Banned):
    """The user is banned from the whole server."""

    close_code = CloseCode.BANNED
    default = "you are banned from this chat"


class _Proof:
    """A user whose token is being compared with the store."""

    __slots__ = ("problem", "user")

    def __init__(self, user: User) -> None:
        self.user = user
        self.problem: ChatError | None = None
        """What was heard meanwhile."""


class Revocations:
    """Revokes and bans, and refuses the tokens of those concerned. `ttl`: seconds for which a revocation is kept."""

    def __init__(
        self,
        store: Store,
        journal: Journal,
        hub: Hub,
        ttl: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._journal = journal
        self._hub = hub
        self._ttl = ttl
        self._clock = clock
        self._proofs: set[_Proof] = set()
        self._due = clock() + random.uniform(0, SWEEP_EVERY)  # noqa: S311 - workers take turns
        self.heard = 0
        """How often this worker has heard of a revocation or a ban."""

    # ---- to revoke ----

    async def revoke(self, user: str | None, jti: str | None, sid: str | None, until: float) -> None:
        """Revoke the tokens of a user that were issued until this time (Unix seconds), the token `jti`, and the tokens of the
        sign-in `sid`. What is None is left alone.

        When it returns, no worker lets such a token in, and this worker has closed their connections. Raises `Unavailable`.
        """
        millis = math.ceil(until * 1000)
        facts = tuple(Fact(REVOKED, key, b"%d" % millis, "max") for key in _keys(user, jti, sid))
        await self._append(Refuse(user, jti, sid, millis / 1000), facts)

    async def ban(self, user: str, until: float | None, reason: str) -> bool:
        """Ban a user from the server; True if that changed anything. Raises `Unavailable`.

        When it returns, no worker lets the user in, and this worker has closed their connections.
        """
        ban = Restriction(until, reason)
        fact = Fact(BAN, _key("user", user), encode(ban))
        return not (await self._append(Refuse(user, ban=ban), (fact,))).unchanged

    async def unban(self, user: str) -> bool:
        """End a ban from the server; True if there was one. Raises `Unavailable`."""
        return not (await self._append(Forgotten(), (Fact(BAN, _key("user", user), None),))).unchanged

    async def _append(self, message: InboxMessage, facts: tuple[Fact, ...]) -> Appended:
        try:
            stored = await self._journal.append(_draft(message, facts, restricts=isinstance(message, Refuse)))
        except RoomNotFound:
            raise Unavailable from None  # the store has just lost everything; it is made again in a moment
        await self._hub.reach(EVERYONE, stored.seq)
        return stored

    # ---- to refuse ----

    async def check(self, user: User) -> None:
        """Raise `Revoked` or `BannedFromServer` for a token that may not be used, `Unavailable` if the store does not answer.

        The caller gives the user to their session at once when it returns. So nothing slips between: what is stored before
        the store is asked is found there, what this worker hears meanwhile is found here, and what it hears later closes the
        session.
        """
        proof = _Proof(user)
        self._proofs.add(proof)
        try:
            problem = await self._look(user)
        finally:
            self._proofs.discard(proof)
        if (problem := problem or proof.problem) is not None:
            raise problem

    async def check_ban(self, user: User) -> None:
        """Raise `BannedFromServer` for a user who acts without a token."""
        known = await self._store.fact(EVERYONE, BAN, _key("user", user.id))
        if known is not None and (problem := _banned(known)) is not None:
            raise problem

    async def _look(self, user: User) -> ChatError | None:
        keys = _keys(user.id, user.jti, user.sid)
        found = await self._store.about_each(EVERYONE, keys)
        if not any(found.values()):  # as nearly always
            return None
        about, *ids = map(found.__getitem__, keys)
        if (known := about.get(BAN)) is not None and (problem := _banned(known)) is not None:
            return problem
        mine = about.get(REVOKED)
        revoked = [facts[REVOKED] for facts in ids if REVOKED in facts]
        if mine is not None and _is_older(user, _until(mine)):
            revoked.append(mine)
        return Revoked() if any(map(self._holds, revoked)) else None

    def _holds(self, known: Known) -> bool:
        return now() < _until(known) + self._ttl

    def hear(self, message: Refuse) -> None:
        """This worker hears of a revocation or a ban."""
        self.heard += 1
        for proof in self._proofs:
            if concerns(message, proof.user):
                proof.problem = refusal(message)

    def missed(self) -> None:
        """This worker has missed some."""
        self.heard += 1
        for proof in self._proofs:
            proof.problem = proof.problem or Unavailable("your token could not be checked; try again")

    # ---- to forget ----

    async def sweep(self) -> None:
        """Call this every second: about once an hour it forgets what has passed. Raises `Unavailable`."""
        if self._clock() < self._due:
            return
        self._due = self._clock() + random.uniform(SWEEP_EVERY / 2, SWEEP_EVERY)  # noqa: S311
        for kind in (BAN, REVOKED):
            await self._forget_passed(kind)

    async def _forget_passed(self, kind: str) -> None:
        cursor = None
        while True:
            head = await self._store.room(EVERYONE)
            if head is None:
                return
            page = await self._store.facts(EVERYONE, kind, cursor=cursor, limit=PAGE_LIMIT)
            passed = tuple(Fact(kind, known.key, None) for known in page.facts if self._has_passed(known))
            try:
                if passed:
                    # Not after a revocation or a ban that this page does not show.
                    await self._journal.append(_draft(Forgotten(), passed, judged=head.seq))
            except Stale:
                continue
            if (cursor := page.cursor) is None:
                return

    def _has_passed(self, known: Known) -> bool:
        return _banned(known) is None if known.kind == BAN else not self._holds(known)


def concerns(message: Refuse, user: User) -> bool:
    """Whether a revocation or a ban is about this user's token."""
    if message.ban is not None:
        return message.user == user.id and message.ban.holds(now())
    if message.user == user.id and _is_older(user, message.until):
        return True
    return (message.jti is not None and message.jti == user.jti) or (
        message.sid is not None and message.sid == user.sid
    )


def refusal(message: Refuse) -> ChatError:
    """The error for those whom it concerns."""
    return Revoked() if message.ban is None else BannedFromServer(**message.ban.told())


def _is_older(user: User, until: float) -> bool:
    # Times in tokens are whole seconds, mostly. So what was issued later in the same second counts as issued before, too.
    return user.issued_at is None or user.issued_at <= until


def _until(known: Known) -> float:
    return int(known.value) / 1000


_restriction = msgspec.json.Decoder(Restriction)


def _banned(known: Known) -> ChatError | None:
    ban = _restriction.decode(known.value)
    return BannedFromServer(**ban.told()) if ban.holds(now()) else None


def _key(of: str, id: str) -> str:
    if len(id) <= LONGEST_KEY:
        return f"{of}:{id}"
    return f"{of}#{blake2b(id.encode(), digest_size=24).hexdigest()}"


def _keys(user: str | None, jti: str | None, sid: str | None) -> list[str]:
    named = (("user", user), ("jti", jti), ("sid", sid))
    return [_key(of, id) for of, id in named if id is not None]


def _draft(
    message: InboxMessage, facts: tuple[Fact, ...], *, restricts: bool = False, judged: int | None = None
) -> Draft:
    msg_id = new_id()
    return Draft(
        room=EVERYONE,
        type="inbox",
        payload=encode(message),
        msg_id=msg_id,
        timestamp=now(),
        key=("", msg_id),
        facts=facts,
        judged=judged,
        restricts=restricts,
        only_if_changed=True,
    )
