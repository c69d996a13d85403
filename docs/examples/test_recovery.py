from sanic_chatrooms import MemoryStore, Store
from sanic_chatrooms.testing import RecoverySuite


class TestRecovery(RecoverySuite):
    async def make(self) -> Store:
        return MemoryStore()
