from sanic_chatrooms import Broker
from sanic_chatrooms.testing import BrokerSuite

from tiny_broker import TinyBroker, Wire


class TestTinyBroker(BrokerSuite):
    def setup_method(self) -> None:
        self.wire = Wire()

    async def make(self) -> tuple[Broker, Broker]:
        return TinyBroker(self.wire), TinyBroker(self.wire)
