"""Frames as large as they may be, of thirty kinds of content: none holds the server longer than two of plain text do.

Each is sent as a `message` and as a `ping`, in turn with the plain one; what is compared is the processor time that the
server took until it had answered, medians, with that for a `message` of as many bytes that are plain text (under another
key than `text`, which may not be so long). Those of two kinds that hinder the check of each other may take three and a half
times as long. Before authentication none takes 5 ms.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Iterator
from pathlib import Path

from tests.soak.runs import Progress, Verdict, main
from tests.soak.served import SIGNED
from tests.support.process import ServerProcess, start_app
from tests.support.raw import Raw, handshake
from tests.support.wire import masked

SHORT = 0.03
ROUNDS = 60
SIZE = 64 * 1024
AT_MOST, MIXED, BEFORE = 2.0, 3.5, 5e-3
PLAIN = "plain text"


def contents(size: int) -> dict[str, str]:
    """JSON values of about this size by what they are."""

    def text(unit: str) -> str:
        return f'"{unit * (size // len(unit.encode()))}"'

    def many(unit: str, begin: str = "[", end: str = "]") -> str:
        return begin + ",".join([unit] * (size // (len(unit) + 1))) + end

    return {
        PLAIN: text("x"),
        "floats near the limit": many("1e308"),
        "floats near the other limit": many("5e-324"),
        "floats of all digits": many("1.7976931348623157e308"),
        "floats as JavaScript writes them": many("0.30000000000000004"),
        "floats between two": many("1e23"),
        "integers near the limit": many("9007199254740991"),
        "integers of as many digits": many("9007199254740000"),
        "small integers": many("1"),
        "one long number": "0." + "1" * size,
        "numbers of 400 digits": many("1" * 400 + ".5"),
        "empty lists": many("[]"),
        "empty objects": many("{}"),
        "lists as deep as may be": many("[" * 28 + "]" * 28),
        "lists deeper than may be": "[" * (size // 2) + "]" * (size // 2),
        "escapes": text("\\u0041"),
        "surrogates in pairs": text("\\ud83d\\ude00"),
        "lone surrogates": text("\\ud83d"),
        "a lone surrogate at the end": text("\\ud83d\\ude00")[:-1] + '\\ud83d"',
        "NULs": text("\\u0000"),
        "backslashes": text("\\\\"),
        "quotes": text('\\"'),
        "four-byte characters": text("\U0001f600"),
        "two-byte characters": text("é"),
        "many keys": "{" + ",".join(f'"{key:05x}":1' for key in range(size // 10)) + "}",
        "one key many times": many('"a":1', "{", "}"),
        "empty strings": many('""'),
        "brackets in strings": many('"]"'),
        "lists of two": many("[1,2]"),
        "lists as many as may be": many('[["abcdefghijklmnopqrstu"]]'),
        "small objects, as many as may be": many('{"x":1234567}'),
        "exponents in strings": text("e100"),
        "blanks": "1" + " " * size,
        "a fault at the end": text("x") + "}",
        "mixed: lists between brackets in strings": many('"]",[]'),
        "mixed: empty strings and a long number": many('""').replace('""', "9007199254740991", 1),
        "mixed: many keys and a long number": many('"a":1', "{", "}").replace("1", "9007199254740991", 1),
    }


def frames(type: str, size: int) -> Iterator[tuple[str, bytes]]:
    """By kind: a whole frame, masked."""
    for kind, value in contents(size - 200).items():
        payload = f'{{"text":"hi","value":{value}}}'
        yield kind, masked(1, f'{{"type":"{type}","room":"general","payload":{payload}}}'.encode())


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict, rounds, plain = Verdict(), max(1, round(ROUNDS * scale)), 0.0
    app = Path(__file__).with_name("served.py")
    server = await asyncio.to_thread(start_app, app)
    try:
        for number, type in enumerate(("message", "ping")):
            progress(number / 3, type)
            raw = await connect(server)
            await raw.say("join", room="general", payload={"history": 0})
            await raw.expect("ack")
            took = await measure(server, raw, type, SIZE, rounds)
            plain = plain or took[PLAIN]
            judge(type, took, plain, verdict)
            await raw.close()
    finally:
        await asyncio.to_thread(server.stop)
    progress(2 / 3, "before authentication")
    signed = await asyncio.to_thread(start_app, app, env={SIGNED: "1"})
    try:
        for type, size in (("auth", SIZE), ("other", 16 * 1024), ("ping", 4 * 1024)):
            raw = await connect(signed)
            judge_before(type, size, await measure(signed, raw, type, size, rounds), verdict)
            await raw.close()
    finally:
        await asyncio.to_thread(signed.stop)
    for one in (server, signed):
        if "Traceback" in one.output:
            verdict.wrong.append("the server has logged a traceback: " + one.output[-2_000:])
    progress(1.0, "done")
    return verdict


async def connect(server: ServerProcess) -> Raw:
    raw = Raw(*await asyncio.open_connection("127.0.0.1", server.port))
    raw.writer.write(handshake(f"127.0.0.1:{server.port}"))
    await raw.reader.readuntil(b"\r\n\r\n")
    return raw


Took = dict[str, float]
"""Seconds of processor time by kind, medians."""


async def measure(server: ServerProcess, raw: Raw, type: str, size: int, rounds: int) -> Took:
    sent = dict(frames(type, size))
    took: dict[str, list[float]] = {kind: [] for kind in sent}
    for _ in range(rounds):
        for kind, frame in sent.items():
            # The plain one after each: ten malformed ones in a row would end the connection.
            for name in (kind, PLAIN) if kind != PLAIN else ():
                began = processor_time(server)
                await raw.write(sent[name] if name == PLAIN else frame)
                await answer(raw)
                took[name].append(processor_time(server) - began)
    return {kind: statistics.median(times) for kind, times in took.items()}


async def answer(raw: Raw) -> None:
    while True:
        _, text = await raw.frame()
        if text.startswith((b'{"type":"ack"', b'{"type":"pong"', b'{"type":"error"')):
            return


def processor_time(server: ServerProcess) -> float:
    """Seconds that the worker's main thread has run; 0 where the system does not say it this way."""
    pid = server.workers[-1]
    path = Path(f"/proc/{pid}/task/{pid}/schedstat")
    return int(path.read_text().split()[0]) / 1e9 if path.exists() else 0.0


def judge(type: str, took: Took, plain: float, verdict: Verdict) -> None:
    ratios = {kind: seconds / (plain or 1.0) for kind, seconds in took.items()}
    worst = sorted(ratios, key=lambda kind: -ratios[kind])
    verdict.figures[f"{type}, plain, µs"] = round(took[PLAIN] * 1e6)
    verdict.figures[f"{type}, times a plain message"] = ", ".join(
        f"{kind} {ratios[kind]:.2f}" for kind in worst
    )
    verdict.slow += [
        f"{type}: {kind} takes {ratios[kind]:.2f} times as long as a plain message"
        for kind in worst
        if ratios[kind] > (MIXED if kind.startswith("mixed") else AT_MOST)
    ]


def judge_before(type: str, size: int, took: Took, verdict: Verdict) -> None:
    worst = max(took, key=lambda kind: took[kind])
    verdict.figures[f"before authentication, {type} of {size // 1024} KiB, worst"] = (
        f"{worst}, {took[worst] * 1e6:.0f} µs"
    )
    if took[worst] > BEFORE:
        verdict.slow.append(f"before authentication {worst} takes {took[worst] * 1e3:.1f} ms")


if __name__ == "__main__":
    main(soak)
