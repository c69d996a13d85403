"""What was measured, as a page to read, a plot, and JSON to compare with."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from .beside import BESIDE, CASES, Beside
from .capacity import Cost, Idle, Joining
from .fanout import SCENARIOS, Fanout, Outcome
from .latency import Latency
from .peers import NAIVE, OURS, PEERS
from .plot import plot

__all__ = ["Results", "earlier", "machine", "write"]

LIMITS = """\
Each server runs on one core, the generator on another, one server at a time, all of them once per round; the figures are
medians over the rounds. On a machine that others use too, deliveries a second are what was left over, and deliveries per
second of the server's *processor time* are the ones to compare: the ratios are theirs. Frames have about 350 bytes."""


class Machine(msgspec.Struct):
    """Where it was measured, in general terms."""

    cores: int
    cpu: str
    python: str
    versions: dict[str, str]
    load: float
    """The system's load average over a minute when the measuring began."""


class Results(msgspec.Struct):
    """Everything that was measured; what was not is None."""

    machine: Machine
    rounds: int
    seconds: float
    fanout: Fanout | None = None
    beside: Beside | None = None
    latency: Latency | None = None
    joining: list[Joining] | None = None
    rooms: list[Cost] | None = None
    connections: list[Cost] | None = None
    idle: Idle | None = None
    left_out: dict[str, str] = {}
    """Parts that could not be measured, and why."""


def machine() -> Machine:
    """This one."""
    versions = {}
    for package in ("sanic", "uvloop", "msgspec", "websockets"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "none"
    cores = len(os.sched_getaffinity(0))
    return Machine(cores, _cpu(), platform.python_version(), versions, os.getloadavg()[0])


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def earlier(folder: Path, now: Machine) -> Results | None:
    """What an earlier run on the same machine, with the same versions, left there: its parts stay until measured again."""
    try:
        found = msgspec.json.decode((folder / "latest.json").read_bytes(), type=Results)
    except (OSError, msgspec.DecodeError):
        return None
    return found if msgspec.structs.replace(found.machine, load=now.load) == now else None


def write(results: Results, folder: Path) -> list[Path]:
    """`latest.md`, `latest.json` and, with the fan-out, `latest.svg`; -> the files."""
    folder.mkdir(parents=True, exist_ok=True)
    page, data, picture = folder / "latest.md", folder / "latest.json", folder / "latest.svg"
    page.write_text(_page(results))
    data.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
    if results.fanout is None:
        return [page, data]
    picture.write_text(plot(results.fanout))
    return [page, data, picture]


def _page(results: Results) -> str:
    parts = [f"# Measured\n\n{_where(results)}\n\n{LIMITS}\n"]
    if results.fanout is not None:
        parts += ["## Deliveries\n", _fanout(results.fanout), "![The same as a plot](latest.svg)\n"]
    if results.beside is not None:
        parts += ["## Quiet rooms, arrivals, and messages that are kept\n", _beside(results.beside)]
    if results.latency is not None:
        parts += ["## A quiet room of two\n", _latency(results.latency)]
    if results.joining is not None:
        parts += ["## Coming in, and being idle\n", _joining(results.joining)]
    if results.idle is not None:
        parts.append(_idle(results.idle))
    for title, costs in (("rooms", results.rooms), ("connections", results.connections)):
        if costs is not None:
            parts += [f"## Cost against the number of {title}\n", _costs(title, costs)]
    parts += [f"Left out: {part}: {why}\n" for part, why in results.left_out.items()]
    return "\n".join(parts)


def _where(results: Results) -> str:
    at = results.machine
    versions = ", ".join(f"{name} {number}" for name, number in at.versions.items())
    return (
        f"{at.cores} cores, {at.cpu}; Python {at.python}, {versions}. {results.rounds} rounds of {results.seconds:g} s. "
        f"Load average when it began: {at.load:.1f}."
    )


def _table(head: list[str], rows: list[list[str]]) -> str:
    rule = ["---"] + ["---:"] * (len(head) - 1)
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *rows]) + "\n"


def _fanout(found: Fanout) -> str:
    """One table per scenario."""
    parts = []
    for scenario in SCENARIOS:
        outcomes = [o for o in found.outcomes if o.scenario == scenario.name]
        if outcomes:
            parts += [f"**{scenario.name}**\n", _scenario(found, outcomes)]
    work = "\n".join(f"- {peer.name}: {peer.does}" for peer in PEERS)
    return "\n".join([*parts, "Per message each does:\n", work, ""])


def _scenario(found: Fanout, outcomes: list[Outcome]) -> str:
    head = ["server", "deliveries/s", "per s of CPU", "ours to this", "p50 ms", "p99 ms"]
    ours = found.of(OURS.name, outcomes[0].scenario).per_cpu_second
    return _table(head, [_row(outcome, ours) for outcome in outcomes])


def _row(outcome: Outcome, ours: float) -> list[str]:
    if outcome.missing:
        return [outcome.peer, f"left out: {outcome.missing}", "", "", "", ""]
    return [
        outcome.peer,
        f"{outcome.rate:,.0f}",
        f"{outcome.per_cpu_second:,.0f}",
        f"{ours / outcome.per_cpu_second:.2f}" if outcome.per_cpu_second else "",
        f"{outcome.p50_ms:.1f}",
        f"{outcome.p99_ms:.1f}",
    ]


def _beside(found: Beside) -> str:
    """Ours, and how many times as well as each of the others it does."""
    others = [peer.name for peer in BESIDE if peer is not OURS]
    head = ["", "unit", OURS.name, *(f"to {other}" for other in others)]
    rows = []
    for key, case in CASES.items():
        ours = found.of(OURS.name, key)
        ratios = [found.ratio(other, key) for other in others]
        value = "" if ours is None else f"{ours.median:,.1f}"
        rows.append(
            [case.name, case.unit, value, *("" if ratio is None else f"{ratio:.2f}" for ratio in ratios)]
        )
    missing = dict.fromkeys(f"{one.peer}: {one.missing}" for one in found.figures if one.missing)
    left_out = "".join(f"\nLeft out: {line}\n" for line in missing)
    return f"{_table(head, rows)}\nAbove 1, ours does better.\n{left_out}"


def _latency(found: Latency) -> str:
    head = ["server", "p50 ms", "p99 ms"]
    rows = [
        [OURS.name, f"{found.p50_ms:.2f}", f"{found.p99_ms:.2f}"],
        [NAIVE.name, f"{found.naive_p50_ms:.2f}", f"{found.naive_p99_ms:.2f}"],
    ]
    return (
        _table(head, rows) + f"\np99 of ours to naive, median of {found.runs} runs: {found.p99_ratio:.2f}\n"
    )


def _joining(found: list[Joining]) -> str:
    head = ["server", "connections", "came in /s", "per s of CPU", "KiB each"]
    rows = [
        [
            f"{one.peer}, {'authenticated and joined' if one.joined else 'only opened'}",
            f"{one.connections:,}",
            f"{one.per_second:,.0f}",
            f"{one.per_cpu_second:,.0f}",
            f"{one.kib:.1f}",
        ]
        for one in found
    ]
    return _table(head, rows)


def _idle(found: Idle) -> str:
    return (
        f"{found.connections:,} joined connections, idle for {found.seconds:.0f} s: {found.dropped} dropped, "
        f"{found.cpu:.1%} of a core, {found.kib:.1f} KiB each.\n"
    )


def _costs(title: str, costs: list[Cost]) -> str:
    return _table(
        [title, "µs of CPU per message"], [[f"{c.size:,}", f"{c.us_per_message:.0f}"] for c in costs]
    )
