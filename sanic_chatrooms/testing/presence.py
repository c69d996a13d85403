"""Tests of the contract `sanic_chatrooms.presence.base.Presence`, to run on your presence.

    import pytest
    pytest.register_assert_rewrite("sanic_chatrooms.testing")  # so that a failing assert shows its values

    from sanic_chatrooms.testing.presence import PresenceSuite
    from mypresence import MyPresence

    class TestMyPresence(PresenceSuite):
        async def make(self) -> tuple[MyPresence, MyPresence]:
            return MyPresence("my://localhost"), MyPresence("my://localhost")

With pytest-asyncio in its auto mode, you need nothing else. The suite itself needs no test runner. The number in a test's
name is that of the sentence in the contract. If your presence takes a clock, override `now` and `pass_time`, so that the
tests of expiry do not really wait, and `make_unclocked`, so that its own clock is tested.
"""

from ._presence.ends import EndTests
from ._presence.entries import EntryTests
from ._presence.lists import ListTests

__all__ = ["PresenceSuite"]


class PresenceSuite(EntryTests, ListTests, EndTests):
    """Tests of the contract of a presence. Derive a test class from it and implement `make`."""
