"""Does a presence keep its contract? The tests of `sanic_chatrooms.presence.base.Presence`, to be run on yours.

    import pytest
    pytest.register_assert_rewrite("sanic_chatrooms.testing")  # so that a failing assert shows its values

    from sanic_chatrooms.testing.presence import PresenceSuite
    from mypresence import MyPresence

    class TestMyPresence(PresenceSuite):
        async def make(self) -> tuple[MyPresence, MyPresence]:
            return MyPresence("my://localhost"), MyPresence("my://localhost")

That is all, with pytest-asyncio in its auto mode; the suite itself needs no test runner. The number in a test's name
is that of the sentence in the contract. A presence that takes a clock should override `now` and `pass_time`, or the
tests of expiry really wait; and `make_unclocked`, so that its own clock is tested.
"""

from ._presence.ends import EndTests
from ._presence.entries import EntryTests
from ._presence.lists import ListTests

__all__ = ["PresenceSuite"]


class PresenceSuite(EntryTests, ListTests, EndTests):
    """Subclass it and override `make`."""
