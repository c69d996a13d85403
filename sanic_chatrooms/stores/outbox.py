"""The contract of an outbox: what some stores can do beside, for events that belong to a transaction of the app."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from ..errors import ChatError
from ..models import Appended, Draft

__all__ = ["Outbox"]


class Outbox(ABC):
    """Takes drafts within a transaction of the app, and numbers them after its commit.

    1. A draft that was put is stored exactly when the app's transaction commits; rolled back, or the process killed
       before the commit, leaves nothing.
    2. After the commit any process can number it, also when the one that committed is gone.
    3. What was put in one transaction is numbered in that order; what one transaction has committed before another
       began, before what that one put. Only what is `Stale` comes later.
    4. Numbering holds to every sentence of `Store`: a key that was used before is a repetition, and a draft does what it
       is about and the facts that it has.
    5. The app's transaction holds no lock that an append waits for. (SQLite: one transaction writes at a time, so
       appends wait for the app's all the same.)
    6. What is `Stale` waits until `judge` or `drop`, and does not keep other drafts from being numbered.
    """

    @abstractmethod
    async def put(self, within: object, draft: Draft, committed: Callable[[], None]) -> None:
        """Write a draft in the app's open transaction. `committed` is called about when it commits, maybe a moment early.

        `within`: what the driver calls a transaction. Raises `InvalidField` where it is none, or one of another
        database; and what the driver raises.
        """

    @abstractmethod
    async def number(self, limit: int) -> list[tuple[Draft, Appended | ChatError]]:
        """Store and number drafts whose transactions are committed, oldest first; what became of each.

        At most `limit`; none means that nothing waits. A draft is in one result of one process. What cannot be stored
        (`RoomNotFound`, `Conflict`) is dropped; what is `Stale` stays, and is a result of each process that asks. Raises
        `Unavailable`: then it is not known whether drafts were stored that are in no result. Where the database can tell that later,
        they are in the next one.
        """

    @abstractmethod
    async def judge(self, draft: Draft) -> None:
        """Keep this in the place of the `Stale` draft with its `msg_id`: it was judged again."""

    @abstractmethod
    async def drop(self, msg_id: str) -> None:
        """Forget the `Stale` draft with this `msg_id`: its sender may not say it any more."""
