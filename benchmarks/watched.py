"""python -m benchmarks.watched: what do metrics and traces cost? Chats without and with them take turns, in one process.

Messages go through the whole core: the frame of a sender, its checks, the journal, the store in memory, the fan-out. Connections take
what is written to them and do nothing with it. With sockets, everything costs more, so that what metrics add is less of it.
Of the traces none is sampled. The exit status is 1 where metrics add more than 3 %. Two minutes.
"""

import argparse
import asyncio
import contextlib
import sys
import time
from statistics import quantiles

import msgspec
import uvloop

from sanic_chatrooms.models import User
from sanic_chatrooms.observe.counting import CountingMeter
from sanic_chatrooms.observe.meter import SILENT, Meter
from sanic_chatrooms.testing.connections import MemoryClient, MemoryConnection, chat_client, running_core

from .fanout import SCENARIOS, Scenario

__all__ = ["MOST", "Cost", "measure"]

MOST = 0.03
"""What metrics may add, as a part of what a message costs."""
BODY = {"text": "x" * 140}


class Cost(msgspec.Struct):
    """Microseconds of processor time for a message with all its deliveries, turn by turn, by what is on."""

    turns: dict[str, list[float]]

    def of(self, kind: str) -> float:
        """What else the machine does only adds to a time, so this is the lower quartile."""
        return quantiles(self.turns[kind])[0]

    def added(self, kind: str) -> float:
        """What this adds, as a part of what a message costs without."""
        return self.of(kind) / self.of("off") - 1


class _Sink(MemoryConnection):
    """Counts what comes."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def write(self, data: bytes) -> None:
        self.bytes += len(data)


class _Hall:
    """A room in a chat of its own."""

    def __init__(self, scenario: Scenario, meter: Meter, *, tracing: bool) -> None:
        self._scenario = scenario
        self._meter = meter
        self._tracing = tracing
        self._number = 0

    async def fill(self, stack: contextlib.AsyncExitStack) -> None:
        self._chat = await stack.enter_async_context(
            running_core(guests=True, meter=self._meter, tracing=self._tracing)
        )
        self._senders: list[MemoryClient] = []
        for number in range(self._scenario.members):
            client = await chat_client(self._chat, User(f"u{number}", f"User {number}"))
            await client.ack("join", room="general", payload={"history": 0})
            # Nothing is decoded from here on, as in a client elsewhere.
            client.connection.__class__ = _Sink
            client.connection.bytes = 0  # type: ignore[attr-defined]
            self._senders.append(client)
        del self._senders[self._scenario.senders :]

    async def talk(self, messages: int) -> float:
        """Microseconds for each message."""
        began = time.process_time()
        for _ in range(messages):
            for sender in self._senders:
                self._number += 1
                sender.send("message", room="general", payload=BODY, msg_id=f"message-{self._number:08}")
            before = self._chat.hub.fanout.deliveries
            while self._chat.hub.fanout.deliveries < before + len(self._senders) * self._scenario.members:  # noqa: ASYNC110 - a turn of the loop is all there is
                await asyncio.sleep(0)
        return (time.process_time() - began) * 1e6 / messages / len(self._senders)


async def _measured(scenario: Scenario, turns: int) -> Cost:
    halls = {
        "off": _Hall(scenario, SILENT, tracing=False),
        "metrics": _Hall(scenario, CountingMeter(), tracing=False),
        "traces": _Hall(scenario, SILENT, tracing=True),
    }
    kinds, cost = list(halls), Cost({kind: [] for kind in halls})
    async with contextlib.AsyncExitStack() as stack:
        for hall in halls.values():
            await hall.fill(stack)
            await hall.talk(5)
        for turn in range(turns):
            for kind in kinds if turn % 2 else reversed(kinds):
                cost.turns[kind].append(await halls[kind].talk(1 if scenario.senders > 1 else 3))
    return cost


def measure(scenario: Scenario, turns: int) -> Cost:
    """So many turns of each kind."""
    return uvloop.run(_measured(scenario, turns))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.watched", description=__doc__)
    parser.add_argument("--turns", type=int, default=400)
    given = parser.parse_args()
    too_much = False
    for scenario in SCENARIOS:
        cost = measure(scenario, given.turns)
        told = ", ".join(f"{kind} {cost.of(kind):.1f} ({cost.added(kind):+.1%})" for kind in cost.turns)
        print(f"{scenario.name:26} µs a message: {told}", flush=True)
        too_much |= cost.added("metrics") > MOST
    sys.exit(too_much)


if __name__ == "__main__":
    main()
