"""What this package is tested with, for those who write backends and apps: suites, faults, a clock, a chat in memory.

`StoreSuite`, `BrokerSuite` and `PresenceSuite` hold a backend to its contract, `PolicySuite` and `AuthenticatorSuite` what an
app decides itself, `RecoverySuite` a store to whole recoveries, and `SearchSuite` one that finds messages by their words. `FaultyStore` and `FaultyBroker` make one fail on demand, `FaultProxy` any connection. `Checker` proves that
nothing was lost, doubled or reordered. `running_chat` and `chat_client` run an app's chat without sockets. No test runner
is needed to import any of it.
"""

from .authenticators import AuthenticatorSuite
from .brokers import BrokerSuite
from .checker import Checker, Witness
from .clock import Clock
from .connections import ConnectionClosed, MemoryClient, MemoryConnection, chat_client, running_chat
from .faults import FaultyBroker, FaultyStore
from .meter import RecordingMeter
from .policies import PolicySuite
from .presence import PresenceSuite
from .proxy import FaultProxy
from .recorder import Recorder
from .recovery import RecoverySuite
from .search import SearchSuite
from .stores import StoreSuite

__all__ = [
    "AuthenticatorSuite",
    "BrokerSuite",
    "Checker",
    "Clock",
    "ConnectionClosed",
    "FaultProxy",
    "FaultyBroker",
    "FaultyStore",
    "MemoryClient",
    "MemoryConnection",
    "PolicySuite",
    "PresenceSuite",
    "Recorder",
    "RecordingMeter",
    "RecoverySuite",
    "SearchSuite",
    "StoreSuite",
    "Witness",
    "chat_client",
    "running_chat",
]
