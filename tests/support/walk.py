"""Walks a page of the docs as its reader does: types the commands, saves the programs, starts what it says to start.

What a page means is in its own words:
- a block of `sh` is typed. Its last line may be a server, which then runs on, or a WebSocket to talk through;
- a program is saved under the name that the paragraph above it says, or added at the end of that file if it says so. A
  script that has no name goes on with the one before it;
- a line of `json` is sent through the WebSocket;
- a sentence that asks for something else, such as to open a page in the browser, is done by a function of the test.

Packages come from the environment that runs the tests, as if it were an index: only what `pip install` asks for can be
imported. Our own package is really built and installed.
"""

from __future__ import annotations

import asyncio
import copy
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from itertools import dropwhile
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.packages import closure, link
from tests.support.process import ROOT, ServerProcess, free_port

__all__ = ["Act", "Block", "Paragraph", "Walk", "parts_of"]

_SERVER = re.compile(r"sanic |valkey-server ")
_SOCKET = "python -m websockets "
_ASKS = re.compile(r"\b(open|reload) <http", re.IGNORECASE)
_READY = "Worker ready"


class Paragraph(NamedTuple):
    text: str


class Block(NamedTuple):
    language: str
    text: str
    above: str
    """The paragraph before it."""


Act = Callable[["Walk"], Awaitable[None]]


def parts_of(page: Path) -> Iterator[Paragraph | Block]:
    """The paragraphs (their lines joined) and blocks of a page, in order."""
    above = ""
    for piece in re.split(r"^(```\w+\n.*?\n```)$", page.read_text(), flags=re.DOTALL | re.MULTILINE):
        if piece.startswith("```"):
            language, _, text = piece.strip("`\n").partition("\n")
            yield Block(language, text, above)
            continue
        for paragraph in re.split(r"\n\s*\n|^<!-- .*? -->$", piece, flags=re.MULTILINE):
            if text := " ".join(paragraph.split()):
                above = text
                yield Paragraph(text)


class Walk:
    """One reader: a home with a clone of the repository, a terminal, running servers."""

    def __init__(self, home: Path) -> None:
        self.home = self.cwd = home
        self.stand_ins: dict[str, str] = {}
        """What stands in the page → what the machine of the test has instead."""
        self.servers: list[ServerProcess] = []
        """Each Sanic that was started."""
        self._others: list[ServerProcess] = []
        self._command = ""
        self._file = home
        self.socket: asyncio.subprocess.Process | None = None
        self._shown: list[dict[str, Any]] = []
        self._packages = home / "index"
        self._env = _environment(home, self._packages)
        self._move()

    @property
    def server(self) -> ServerProcess:
        """The Sanic that was started last."""
        return self.servers[-1]

    def resumed(self) -> Walk:
        """The same reader on another day: files, environment and directory are as they were, nothing runs."""
        walk = copy.copy(self)
        walk.stand_ins, walk._env = dict(self.stand_ins), dict(self._env)
        walk.servers, walk._others, walk._shown = [], [], []
        return walk

    async def along(self, page: Path, acts: Mapping[str, Act], *, heading: str = "", until: str = "") -> None:
        """From a heading of a page, or its top, to another one, or its end. `acts` are the sentences that this test knows how to follow."""
        todo = dict(acts)
        for part in dropwhile(lambda part: heading not in part.text, parts_of(page)):
            if until and part.text == until:
                break
            if isinstance(part, Block):
                await self.do(part)
                continue
            known = [sentence for sentence in todo if sentence in part.text]
            assert known or not _ASKS.search(part.text), f"the page asks, and no test does it: {part.text}"
            for sentence in known:
                await todo.pop(sentence)(self)
        assert not todo, f"the page does not say this any more: {list(todo)}"
        output = "".join(server.output for server in self.servers)
        assert "Traceback" not in output, output

    async def do(self, block: Block) -> None:
        if block.language == "sh":
            await self.type(self._here(block.text))
        elif block.language == "json":
            await self.say(block.text)
        elif block.language != "text":
            await self._save(block)

    # ---- the terminal ----

    async def type(self, text: str) -> None:
        """Type lines into the terminal, and wait until they are done; a server in the last one runs on."""
        *before, last = text.splitlines()
        if last.startswith(_SOCKET):
            self.run("\n".join(before))
            self.socket = await self._talk(last)
        elif _SERVER.match(last):
            self.run("\n".join(before))
            await self.start(last)
        else:
            await asyncio.to_thread(self.run, text)

    def run(self, text: str) -> None:
        """Type lines that end by themselves."""
        for wanted in re.findall(r"pip install (.+?)(?:\s+#.*)?$", text, re.MULTILINE):
            self.index(*map(_requirement, shlex.split(wanted)))
        state = self.home / "state"
        script = f"set -e\n{text}\n{{ pwd; env -0; }} > {shlex.quote(str(state))}"
        done = subprocess.run(
            ["bash", "-c", script], cwd=self.cwd, env=self._env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
        cwd, _, variables = state.read_text().partition("\n")
        self.cwd = Path(cwd)
        self._env = dict(line.split("=", 1) for line in variables.split("\0") if line)

    def index(self, *requirements: str) -> None:
        """What can be imported from now on, as after `pip install`, without the seconds that pip takes."""
        link(closure(*requirements), self._packages)

    async def start(self, command: str) -> None:
        """Start a server as the page says, but on a port of the test's. A Sanic takes the place of the one that runs."""
        if command.startswith("valkey-server"):
            port = int(self.stand_ins["localhost:6379"].rpartition(":")[2])
            self._others.append(self._spawn(f"{command} --port {port} --save ''", port))
            await asyncio.to_thread(
                self._others[-1].wait_for, lambda output: "Ready to accept" in output, command
            )
            return
        await self.interrupt()
        self._move()
        self._command = re.sub(r" --port \d+", "", command)
        await self.start_again()

    async def start_again(self) -> None:
        """The same Sanic, on the same port."""
        port = int(self.url.rpartition(":")[2])
        self.servers.append(self._spawn(f"{self._command} --port {port}", port))
        await self.until_ready(int((re.findall(r"--workers (\d+)", self._command) or ["1"])[0]))

    async def start_another(self) -> None:
        """The same Sanic beside the one that runs, as on another machine."""
        self._move()
        await self.start_again()

    async def until_ready(self, times: int) -> None:
        """Until so many workers have started, the restarts of one counted too."""
        server = self.server
        await asyncio.to_thread(server.wait_for, lambda output: output.count(_READY) >= times, "start")

    async def interrupt(self) -> None:
        """Ctrl+C in the terminal where Sanic runs."""
        for process in [server.process for server in self.servers if server.process.poll() is None]:
            os.killpg(process.pid, signal.SIGINT)
            await asyncio.to_thread(process.wait, 60)

    def stop(self) -> None:
        for server in (*self.servers, *self._others):
            server.kill()
        if self.socket is not None and self.socket.returncode is None:
            self.socket.kill()

    def provide(self, name: str, program: Path) -> None:
        """Have a program on PATH, which the page takes for installed."""
        (self.home / "programs" / name).symlink_to(program)

    def _spawn(self, command: str, port: int) -> ServerProcess:
        return ServerProcess(["bash", "-c", f"exec {command}"], port, env=self._env, cwd=self.cwd)

    def _move(self) -> None:
        """Another port, since that of the page may be taken here."""
        self.stand_ins["127.0.0.1:8000"] = f"127.0.0.1:{free_port()}"

    def _here(self, text: str) -> str:
        for theirs, ours in self.stand_ins.items():
            text = text.replace(theirs, ours)
        return text

    @property
    def url(self) -> str:
        return f"http://{self.stand_ins['127.0.0.1:8000']}"

    # ---- the WebSocket ----

    async def _talk(self, command: str) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            "bash", "-c", f"exec {command}", stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.STDOUT,
            cwd=self.cwd, env=self._env,
        )  # fmt: skip

    async def say(self, line: str) -> None:
        assert self.socket is not None
        assert self.socket.stdin is not None
        self.socket.stdin.write(line.encode() + b"\n")
        await self.socket.stdin.drain()

    async def hear(self, type: str) -> Any:
        """The oldest frame of this type that was shown and not asked for yet."""
        assert self.socket is not None
        assert self.socket.stdout is not None
        async with asyncio.timeout(30):
            while not (found := [frame for frame in self._shown if frame["type"] == type]):
                line = (await self.socket.stdout.readline()).decode()
                assert line, "the connection ended"
                if frame := re.search(r"< (\{.*\})", line):
                    self._shown.append(json.loads(frame[1]))
        self._shown.remove(found[0])
        return found[0]

    # ---- files ----

    async def _save(self, block: Block) -> None:
        names = re.findall(r"`([\w-]+\.(?:py|js|html))`", block.above)
        adds = not names and self._file.suffix == ".js" == f".{block.language}"  # its next part
        assert names or adds, f"the page does not say where this goes: {block.text[:80]}"
        path = self._file = self._file if adds else self.cwd / names[-1]
        text = self._here(block.text) + "\n"
        if adds or f"at the end of `{names[-1]}`" in block.above:
            text = f"{path.read_text()}\n\n{text}"
        restarts = self.server.output.count(_READY) if path.suffix == ".py" and self._reloads() else None
        path.write_text(text)
        if restarts is not None:
            await self.until_ready(restarts + 1)

    def _reloads(self) -> bool:
        return (
            bool(self.servers)
            and self.server.process.poll() is None
            and "auto-reload: enabled" in self.server.output
        )


def _requirement(word: str) -> str:
    """What a word of `pip install` names; the clone is our package."""
    return re.sub(r"^.*/sanic_chatrooms", "sanic-chatrooms", word)


def _environment(home: Path, packages: Path) -> dict[str, str]:
    """A shell that has seen nothing of this repository, but its clone at home."""
    programs = home / "programs"
    for directory in (packages, programs):
        directory.mkdir()
    python = sys._base_executable  # type: ignore[attr-defined]
    # pip comes from the environment of the tests too: to install it takes longer than all that follows.
    new = f'[ "$1 $2" = "-m venv" ] && {{ shift 2; exec {python} -m venv --without-pip "$@"; }}'
    _program(programs / "python3", f'{new}\nexec {python} "$@"')
    for name in ("pip", "sanic"):
        _program(programs / name, f'exec python -m {name} "$@"')
    link(closure("setuptools", "pip"), packages)
    return {
        "PATH": f"{programs}:/usr/bin:/bin",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(packages),
        "PYTHONUNBUFFERED": "1",
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip's way to say that there is none
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


def _program(path: Path, lines: str) -> None:
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o755)


def clone(into: Path) -> None:
    """The files of this repository that an installation needs."""
    into.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        (into / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run(["cp", "-R", str(ROOT / "sanic_chatrooms"), str(into / "sanic_chatrooms")], check=True)
