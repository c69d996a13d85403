"""A room is read by curl for an hour, through nginx with the settings of deploy/, before an app of two workers. Its connection is
cut 40 times in eight ways, and it goes on with the last id as a shell loop does: every event comes once and in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from sanic_chatrooms.client import ChatClient
from sanic_chatrooms.testing import FaultProxy
from tests.soak._talker import until
from tests.soak._workers import SECRET, App, running_app
from tests.soak.rolling_restart import restart
from tests.soak.runs import Progress, Verdict, main
from tests.support.nginx import Nginx
from tests.support.process import ServerProcess
from tests.support.tools import needed
from tests.support.wire import token

SECONDS, CUTS = 3_600.0, 40
SHORT = 0.002
PER_SECOND, BURST = 5.0, 200
"""Messages; a burst is more than a page of the log."""
AWAY = 4.0
"""Seconds: the shell takes up to so long to begin curl again."""
SILENCE = 3
"""Seconds without a byte, after which curl gives up: it cannot see a connection that is half open."""
ROOM = "general"
WITHIN = 60.0
WORKERS = 2


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict, dice = Verdict(), random.Random(40)
    cuts = max(8, round(CUTS * scale))
    pause = SECONDS * scale / cuts
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        app = await stack.enter_async_context(running_app(WORKERS, api="1"))
        door = Door(folder / "nginx", app.running.port)
        stack.callback(door.close)
        proxy = await stack.enter_async_context(FaultProxy("127.0.0.1", door.nginx.port))
        speaker = await stack.enter_async_context(Speaker(app.ws_url, max(pause, 20.0)))
        reader = await stack.enter_async_context(
            Reader(proxy.port, folder, speaker.epoch, min(AWAY, pause), dice)
        )
        ways = Ways(app, door, proxy, reader, dice)
        for n, (name, cut) in enumerate(itertools.islice(itertools.cycle(ways.all().items()), cuts)):
            await asyncio.sleep(dice.uniform(0.5, 1.5) * pause)
            await until(reader.reads, WITHIN)
            before = reader.runs
            await cut()
            if not await until(lambda before=before: reader.runs > before, WITHIN):  # type: ignore[misc]
                verdict.wrong.append(f"{name}: curl was not cut")
            progress((n + 1) / (cuts + 1), f"{n + 1} cuts, {speaker.said:,} said")
        last = await speaker.end()
        await until(lambda: reader.seq >= last, WITHIN)
    progress(1.0, "all is said")
    verdict.wrong += flaws(reader.events, speaker.said, last)
    verdict.figures = {
        "cuts": cuts,
        "curl began": reader.runs,
        "its exit codes": dict(sorted(reader.exits.items())),
        "events": f"{last:,}, {speaker.said:,} of them messages",
        "half events that cuts left": reader.halves,
    }
    return verdict


class Door:
    """nginx, over its lives."""

    def __init__(self, folder: Path, app: int) -> None:
        self.nginx = Nginx(folder, app)
        # So that a reload cuts, after a second instead of an hour.
        self.nginx.change("nginx.conf", "worker_shutdown_timeout 1h", "worker_shutdown_timeout 1s")
        self.server: ServerProcess = self.nginx.start()

    async def reload(self) -> None:
        await asyncio.to_thread(self.nginx.run, "-s", "reload")

    async def restart(self) -> None:
        await asyncio.to_thread(self.server.stop)
        self.server = await asyncio.to_thread(self.nginx.start)

    def close(self) -> None:
        self.server.stop()


class Ways:
    """What cuts a connection."""

    def __init__(self, app: App, door: Door, proxy: FaultProxy, reader: Reader, dice: random.Random) -> None:
        self._app = app
        self._door = door
        self._proxy = proxy
        self._reader = reader
        self._dice = dice

    def all(self) -> dict[str, Callable[[], Awaitable[object]]]:
        return {
            "curl killed": self.kill_curl,
            "within an event": self.within_an_event,
            "nginx reloaded": self._door.reload,
            "reset": self.reset,
            "worker killed": self.kill_worker,
            "nginx restarted": self._door.restart,
            "half open": self.half_open,
            "workers restarted": self.restart_workers,
        }

    async def kill_curl(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._reader.curl.kill()

    async def within_an_event(self) -> None:
        self._proxy.down.cut_next(self._dice.randrange(1, 150))

    async def reset(self) -> None:
        self._proxy.reset()

    async def half_open(self) -> None:
        self._proxy.half_open(keep="client")

    async def kill_worker(self) -> None:
        """That of curl: one of the two."""
        before = self._reader.runs
        for pid in self._app.running.workers[-WORKERS:]:
            await self._app.end_worker(pid, signal.SIGKILL)
            if self._reader.runs > before:
                return

    async def restart_workers(self) -> None:
        await restart(self._app, WORKERS)


class Speaker:
    """Says numbers, directly to the app, and now and then many at once."""

    def __init__(self, url: str, burst_every: float) -> None:
        self.said = 0
        self.epoch = ""
        self._client = ChatClient(url, token=shown("speaker"), backoff=(0.05, 1.0), proxy=None)
        self._burst_every = burst_every
        self._last = 0
        self._over = False
        self._speaking: asyncio.Task[None]

    async def __aenter__(self) -> Speaker:
        await self._client.connect()
        self.epoch = (await self._client.join(ROOM, history=0))["epoch"]
        self._speaking = asyncio.ensure_future(self._speak())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._speaking.cancel()
        await self._client.close()

    async def _speak(self) -> None:
        burst_at = time.monotonic() + self._burst_every
        while not self._over:
            many = time.monotonic() >= burst_at
            if many:
                burst_at += self._burst_every
            await self._say(BURST if many else 1)
            await asyncio.sleep(1 / PER_SECOND)

    async def _say(self, count: int) -> None:
        numbers = range(self.said + 1, self.said + count + 1)
        self.said += count
        acks: list[Any] = await asyncio.gather(*(self._client.send(ROOM, f"{n} äöü 🙂") for n in numbers))
        self._last = max(ack["seq"] for ack in acks)

    async def end(self) -> int:
        """The number of the last event."""
        self._over = True
        await self._speaking
        await self._say(1)
        return self._last


class Reader:
    """The shell: begins curl again and again, each time with the id of the last whole event."""

    def __init__(self, port: int, folder: Path, epoch: str, away: float, dice: random.Random) -> None:
        self.runs = 0
        """How often curl ended."""
        self.exits: Counter[int] = Counter()
        self.halves = 0
        self.curl: asyncio.subprocess.Process
        self.events: list[dict[str, Any]] = []
        """Those of the runs that ended; `seq` knows the others."""
        self._url = f"http://127.0.0.1:{port}/chat/api/rooms/{ROOM}/events"
        self._part = folder / "part"
        self._id = f"{epoch}:0"
        self._away = away
        self._dice = dice
        self._headers = {"Authorization": f"Bearer {shown('reader')}", "Accept": "text/event-stream"}
        self._reading: asyncio.Task[None]

    async def __aenter__(self) -> Reader:
        self._reading = asyncio.ensure_future(self._loop())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        self._take()

    def reads(self) -> bool:
        """Whether this curl got something."""
        return self._part.exists() and bool(whole(self._part.read_bytes()))

    @property
    def seq(self) -> int:
        ids, _ = parsed(self._part.read_bytes())
        return int((ids or [self._id])[-1].rpartition(":")[2])

    async def _loop(self) -> None:
        while True:
            headers = {**self._headers, "Last-Event-ID": self._id}
            given = [word for name, value in headers.items() for word in ("-H", f"{name}: {value}")]
            silence = ["--speed-limit", "1", "--speed-time", str(SILENCE)]
            command = [needed("curl"), "-sN", "--fail", "--noproxy", "*", *silence, *given, self._url]
            with self._part.open("wb") as out:
                self.curl = await asyncio.create_subprocess_exec(*command, stdout=out)
            try:
                self.exits[await self.curl.wait()] += 1
            except asyncio.CancelledError:
                with contextlib.suppress(ProcessLookupError):
                    self.curl.kill()
                await self.curl.wait()
                raise
            self._take()
            self.runs += 1
            await asyncio.sleep(self._dice.uniform(0.1, self._away))

    def _take(self) -> None:
        """What the last curl wrote."""
        text = self._part.read_bytes()
        ids, events = parsed(text)
        self._part.write_bytes(b"")
        self._id = (ids or [self._id])[-1]
        self.events += events
        self.halves += len(whole(text)) < len(text)


def shown(user: str) -> str:
    return token(user, expires_in=36_000, secret=SECRET)


def whole(text: bytes) -> bytes:
    """All up to the last empty line: what a cut left behind it is no event."""
    return text[: text.rfind(b"\n\n") + 2] if b"\n\n" in text else b""


def parsed(text: bytes) -> tuple[list[str], list[dict[str, Any]]]:
    """The ids, and all events, also those that have no id."""
    ids, events = [], []
    for block in whole(text).decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if line and not line.startswith(":"))
        if "data" in fields:
            events.append(json.loads(fields["data"]))
        if "id" in fields:
            ids.append(fields["id"])
    return ids, events


def flaws(events: list[dict[str, Any]], said: int, last: int) -> list[str]:
    found = []
    seqs = [event["seq"] for event in events if event.get("seq")]
    missing = sorted(set(range(1, last + 1)) - set(seqs))
    if seqs != list(range(1, last + 1)):
        found.append(
            f"of {last} events {len(missing)} are missing {missing[:5]}, {len(seqs) - len(set(seqs))} came twice, "
            f"in order: {seqs == sorted(seqs)}"
        )
    texts = [event["payload"]["text"] for event in events if event["type"] == "message"]
    if texts != [f"{n} äöü 🙂" for n in range(1, said + 1)]:
        found.append(f"{said} messages were said, {len(texts)} came, or in another order")
    if resets := sum(event["type"] == "reset" for event in events):
        found.append(f"{resets} resets")
    return found


if __name__ == "__main__":
    main(soak)
