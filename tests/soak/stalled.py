"""One reader among 200 busy members stops reading: it is closed 4008, and nobody else hears anything later for that.

Five times with it and five times without, in turn; the median of the ratios of the 99th percentiles is judged.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path

from tests.soak.crowd import WITHIN, Crowd, narrow_socket, percentile, sessions
from tests.soak.runs import Progress, Verdict, main
from tests.soak.served import OUTBOX
from tests.support.process import start_app
from tests.support.raw import Raw, command, handshake

SHORT = 0.05
PAIRS, SECONDS, MEMBERS, RATE, SIZE = 5, 10.0, 200, 30.0, 2_000
AT_MOST = 1.5
LIMIT = 64 * 1024


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict, ratios = Verdict(), []
    pairs = max(1, round(PAIRS * scale))
    members = max(20, int(MEMBERS * min(1.0, scale * 4)))
    seconds = max(1.0, SECONDS * min(1.0, scale * 4))
    server = await asyncio.to_thread(
        start_app, Path(__file__).with_name("served.py"), env={OUTBOX: str(LIMIT)}
    )
    try:
        for pair in range(pairs):
            p99 = []
            for stall in (False, True):
                progress(
                    (pair * 2 + stall) / (pairs * 2), f"pair {pair + 1} of {pairs}, stalled reader: {stall}"
                )
                crowd = Crowd(
                    server.port, f"busy-{pair}-{stall}"
                )  # a room of its own: no history comes with the join
                p99.append(await measure(crowd, members, seconds, verdict, stall=stall))
            ratios.append(p99[1] / p99[0])
            verdict.figures[f"p99 of pair {pair + 1}, ms"] = [round(value * 1000, 1) for value in p99]
    finally:
        await asyncio.to_thread(server.stop)
    ratio = statistics.median(ratios)
    verdict.figures["p99 with / without, median"] = round(ratio, 2)
    if ratio > AT_MOST:
        verdict.slow.append(f"others' p99 is {ratio:.2f} times what it is without the stalled reader")
    progress(1.0, "done")
    return verdict


async def measure(crowd: Crowd, members: int, seconds: float, verdict: Verdict, *, stall: bool) -> float:
    """The 99th percentile of the delays, in seconds."""
    await crowd.join(members)
    stalled = await stalled_reader(crowd.port, crowd.room) if stall else None
    closing = asyncio.ensure_future(close_code(stalled, crowd.port, members)) if stalled else None
    spoken = await crowd.talk(seconds, RATE, SIZE)
    verdict.wrong += await crowd.heard(spoken)
    found = percentile(crowd.delays(), 0.99)
    if closing is not None:
        # Until the limit is reached for sure, however short the run was.
        spoken_on = asyncio.ensure_future(crowd.talk(3 * WITHIN, RATE, SIZE))
        if (code := await closing) != 4008:
            verdict.wrong.append(f"the stalled reader was closed {code}, not 4008")
        spoken_on.cancel()
    crowd.leave()
    return found


async def stalled_reader(port: int, room: str) -> Raw:
    sock = narrow_socket(port)
    raw = Raw(*await asyncio.open_connection(sock=sock, limit=4_096))
    raw.writer.write(handshake(f"127.0.0.1:{port}") + command("join", room=room))
    await raw.reader.readuntil(b"\r\n\r\n")
    await raw.expect("ack")
    raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
    return raw


async def close_code(stalled: Raw, port: int, members: int) -> int:
    """Read again when the server counts it no longer; with which code it was closed."""
    until = time.monotonic() + 3 * WITHIN
    while await sessions(port) > members and time.monotonic() < until:  # noqa: ASYNC110
        await asyncio.sleep(0.2)
    stalled.writer.transport.resume_reading()  # type: ignore[attr-defined]
    code = await stalled.close_code()
    await stalled.close()
    return code


if __name__ == "__main__":
    main(soak)
