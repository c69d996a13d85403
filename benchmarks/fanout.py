"""Deliveries a second: the three scenarios in which chat servers differ most."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from statistics import median

import msgspec

from .load import Measured, load
from .peers import PEERS, Peer
from .server import Running
from .tools import Missing

__all__ = ["SCENARIOS", "Fanout", "Outcome", "Scenario", "fanout"]


class Scenario(msgspec.Struct, frozen=True):
    """`senders` of the `members` of one room talk; each waits for its own message to come back."""

    name: str
    members: int
    senders: int


SCENARIOS = (
    Scenario("1 sender → 1,000", 1_000, 1),
    Scenario("50 senders → 1,000", 1_000, 50),
    Scenario("100 members, all sending", 100, 100),
)


class Outcome(msgspec.Struct):
    """One server in one scenario, median over the rounds; or why there is nothing."""

    peer: str
    scenario: str
    rate: float = 0.0
    """Deliveries a second."""
    per_cpu_second: float = 0.0
    """Deliveries per second of the server's processor time."""
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    rounds: list[float] = []
    """`per_cpu_second` of each round."""
    missing: str = ""


class Fanout(msgspec.Struct):
    """What came out, in the order of the peers."""

    outcomes: list[Outcome]

    def of(self, peer: str, scenario: str) -> Outcome:
        """This server in this scenario."""
        return next(o for o in self.outcomes if (o.peer, o.scenario) == (peer, scenario))


_Runs = dict[tuple[str, str], list[Measured]]


def fanout(
    say: Callable[[str], None],
    *,
    rounds: int,
    seconds: float,
    warmup: float = 1.0,
    peers: Sequence[Peer] = PEERS,
    scenarios: Sequence[Scenario] = SCENARIOS,
) -> Fanout:
    """All peers one after the other, and that `rounds` times: what disturbs the machine disturbs all alike."""
    runs: _Runs = defaultdict(list)
    missing: dict[str, str] = {}
    for turn in range(rounds):
        for peer in peers:
            if peer.name in missing:
                continue
            try:
                with peer.start() as server:
                    for scenario in scenarios:
                        measured = _run(server, peer, scenario, seconds, warmup)
                        runs[peer.name, scenario.name].append(measured)
                        say(
                            f"round {turn + 1}/{rounds}  {scenario.name:25} {peer.name:25} {measured.rate:12,.0f}/s"
                        )
            except (Missing, RuntimeError, TimeoutError) as problem:
                missing[peer.name] = str(problem)
                say(f"{peer.name}: left out: {problem}")
    return Fanout([_outcome(p.name, s.name, runs, missing) for p in peers for s in scenarios])


def _run(server: Running, peer: Peer, scenario: Scenario, seconds: float, warmup: float) -> Measured:
    return load(
        server,
        peer.dialect,
        connections=scenario.members,
        senders=scenario.senders,
        seconds=seconds,
        warmup=warmup,
        pad=peer.pad,
    )


def _outcome(peer: str, scenario: str, runs: _Runs, missing: dict[str, str]) -> Outcome:
    measured = runs.get((peer, scenario))
    if not measured:
        return Outcome(peer, scenario, missing=missing.get(peer, "not run"))
    return Outcome(
        peer,
        scenario,
        rate=median(m.rate for m in measured),
        per_cpu_second=median(m.per_cpu_second for m in measured),
        p50_ms=median(m.p50_us for m in measured) / 1000,
        p99_ms=median(m.p99_us for m in measured) / 1000,
        rounds=[round(m.per_cpu_second) for m in measured],
    )
