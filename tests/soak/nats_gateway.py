"""Two data centres: two NATS clusters joined by gateways, the store in one of them, and the link between the two is cut.

The centre with the store serves on. The other one answers `unavailable`, and live events go on among its own. When the
link is back, all hear everything in one order, and nothing is lost. The link is cut now by resets, now without a word.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

from sanic_chatrooms import User
from sanic_chatrooms.brokers.nats import NATSBroker
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.support.ids import new_id
from sanic_chatrooms.testing import Checker, MemoryClient, chat_client
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.testing.proxy import FaultProxy
from tests.soak._talker import until
from tests.soak.runs import Progress, Verdict, main
from tests.support.nats import NATSServer, cluster_config, gateway_config
from tests.support.process import free_port
from tests.support.valkey import ValkeyServer
from tests.support.valkey import running as running_valkey

CUTS = 20
SHORT = 0.05
SERVERS = 2
"""In each cluster; a worker at each."""
SECONDS = 15.0
"""For which a link is cut, at full length."""
SPEAKERS = 4
"""In each centre."""
STORE_TIMEOUT = 1.0
REFUSED_WITHIN, CONVERGED = 6.0, 15.0
WITHIN = 60.0


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict, cuts = Verdict(), max(1, round(CUTS * scale))
    seconds = SECONDS if scale >= 0.2 else 3.0
    with running_valkey(persistence="always") as valkey:
        async with Link(valkey) as link, centres(link) as (near, far):
            run = Run(link, near, far, verdict)
            await run.begin()
            for n in range(cuts):
                await run.cut(seconds, silent=n % 2 == 1)
                progress((n + 1) / cuts, f"{n + 1} cuts")
            await run.end()
    return verdict


class Link:
    """What lies between the two centres: the way to the store, and the ways between all servers of both."""

    def __init__(self, valkey: ValkeyServer) -> None:
        self._valkey = valkey
        self._stack = contextlib.AsyncExitStack()
        self._proxies: list[FaultProxy] = []

    async def __aenter__(self) -> Link:
        self.near_store = self._valkey.url
        self.far_store = f"redis://127.0.0.1:{await self.before(self._valkey.port)}"
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stack.aclose()

    async def before(self, port: int) -> int:
        """A port by which the other centre reaches this one."""
        proxy = await self._stack.enter_async_context(FaultProxy("127.0.0.1", port))
        self._proxies.append(proxy)
        return proxy.port

    @contextlib.contextmanager
    def cut(self, *, silent: bool) -> Any:
        for proxy in self._proxies:
            proxy.refusing = not silent
            proxy.up.swallow = proxy.down.swallow = silent
            if not silent:
                proxy.reset()
        try:
            yield
        finally:
            for proxy in self._proxies:
                proxy.refusing = proxy.up.swallow = proxy.down.swallow = False
                proxy.reset()  # what was swallowed is missing in the middle of the streams


@contextlib.asynccontextmanager
async def centres(link: Link) -> AsyncIterator[tuple[list[Chat], list[Chat]]]:
    """The workers of both, each at a NATS server of its own centre."""
    names = ("near", "far")
    own = {name: [free_port() for _ in range(SERVERS)] for name in names}
    known_as = {name: [await link.before(port) for port in own[name]] for name in names}
    async with contextlib.AsyncExitStack() as stack:
        clusters: list[list[Chat]] = []
        for name, other, store in zip(names, reversed(names), (link.near_store, link.far_store), strict=True):
            routes = [free_port() for _ in range(SERVERS)]
            servers = []
            for n in range(SERVERS):
                others = [port for port in routes if port != routes[n]]
                config = cluster_config(name, routes[n], others)
                config += gateway_config(name, own[name][n], known_as[name][n], {other: known_as[other]})
                server = NATSServer(config)
                stack.callback(server.kill)
                servers.append(await asyncio.to_thread(server.start))
            clusters.append([await stack.enter_async_context(worker(server, store)) for server in servers])
        yield clusters[0], clusters[1]


def worker(server: NATSServer, store: str) -> contextlib.AbstractAsyncContextManager[Chat]:
    return running_core(
        guests=True,
        store=store,
        broker=NATSBroker(server.url),
        presence="memory:",
        store_timeout=STORE_TIMEOUT,
        position_check=2.0,
    )


class Speaker:
    """Says one thing after the other, each until it is acknowledged."""

    def __init__(self, name: str, client: MemoryClient, room: str) -> None:
        self.name = name
        self.client = client
        self.room = room
        self.acked_at = 0.0
        self.refused_at = 0.0
        self.codes: set[str] = set()
        self.ending = False

    async def speak(self) -> None:
        while not self.ending:
            said = {"room": self.room, "payload": {"text": "hi"}, "msg_id": new_id()}
            while (answer := await self.client.request("message", **said))["type"] == "error":
                self.refused_at = time.monotonic()
                self.codes.add(answer["payload"]["code"])
                await asyncio.sleep(0.1)
            self.acked_at = time.monotonic()
            await asyncio.sleep(0.02)


class Run:
    """Speakers on every worker of both centres, and what they hear of each other."""

    def __init__(self, link: Link, near: list[Chat], far: list[Chat], verdict: Verdict) -> None:
        self.link = link
        self.chats = {"near": near, "far": far}
        self.verdict = verdict
        self.checker = Checker()
        self.room = "general"
        self.speakers: dict[str, list[Speaker]] = {}
        self.tasks: list[asyncio.Task[None]] = []
        self.refused: list[float] = []
        self.converged: list[float] = []

    async def begin(self) -> None:
        for centre, chats in self.chats.items():
            self.speakers[centre] = [
                await self.enter(f"{centre}{n}", chats[n % len(chats)]) for n in range(SPEAKERS)
            ]
        self.typist = await self.enter("typist", self.chats["far"][0])
        for speaker in self.all:
            self.tasks.append(asyncio.ensure_future(speaker.speak()))
        if not await self.everybody_is_acked(self.all):
            self.wrong("not everybody was acknowledged at the beginning")
        if not await self.is_seen_typing(self.all):
            self.wrong("live events do not pass through the gateway")

    @property
    def all(self) -> list[Speaker]:
        return [speaker for speakers in self.speakers.values() for speaker in speakers]

    async def enter(self, name: str, chat: Chat) -> Speaker:
        client = await chat_client(chat, User(name, name), witness=self.checker.witness(name, user=name))
        await client.ack("join", room=self.room)
        return Speaker(name, client, self.room)

    async def cut(self, seconds: float, *, silent: bool) -> None:
        with self.link.cut(silent=silent):
            began = time.monotonic()
            if not await until(lambda: all(s.refused_at > began for s in self.speakers["far"]), WITHIN):
                self.wrong("the centre without the store does not say that it is unavailable")
            self.refused.append(time.monotonic() - began)
            if not await self.everybody_is_acked(self.speakers["near"]):
                self.wrong("the centre with the store does not serve on")
            await self.pass_live_events()
            left = began + seconds - time.monotonic()
            await asyncio.sleep(max(0.0, left))  # how long a link is cut is what is tried
        back = time.monotonic()
        if not await self.everybody_is_acked(self.all):
            self.wrong("not everybody was acknowledged after the link was back")
        self.converged.append(time.monotonic() - back)
        if not await self.is_seen_typing(self.all):
            self.wrong("live events do not pass through the gateway after the link was back")

    async def everybody_is_acked(self, speakers: Sequence[Speaker]) -> bool:
        now = time.monotonic()
        return await until(lambda: all(speaker.acked_at > now for speaker in speakers), WITHIN)

    async def pass_live_events(self) -> None:
        """Between two workers of the centre that is cut off, and not beyond."""
        marks = [len(speaker.client.frames) for speaker in self.speakers["near"]]
        if not await self.is_seen_typing(self.speakers["far"]):
            self.wrong("live events do not pass within the centre that is cut off")
        if any(map(self.saw_typing, self.speakers["near"], marks)):
            self.wrong("the link was not cut")

    async def is_seen_typing(self, speakers: Sequence[Speaker]) -> bool:
        """Does a live event from the far centre reach all of these?"""
        marks = [len(speaker.client.frames) for speaker in speakers]
        deadline = time.monotonic() + WITHIN
        while time.monotonic() < deadline:
            for active in (False, True):
                await self.typist.client.request("typing", room=self.room, payload={"active": active})
            if await until(lambda: all(map(self.saw_typing, speakers, marks)), 2.0):
                return True
        return False

    def saw_typing(self, speaker: Speaker, mark: int) -> bool:
        new = [frame for frame in speaker.client.frames[mark:] if frame["type"] == "typing"]
        return any(user["id"] == self.typist.name for frame in new for user in frame["payload"]["users"])

    async def end(self) -> None:
        for speaker in self.all:
            speaker.ending = True
        await asyncio.gather(*self.tasks)
        store = self.chats["near"][0].store
        head = (await store.heads([self.room]))[self.room].seq
        began = time.monotonic()
        if not await until(lambda: all(w.streams[self.room].seq == head for w in self.checker.witnesses), 30):
            self.wrong("not everybody heard everything")
        self.converged.append(time.monotonic() - began)
        await self.checker.read(store, self.room)
        for found in (self.checker.flaws() + self.checker.gaps())[:5]:
            self.wrong(found)
        codes = {code for speaker in self.all for code in speaker.codes}
        if codes != {"unavailable"}:
            self.wrong(f"errors other than unavailable: {codes}")
        self.judge()

    def judge(self) -> None:
        self.verdict.figures["cuts"] = len(self.refused)
        self.verdict.figures["acked"] = len(self.checker.acked)
        for name, values, most in (
            ("said to be unavailable after", self.refused, REFUSED_WITHIN),
            ("converged after", self.converged, CONVERGED),
        ):
            self.verdict.figures[f"{name} (at most {most} s)"] = round(max(values), 2)
            if max(values) > most:
                self.verdict.slow.append(f"{name} {max(values):.2f} s, and not {most}")

    def wrong(self, what: str) -> None:
        self.verdict.wrong.append(what)


if __name__ == "__main__":
    main(soak)
