"""A Sentinel's fail-overs and a Cluster's moving slots, under load: nothing that was acked is lost, or it is said.

A replica that takes over may lack the last of what was acknowledged, so everybody is told, every time. A slot that moves
takes everything along; the room gets a new epoch there all the same, since from outside it looks like a replica's take-over.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

from sanic_chatrooms.drivers.redis.cluster import slot_of
from tests.soak.redis_kill import ROOMS, Run, serving
from tests.soak.runs import Progress, Verdict, main
from tests.support.sentinel import Guarded, guarded
from tests.support.valkey import ValkeyServer, make_cluster, move_slot, until

FAIL_OVERS, MOVES = 8, 40
SHORT = 0.05
WORKERS, TALKERS = 4, 12
BETWEEN = 3.0


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict = Verdict()
    with guarded() as servers:
        times = max(1, round(FAIL_OVERS * scale))
        await under_load("Sentinel", servers.url, Pair(servers).fail_over, times, scale, verdict, progress)
    with make_cluster() as nodes:
        url, times = f"redis+cluster://127.0.0.1:{nodes[0].port}", max(2, round(MOVES * scale))
        await under_load("Cluster", url, Slots(nodes).move_next, times, scale, verdict, progress)
    return verdict


async def under_load(
    kind: str,
    url: str,
    blow: Callable[[], None],
    times: int,
    scale: float,
    verdict: Verdict,
    progress: Progress,
) -> None:
    workers, talkers = (WORKERS, TALKERS) if scale >= 0.2 else (2, 6)
    async with serving(url, workers) as server:
        run = Run(kind, url, server, talkers, verdict)
        for n in range(times):
            await run.strike(BETWEEN * min(1.0, 4 * scale), blow)
            progress((n + 1) / times, f"{kind}: {n + 1} of {times}")
        await run.end(times)


class Pair:
    """A master and its replica, which change places."""

    def __init__(self, servers: Guarded) -> None:
        self.master, self.replica = servers.master, servers.replica
        self._is_master = servers.is_master

    def fail_over(self) -> None:
        """Kill the master; return when the other one is it, and has a replica again."""
        old, new = self.master, self.replica
        old.kill()
        until(lambda: self._is_master(new), "the replica takes over")
        # Not before: a Sentinel that sees the old master come back in the middle of it may give up.
        old.start()
        until(lambda: follows(old, new), "the old master follows")
        self.master, self.replica = new, old


def follows(old: ValkeyServer, new: ValkeyServer) -> bool:
    """Whether it is a replica of the other. If it is not, it is told so: a Sentinel may have told it something else."""
    state = old.ask("INFO", "replication")
    if f"master_port:{new.port}" not in state:
        old.ask("REPLICAOF", "127.0.0.1", str(new.port))
        return False
    return "master_link_status:up" in state


class Slots:
    """Where the rooms' slots are."""

    def __init__(self, nodes: list[ValkeyServer]) -> None:
        self._nodes = nodes
        self._at = {room: min(slot_of(room) // 5461, 2) for room in ROOMS}
        self._rooms = itertools.cycle(ROOMS)

    def move_next(self) -> None:
        """One room goes to the next node."""
        room = next(self._rooms)
        source = self._at[room]
        target = self._at[room] = (source + 1) % 3
        move_slot(slot_of(room), self._nodes[source], self._nodes[target])


if __name__ == "__main__":
    main(soak)
