"""20 messages are written at a time, 150 pieces a second each, before 500 viewers on four workers, who come and go; the writers' workers are
killed ten times: every text that ended is the same at all viewers and in the store, nobody is closed for reading too slowly."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import random
import secrets
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from sanic_chatrooms import ChatRooms, User, connect
from tests.soak._hall import Socket
from tests.soak.runs import Progress, Verdict, main
from tests.support.process import ServerProcess, start_app
from tests.support.raw import command
from tests.support.valkey import running
from tests.support.wire import token

VIEWERS, CLIENT_WRITERS, APP_WRITERS, WORKERS, KILLS = 500, 12, 8, 4, 10
"""A room has at most 16 messages of its users in the writing; those of the app do not count."""
CANCELLERS = 3
"""Of the app's writers, those whose messages are cancelled."""
SHORT = 0.05
RATE, ANSWER = 150.0, 6.0
"""Pieces a second, and seconds that an answer takes."""
WHOLE = "".join(f"{n:04} " for n in range(int(ANSWER * RATE) + 1))
ROOM = "hall"
FIRST, CANCELLED = 0.05, 0.1
"""Seconds, p99: to the first piece, and from a cancel to the writer."""
AROUND = 4.0
TICK = 0.005
BACK = 1.0
"""Seconds in which those come back who lost their connection."""
WITHIN = 60.0
APP = Path(__file__).with_name("_app.py")


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Stage:
    """What everybody knows of: when first pieces were written, and what came of it."""

    def __init__(self, chat: ChatRooms, server: ServerProcess) -> None:
        self.chat = chat
        self.server = server
        self.began: dict[str, float] = {}
        """By message: when its first piece was written."""
        self.first: list[float] = []
        self.calm: list[float] = []
        """The same, of those that did not begin around a kill: a worker that starts takes a core for itself."""
        self.kills: list[float] = []
        self.cancelled: list[float] = []
        self.lags: list[float] = []
        self.answers = self.app_answers = self.conflicts = self.interrupted = 0
        self.seconds = 0.0
        """That the answers of the app took."""
        self.stopping = False

    def first_piece(self, msg_id: str, since: float) -> None:
        """Somebody who is in the room since then got it."""
        began = self.began.get(msg_id)
        if began is not None and began > since:
            self.first.append(time.monotonic() - began)
            if not any(at - 1 < began < at + AROUND for at in self.kills):
                self.calm.append(self.first[-1])


CLOSED = b'"closed":true'
STARTS = (b'{"msgId":', b'{"seq":')
EVENT = json.JSONDecoder()


class Viewer(Socket):
    """Notes the texts that ended. A `close` one also lets them grow by their pieces; others look for the ends only, which costs little:
    five hundred that read everything would leave nothing of the machine to the server."""

    stage: Stage
    texts: dict[str, str]
    growing: dict[str, str] | None = None
    begun: set[str]
    since = float("inf")
    """When it was in the room. What began before came late, or before it was in."""
    wrong: list[str]

    def data_received(self, data: bytes) -> None:
        if self.growing is not None or not self.listens:
            super().data_received(data)
            return
        data = self._data + data
        while (at := data.find(CLOSED)) >= 0:
            named = data.rfind(b'"message.edited"', 0, at)
            if named < 0:  # in an answer, which is read elsewhere
                data = data[at + len(CLOSED) :]
                continue
            start = _start(data, named)
            text = data[start:].decode(errors="replace")
            try:
                event, _ = EVENT.raw_decode(text)
            except ValueError:
                self._data = data[start:]  # the rest is still to come
                return
            self.highest = max(self.highest, event["seq"])
            self.take(event)
            data = data[at + len(CLOSED) :]
        named = data.rfind(b'"message.edited"')
        self._data = data[_start(data, named) :] if named >= 0 else data[-200:]

    def _frame(self, opcode: int, payload: bytes) -> None:
        if opcode == 1 and b'"message.delta"' in payload:
            if self.growing is not None:
                self._piece(**json.loads(payload)["payload"])
            return
        super()._frame(opcode, payload)
        if opcode == 1 and b'"closed":true' in payload and b'"replyTo"' not in payload:
            self.take(json.loads(payload))

    def _piece(self, msgId: str, at: int, text: str) -> None:  # noqa: N803 - as on the wire
        if at == 0 and msgId not in self.begun:  # after a kill, a text may begin again
            self.begun.add(msgId)
            self.stage.first_piece(msgId, self.since)
        if self.growing is None:
            return
        known = self.growing.get(msgId, "" if at == 0 else None)
        if known is not None and at <= len(known):
            self.growing[msgId] = known + text[len(known) - at :]
        else:
            self.growing.pop(msgId, None)  # it would ask for the text

    def take(self, event: dict[str, Any]) -> None:
        payload = event["payload"]
        if event["type"] == "message.edited" and payload.get("closed"):
            msg_id, text = payload["msgId"], payload["body"]["text"]
        elif event["type"] == "message" and "changed" in event:
            msg_id, text = event["msgId"], payload["text"]
        else:
            return
        grown = "" if self.growing is None else self.growing.pop(msg_id, "")
        if not text.startswith(grown):
            self.wrong.append(f"pieces of {msg_id} were not what was closed")
        if self.texts.setdefault(msg_id, digest(text)) != digest(text):
            self.wrong.append(f"two texts of {msg_id}")


def _start(data: bytes, named: int) -> int:
    """Where the event begins whose type stands at `named`."""
    return max(data.rfind(start, 0, named) for start in STARTS)


class Seat:
    """A viewer over all connections."""

    def __init__(self, stage: Stage, name: str, *, close: bool) -> None:
        self.stage, self.name, self.close = stage, name, close
        self.texts: dict[str, str] = {}
        self.begun: set[str] = set()
        """Messages whose first pieces it got, over all connections."""
        self.wrong: list[str] = []
        self.ends: Counter[int] = Counter()
        self.epoch = ""
        self.seq = 0
        self.socket: Viewer | None = None

    async def come(self) -> None:
        """Connect and join, until it succeeds."""
        while True:
            with contextlib.suppress(OSError):
                socket = await Viewer.open(self.stage.server.port, token(self.name))
                assert isinstance(socket, Viewer)
                socket.stage, socket.texts, socket.wrong = self.stage, self.texts, self.wrong
                socket.begun = self.begun
                socket.growing = {} if self.close else None
                since = {"epoch": self.epoch, "seq": self.seq} if self.epoch else None
                ack = await socket.ask("join", room=ROOM, payload={"since": since, "history": 200})
                if ack is not None and ack["type"] == "ack":
                    socket.since = time.monotonic()
                    self.epoch, self.socket = ack["payload"]["epoch"], socket
                    socket.listens = socket.growing is None
                    for event in ack["payload"]["messages"]:
                        socket.take(event)
                    return
                socket.cut()
            await asyncio.sleep(0.1)

    async def stay(self) -> None:
        """Come back whenever the connection ends."""
        while True:
            await self.come()
            assert self.socket is not None
            code = await self.socket.ended
            self.seq = max(self.seq, self.socket.highest)
            self.ends[code] += 1
            await asyncio.sleep(random.uniform(0.0, BACK))  # as clients do: full jitter

    def cut(self) -> None:
        if self.socket is not None:
            self.socket.cut()


class Author:
    """A user who writes one message after the other, as a client does: one piece is on its way, what comes meanwhile goes with the next."""

    def __init__(self, stage: Stage, name: str) -> None:
        self.stage, self.name = stage, name
        self.socket: Socket | None = None

    async def ask(self, type: str, payload: dict[str, Any]) -> dict[str, Any]:
        """The answer, over as many connections as it takes."""
        msg_id = secrets.token_hex(16)
        while True:
            if self.socket is None:
                self.socket = await self._connected()
            if self.socket is None:
                await asyncio.sleep(0.1)
            elif (answer := await self._once(self.socket, type, payload, msg_id)) is None:
                self.socket.cut()
                self.socket = None
            elif answer["payload"].get("code") != "unavailable":
                return answer

    async def _connected(self) -> Socket | None:
        with contextlib.suppress(OSError):
            socket = await Socket.open(self.stage.server.port, token(self.name))
            if await socket.ask("join", room=ROOM, payload={"history": 0}) is not None:
                return socket
        return None

    async def _once(
        self, socket: Socket, type: str, payload: dict[str, Any], msg_id: str
    ) -> dict[str, Any] | None:
        socket.transport.write(command(type, msgId=msg_id, room=ROOM, payload=payload))
        answer = asyncio.ensure_future(socket.answers.get())
        ends: list[asyncio.Future[Any]] = [answer, socket.ended]
        await asyncio.wait(ends, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        answer.cancel()
        return None

    async def write_on(self) -> None:
        while not self.stage.stopping:
            await self._write()

    async def _write(self) -> None:
        stage = self.stage
        opened = await self.ask("message.open", {"text": ""})
        if opened["type"] != "ack":  # what was interrupted is still there
            await asyncio.sleep(1)
            return
        id, began, told = opened["payload"]["msgId"], time.monotonic(), 0
        while True:
            elapsed = time.monotonic() - began
            more = text_of(min(elapsed, ANSWER))[told:]
            if not more and elapsed < ANSWER:
                await asyncio.sleep(1 / RATE)
                continue
            if told == 0:
                stage.began.setdefault(id, time.monotonic())
            if more:
                answer = await self.ask("message.append", {"msgId": id, "at": told, "text": more})
            else:
                answer = await self.ask("message.close", {"msgId": id})
            if answer["type"] == "ack" and not more:
                stage.answers += 1
                return
            if "at" not in answer["payload"]:
                stage.interrupted += 1
                return
            told = answer["payload"]["at"]
            stage.conflicts += answer["type"] != "ack"


def pieces(seconds: float) -> int:
    """Characters that are written after so many seconds."""
    return 5 * int(seconds * RATE)


def text_of(seconds: float) -> str:
    return WHOLE[: pieces(seconds)]


async def answer_on(stage: Stage, n: int, asked: str, cancels: asyncio.Queue[tuple[str, float]]) -> None:
    """Code of the app that writes one message after the other; some are cancelled."""
    sender = User(f"bot-{n}", f"Bot {n}")
    while not stage.stopping:
        began = time.monotonic()
        async with stage.chat.stream(ROOM, sender=sender, parent=asked) as out:
            stage.began[out.msg_id] = time.monotonic()
            sent = 0
            if n < CANCELLERS:
                cancels.put_nowait((out.msg_id, began + 2.0))
            try:
                while time.monotonic() - began < ANSWER:
                    more = text_of(time.monotonic() - began)[sent:]
                    sent += len(more)
                    if more:
                        out.write(more)
                    await asyncio.sleep(1 / RATE)
            except asyncio.CancelledError:
                if out.cancelled_by is not None:
                    stage.cancelled.append(time.monotonic() - sent_at[out.msg_id])
                raise
        stage.answers += 1
        stage.app_answers += 1
        stage.seconds += time.monotonic() - began


sent_at: dict[str, float] = {}


async def cancel_some(stage: Stage, asker: Author, cancels: asyncio.Queue[tuple[str, float]]) -> None:
    while True:
        msg_id, at = await cancels.get()
        await asyncio.sleep(max(0.0, at - time.monotonic()))
        sent_at[msg_id] = time.monotonic()
        await asker.ask("message.cancel", {"msgId": msg_id})


async def kill_some(stage: Stage, count: int, dice: random.Random, progress: Progress) -> None:
    gone: set[int] = set()
    for n in range(count):
        await asyncio.sleep(6.0)
        alive = [pid for pid in stage.server.workers if pid not in gone]
        pid, known = dice.choice(alive), len(stage.server.workers)
        gone.add(pid)
        os.kill(pid, signal.SIGKILL)
        stage.kills.append(time.monotonic())
        there = lambda _, known=known: len(stage.server.workers) > known  # noqa: E731
        await asyncio.to_thread(stage.server.wait_for, there, "a replacement", within=60.0)
        progress((n + 1) / (count + 1), f"{n + 1} kills, {stage.answers} answers")
    await asyncio.sleep(6.0)


async def keep_alive(seats: list[Seat]) -> None:
    """A sign of life of those who only listen, in place of answers to pings."""
    while True:
        await asyncio.sleep(20)
        for seat in seats:
            if seat.socket is not None:
                seat.socket.transport.write(command("ping"))


async def measure_lag(stage: Stage) -> None:
    """How late this process itself is: that much of the figures is not the server's."""
    while True:
        before = time.monotonic()
        await asyncio.sleep(TICK)
        stage.lags.append(time.monotonic() - before - TICK)


async def cut_some(seats: list[Seat], dice: random.Random) -> None:
    while True:
        await asyncio.sleep(0.3)
        dice.choice(seats).cut()


@contextlib.asynccontextmanager
async def served() -> AsyncIterator[Stage]:
    name = f"soak_{secrets.token_hex(6)}"
    with running() as valkey:
        settings = {"name": name, "presence_grace": 0.5, "rate_limits": False}
        env = {"SOAK_STORE": valkey.url, "SOAK_SETTINGS": json.dumps(settings)}
        server = await asyncio.to_thread(start_app, APP, workers=WORKERS, env=env, within=90.0)
        try:
            async with connect(name, store=valkey.url, namespace="none") as chat:
                yield Stage(chat, server)
        finally:
            await asyncio.to_thread(server.stop)


class Counted:
    """Counts what this process writes to the store."""

    def __init__(self, store: Any) -> None:
        self.writes = 0
        for verb in ("append", "set_fact"):
            setattr(store, verb, self._counted(getattr(store, verb)))

    def _counted(self, ask: Any) -> Any:
        async def counted(*args: Any) -> Any:
            self.writes += 1
            return await ask(*args)

        return counted


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict, dice = Verdict(), random.Random(8)
    viewers, kills = max(10, int(VIEWERS * scale)), max(1, round(KILLS * scale))
    share = min(1.0, 4 * scale)
    async with served() as stage:
        await stage.chat.create_room(ROOM)
        for n in range(viewers):
            await stage.chat.add_member(ROOM, User(f"viewer-{n}", f"Viewer {n}"))
        seats = [Seat(stage, f"viewer-{n}", close=n < 10) for n in range(viewers)]
        staying = [asyncio.ensure_future(seat.stay()) for seat in seats]
        while any(seat.socket is None for seat in seats):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        asker = Author(stage, "asker")
        asked = (await asker.ask("message", {"text": "?"}))["payload"]["msgId"]
        counted = Counted(stage.chat.running().backends.store)
        cancels: asyncio.Queue[tuple[str, float]] = asyncio.Queue()
        authors = [Author(stage, f"author-{n}") for n in range(max(2, int(CLIENT_WRITERS * share)))]
        writing = [asyncio.ensure_future(author.write_on()) for author in authors]
        answering = [
            asyncio.ensure_future(answer_on(stage, n, asked, cancels))
            for n in range(max(2, int(APP_WRITERS * share)))
        ]
        beside = [
            asyncio.ensure_future(cancel_some(stage, asker, cancels)),
            asyncio.ensure_future(cut_some(seats, dice)),
            asyncio.ensure_future(keep_alive(seats)),
            asyncio.ensure_future(measure_lag(stage)),
        ]
        await kill_some(stage, kills, dice, progress)
        stage.stopping = True
        await asyncio.wait_for(asyncio.gather(*writing, *answering), WITHIN)
        for task in beside:
            task.cancel()
        texts = await ended_texts(stage)
        await compare(stage, seats, texts, verdict)
        for task in staying:
            task.cancel()
        measure(stage, seats, texts, counted, verdict)
    return verdict


async def ended_texts(stage: Stage) -> dict[str, str]:
    """By message, the texts in the store, when nothing is being written any more."""
    store = stage.chat.running().store
    deadline = time.monotonic() + WITHIN
    while time.monotonic() < deadline and await store.open_streams(2**40):  # noqa: ASYNC110
        await asyncio.sleep(0.5)
    texts: dict[str, str] = {}
    before: int | None = None
    while True:
        page = await stage.chat.history(ROOM, before=before, limit=100)
        for message in page.messages:
            if "changed" in message:
                texts[message["msgId"]] = digest(message["payload"]["text"])
        if not page.more:
            return texts
        before = page.messages[0]["seq"]


async def compare(stage: Stage, seats: list[Seat], texts: dict[str, str], verdict: Verdict) -> None:
    deadline = time.monotonic() + WITHIN
    while time.monotonic() < deadline and any(seat.texts != texts for seat in seats):  # noqa: ASYNC110
        await asyncio.sleep(0.2)
    for seat in seats:
        verdict.wrong += seat.wrong[:3]
        lacks = texts.keys() - seat.texts.keys()
        others = [id for id in texts.keys() & seat.texts.keys() if texts[id] != seat.texts[id]]
        if lacks or others:
            verdict.wrong.append(f"{seat.name} lacks {len(lacks)} texts, and has {len(others)} others")
    if await stage.chat.running().store.open_streams(2**40):
        verdict.wrong.append("messages are still being written")


def measure(
    stage: Stage, seats: list[Seat], texts: dict[str, str], counted: Counted, verdict: Verdict
) -> None:
    ends = sum((seat.ends for seat in seats), Counter[int]())
    first, cancelled = percentile(stage.first), percentile(stage.cancelled)
    allowed = 2 * stage.app_answers + stage.seconds / 5
    verdict.figures |= {
        "texts that ended": len(texts),
        "conflicts after a kill": stage.conflicts,
        "interrupted": stage.interrupted,
        "connections that ended, by code": dict(ends),
        "first piece, p50 and p99 (ms)": f"{1000 * percentile(stage.first, 0.5):.1f}, {1000 * first:.1f}",
        "the same, not around a kill": f"{1000 * percentile(stage.calm, 0.5):.1f}, {1000 * percentile(stage.calm):.1f}",
        "cancel to writer, p99 (ms)": f"{1000 * cancelled:.1f} of {len(stage.cancelled)}",
        "this process itself was late, p99 and most (ms)": f"{1000 * percentile(stage.lags):.1f}, {1000 * max(stage.lags):.1f}",
        "writes of the store": f"{counted.writes}, of {allowed:.0f} allowed for {stage.app_answers} answers",
    }
    if 4008 in ends:
        verdict.wrong.append(f"{ends[4008]} viewers were closed for reading too slowly")
    if first > FIRST:
        verdict.slow.append(f"the first piece came after {1000 * first:.0f} ms")
    if cancelled > CANCELLED:
        verdict.slow.append(f"a cancel came after {1000 * cancelled:.0f} ms")
    if counted.writes > allowed:
        verdict.wrong.append(f"{counted.writes} writes of the store, and not {allowed:.0f}")


def percentile(values: list[float], share: float = 0.99) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else 0.0


if __name__ == "__main__":
    main(soak)
