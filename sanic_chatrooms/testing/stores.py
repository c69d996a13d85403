"""Tests of the contract `sanic_chatrooms.stores.base.Store`, to run on your store.

    import pytest
    pytest.register_assert_rewrite("sanic_chatrooms.testing")  # so that a failing assert shows its values

    from sanic_chatrooms.testing.stores import StoreSuite
    from mystore import MyStore

    class TestMyStore(StoreSuite):
        async def make(self) -> MyStore:
            return MyStore("mystore://localhost")

With pytest-asyncio in its auto mode, you need nothing else. The suite itself needs no test runner: its tests are coroutine
functions with plain asserts, and any runner that can await methods named `test_…` can run them. Every test makes its own
stores and starts them under a new name, so that tests can share a server and run side by side.
The number in a test's name is that of the sentence in the contract. If your store takes a clock, override `now` and
`pass_time`, so that the tests of retention do not really wait, and `make_unclocked`, so that its own clock is tested.
"""

from ._store.against_memory import AgainstMemoryTests
from ._store.buckets import BucketTests
from ._store.deletions import DeletionTests
from ._store.edits import EditTests
from ._store.erasing import ErasingTests
from ._store.fact_lists import FactListTests
from ._store.facts import FactTests
from ._store.idempotency import IdempotencyTests
from ._store.numbering import NumberingTests
from ._store.pace import PaceTests
from ._store.past import OneEventTests, PastTests
from ._store.properties import PropertyTests
from ._store.related import RelatedTests
from ._store.replies import ReplyTests
from ._store.rights import RightsTests
from ._store.room_lists import RoomListTests
from ._store.rooms import RoomTests
from ._store.separation import SeparationTests
from ._store.streams import StreamTests
from ._store.toggles import ToggleTests
from ._store.unread import UnreadTests

__all__ = ["StoreSuite"]


class StoreSuite(
    NumberingTests,
    IdempotencyTests,
    PastTests,
    OneEventTests,
    EditTests,
    DeletionTests,
    ToggleTests,
    ReplyTests,
    RelatedTests,
    FactTests,
    FactListTests,
    RightsTests,
    RoomTests,
    RoomListTests,
    PropertyTests,
    PaceTests,
    UnreadTests,
    BucketTests,
    StreamTests,
    ErasingTests,
    SeparationTests,
    AgainstMemoryTests,
):
    """Tests of the contract of a store. Derive a test class from it and implement `make`."""
