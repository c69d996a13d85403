from sanic_chatrooms import MemoryStore, Store
from sanic_chatrooms.testing import Clock, StoreSuite

from counted_store import CountedStore


class TestCountedStore(StoreSuite):
    def setup_method(self) -> None:
        self.clock = Clock()

    async def make(self) -> Store:
        return CountedStore(MemoryStore(clock=self.clock))

    async def make_unclocked(self) -> Store:
        return CountedStore(MemoryStore())

    def now(self) -> float:
        return self.clock()

    async def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
