"""What this package is tested with, for those who write backends and hosts: suites, faults, a clock.

`StoreSuite`, `BrokerSuite` and `PresenceSuite` hold a backend to its contract; `FaultyStore` and `FaultyBroker` make
one fail on demand. No test runner is needed to import any of it.
"""

from .brokers import BrokerSuite
from .clock import Clock
from .faults import FaultyBroker, FaultyStore
from .presence import PresenceSuite
from .recorder import Recorder
from .stores import StoreSuite

__all__ = [
    "BrokerSuite",
    "Clock",
    "FaultyBroker",
    "FaultyStore",
    "PresenceSuite",
    "Recorder",
    "StoreSuite",
]
