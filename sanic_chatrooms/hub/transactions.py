"""Events that an app writes in its own database transaction. They are numbered after the commit.

Every worker numbers committed events about once a second, and the worker that committed does it at once. So an event is
delivered even if that worker dies right after the commit.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ..errors import ChatError, InvalidField, Unavailable
from ..models import Appended, Draft
from ..observe.ids import ids
from ..observe.instruments import DROPPED_COMMITS
from ..observe.meter import SILENT, Meter
from ..stores.base import Stale, Store
from ..stores.outbox import Outbox
from ..support.backoff import jittered
from ..support.tasks import keep_on
from .journal import Journal

__all__ = ["Transactions"]

logger = logging.getLogger("sanic_chatrooms.hub.transactions")

INTERVAL = 1.0
AFTER_COMMIT = (0.0, 0.005, 0.02, 0.1)
"""Seconds between checks after a commit is announced: the announcement comes just before the commit."""
AT_ONCE = 500
"""Drafts that are numbered in one transaction."""


class Transactions:
    """`put` writes in the app's transaction; `run` numbers what any worker has put."""

    def __init__(
        self,
        store: Store,
        journal: Journal,
        doubt: Callable[[], None],
        judge: Callable[[Draft], Awaitable[Draft]],
        tell: Callable[[Draft, Appended], Awaitable[None]],
        *,
        interval: float = INTERVAL,
        meter: Meter = SILENT,
    ) -> None:
        """`judge` returns a draft as it is judged now, or raises why its sender may not say it any more. `tell` tells users of an
        event that is stored and delivered now."""
        self._store = store
        self._outbox = store if isinstance(store, Outbox) else None
        self._journal = journal
        self._doubt = doubt
        self._judge = judge
        self._tell_users = tell
        self._meter = meter
        self._interval = interval
        self._committed = asyncio.Event()

    async def put(self, within: object, draft: Draft) -> None:
        """Write a draft in the app's transaction. Raises `InvalidField` if that is not one in the store's database."""
        if self._outbox is None:
            raise InvalidField(
                f"{type(self._store).__name__} has no part in transactions of yours; "
                'SQLStore("postgresql://…") and SQLStore("sqlite:///…") have',
                field="within",
            )
        await self._outbox.put(within, draft, self._committed.set)

    async def run(self) -> None:
        """Number committed drafts, until cancelled."""
        if self._outbox is None:
            return
        outbox = self._outbox
        await keep_on(lambda: self._look_in_time(outbox), "numbering what apps committed")

    async def _look_in_time(self, outbox: Outbox) -> None:
        try:
            async with asyncio.timeout(jittered(self._interval, 0.8, 1.0)):
                await self._committed.wait()
        except TimeoutError:
            await self._look(outbox)
        else:
            self._committed.clear()
            await self._look_until_found(outbox)

    async def _look_until_found(self, outbox: Outbox) -> None:
        for pause in AFTER_COMMIT:
            await asyncio.sleep(pause)
            if await self._look(outbox):
                return

    async def _look(self, outbox: Outbox) -> bool:
        """Number all committed drafts. Returns whether there was one."""
        found = False
        try:
            while numbered := await outbox.number(AT_ONCE):
                found = True
                await self._tell_all(numbered)
                for draft, result in numbered:
                    if isinstance(result, Stale):
                        await self._judge_again(outbox, draft)
        except Unavailable:
            self._doubt()  # an event may be stored that was not delivered here
            await asyncio.sleep(self._interval)
        except Exception:
            self._doubt()
            raise
        return found

    async def _tell_all(self, numbered: list[tuple[Draft, Appended | ChatError]]) -> None:
        # Before anybody is judged again, which may fail: nobody else will tell of what is stored.
        for draft, result in numbered:
            if not isinstance(result, Stale):
                self._tell(draft, result)
        for draft, result in numbered:
            if isinstance(result, Appended) and not result.duplicate:
                await self._tell_users(draft, result)

    async def _judge_again(self, outbox: Outbox, draft: Draft) -> None:
        """Somebody lost rights in the room after the app's call: perhaps the sender."""
        try:
            judged = await self._judge(draft)
        except Unavailable:
            raise
        except ChatError as refusal:
            await outbox.drop(draft.msg_id)
            self._tell(draft, refusal)
        else:
            await outbox.judge(judged)

    def _tell(self, draft: Draft, result: Appended | ChatError) -> None:
        if not isinstance(result, Appended):
            self._meter.add(DROPPED_COMMITS, 1, result.code)
            logger.warning(
                "what an app committed for room %s was dropped: %s",
                draft.room,
                result,
                extra=ids(room=draft.room, msg_id=draft.msg_id, code=result.code),
            )
        elif not result.duplicate:
            self._journal.tell(draft, result)
