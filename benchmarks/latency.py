"""How long a message takes in a quiet room of two: one of them says something 200 times a second, no more."""

from collections.abc import Callable
from statistics import median

import msgspec

from .load import load
from .peers import NAIVE, OURS, Peer

__all__ = ["Latency", "latency"]

PACE_US = 5_000


class Latency(msgspec.Struct):
    """Milliseconds from sending to delivery: median of the runs, and of the runs' ratios run by run."""

    p50_ms: float
    p99_ms: float
    naive_p50_ms: float
    naive_p99_ms: float
    p99_ratio: float
    runs: int


def latency(say: Callable[[str], None], *, runs: int = 5, seconds: float = 3.0) -> Latency:
    """Both servers in turn."""
    ours: list[tuple[float, float]] = []
    naive: list[tuple[float, float]] = []
    for turn in range(runs):
        for peer, results in ((OURS, ours), (NAIVE, naive)):
            results.append(_quiet(peer, seconds))
            p50, p99 = results[-1]
            say(
                f"round {turn + 1}/{runs}  quiet room of two         {peer.name:25} p50 {p50:.2f} ms, p99 {p99:.2f} ms"
            )
    return Latency(
        p50_ms=median(p50 for p50, _ in ours),
        p99_ms=median(p99 for _, p99 in ours),
        naive_p50_ms=median(p50 for p50, _ in naive),
        naive_p99_ms=median(p99 for _, p99 in naive),
        p99_ratio=median(mine / its for (_, mine), (_, its) in zip(ours, naive, strict=True)),
        runs=runs,
    )


def _quiet(peer: Peer, seconds: float) -> tuple[float, float]:
    with peer.start() as server:
        run = load(
            server, peer.dialect, connections=2, senders=1, pace=PACE_US, seconds=seconds, pad=peer.pad
        )
    return run.p50_us / 1000, run.p99_us / 1000
