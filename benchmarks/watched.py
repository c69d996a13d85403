"""python -m benchmarks.watched: what do metrics and traces cost? Chats without and with them take turns, in one process.

Messages go through the whole core: the frame of a sender, its checks, the journal, the store in memory, the fan-out. Connections take
what is written to them and do nothing with it. With sockets, everything costs more, so that what metrics add is less of it.
What metrics add is also timed where it is added, in the midst of all that, which other work on the machine blurs less.
Of the traces none is sampled. The exit status is 1 where the time spent in the meter is more than 3 % of a message. Two minutes.
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
from sanic_chatrooms.observe.meter import SILENT, Counter, Histogram, Meter
from sanic_chatrooms.testing.connections import MemoryClient, MemoryConnection, chat_client, running_core

from .fanout import SCENARIOS, Scenario

__all__ = ["MOST", "Cost", "measure"]

MOST = 0.03
"""What metrics may add, as a part of what a message costs."""
BODY = {"text": "x" * 140}


class Cost(msgspec.Struct):
    """Microseconds of processor time for a message with all its deliveries, turn by turn, by what is on."""

    turns: dict[str, list[float]]
    meter: list[float]
    """Of a message with metrics: what it spent in the meter."""

    @property
    def share(self) -> float:
        """The part of a message's cost that is spent in the meter."""
        return quantiles(self.meter)[0] / self.of("off")

    def of(self, kind: str) -> float:
        """What else the machine does only adds to a time, so this is the lower quartile."""
        return quantiles(self.turns[kind])[0]

    def added(self, kind: str) -> float:
        """What this adds, as a part of what a message costs without."""
        return self.of(kind) / self.of("off") - 1


class _Sink(MemoryConnection):
    """Once it is deaf it decodes nothing, as a client elsewhere costs the server nothing: it counts the bytes that come."""

    deaf = False
    heard = 0

    def write(self, data: bytes) -> None:
        if self.deaf:
            self.heard += len(data)
        else:
            super().write(data)


class _TimedMeter(CountingMeter):
    """Notes how long it takes, and what noting takes."""

    def __init__(self) -> None:
        super().__init__()
        self.spent = 0

    def add(self, counter: Counter, amount: float, *labels: str) -> None:
        began = time.perf_counter_ns()
        super().add(counter, amount, *labels)
        self.spent += time.perf_counter_ns() - began

    def observe(self, histogram: Histogram, value: float, *labels: str) -> None:
        began = time.perf_counter_ns()
        super().observe(histogram, value, *labels)
        self.spent += time.perf_counter_ns() - began


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
            client.connection.__class__ = _Sink
            # The session has kept the method itself, and hands it to the room.
            client.session.write = client.connection.write
            await client.ack("join", room="general", payload={"history": 0})
            client.connection.deaf = True  # type: ignore[attr-defined]
            self._senders.append(client)
        del self._senders[self._scenario.senders :]

    async def talk(self, messages: int) -> float:
        """Microseconds for each message."""
        began = time.process_time()
        for _ in range(messages):
            # From here, for in a quiet room all are delivered when `send` returns.
            before = self._chat.hub.fanout.deliveries
            for sender in self._senders:
                self._number += 1
                sender.send("message", room="general", payload=BODY, msg_id=f"message-{self._number:08}")
            while self._chat.hub.fanout.deliveries < before + len(self._senders) * self._scenario.members:  # noqa: ASYNC110 - a turn of the loop is all there is
                await asyncio.sleep(0)
        return (time.process_time() - began) * 1e6 / messages / len(self._senders)


async def _measured(scenario: Scenario, turns: int) -> Cost:
    meter = _TimedMeter()
    halls = {
        "off": _Hall(scenario, SILENT, tracing=False),
        "metrics": _Hall(scenario, meter, tracing=False),
        "traces": _Hall(scenario, SILENT, tracing=True),
    }
    kinds, cost = list(halls), Cost({kind: [] for kind in halls}, [])
    async with contextlib.AsyncExitStack() as stack:
        for hall in halls.values():
            await hall.fill(stack)
            await hall.talk(5)
        for turn in range(turns):
            for kind in kinds if turn % 2 else reversed(kinds):
                before, messages = meter.spent, 1 if scenario.senders > 1 else 3
                cost.turns[kind].append(await halls[kind].talk(messages))
                if kind == "metrics":
                    cost.meter.append((meter.spent - before) / 1000 / messages / scenario.senders)
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
        print(f"{scenario.name:26} µs a message: {told}; in the meter {cost.share:.2%}", flush=True)
        too_much |= cost.share > MOST
    sys.exit(too_much)


if __name__ == "__main__":
    main()
