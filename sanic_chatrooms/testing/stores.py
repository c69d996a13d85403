"""Does a store keep its contract? The tests of `sanic_chatrooms.stores.base.Store`, to be run on yours.

    import pytest
    pytest.register_assert_rewrite("sanic_chatrooms.testing")  # so that a failing assert shows its values

    from sanic_chatrooms.testing.stores import StoreSuite
    from mystore import MyStore

    class TestMyStore(StoreSuite):
        async def make(self) -> MyStore:
            return MyStore("mystore://localhost")

That is all, with pytest-asyncio in its auto mode. The suite itself needs no test runner: its tests are coroutine
functions with plain asserts, and any runner that can await methods named `test_…` will do. Every test makes stores of
its own and starts them under a name nobody used before, so that tests may share a server and run side by side.
The number in a test's name is that of the sentence in the contract. A store that takes a clock should override `now`
and `pass_time`, or the tests of retention really wait; and `make_unclocked`, so that the store's own clock is tested.
"""

from ._store.append import ChangeTests, IdempotencyTests, NumberingTests
from ._store.edits import EditTests, RelatedEditTests
from ._store.facts import FactTests, RightsTests
from ._store.past import PastTests
from ._store.relations import CollectTests, RelatedTests, ToggleTests
from ._store.rooms import MemberTests, RoomTests, SeparationTests

__all__ = ["EffectSuite", "StoreSuite"]


class StoreSuite(
    NumberingTests,
    IdempotencyTests,
    ChangeTests,
    EditTests,
    PastTests,
    RoomTests,
    MemberTests,
    SeparationTests,
):
    """Subclass it and override `make`."""


class EffectSuite(RelatedEditTests, ToggleTests, CollectTests, RelatedTests, FactTests, RightsTests):
    """Relations, facts and rights (sentences 20 to 39): for a store that has them."""
