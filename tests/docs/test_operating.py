"""The commands for operators are what a shell and the databases take: backups are made and restored as their page says."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from sanic_chatrooms import connect
from tests.docs.test_snippets import DOCS, Block, blocks_of
from tests.support.postgres import PostgresServer, programs
from tests.support.process import ROOT
from tests.support.valkey import running

NAMES = (
    "backups",
    "deploy-one-process",
    "deploy-several-machines",
    "incidents",
    "monitor",
    "rolling-updates",
    "two-data-centres",
)
TYPED = [
    block for name in NAMES for block in blocks_of(DOCS / "howto" / f"{name}.md") if block.language == "sh"
]


@pytest.mark.parametrize("block", TYPED, ids=lambda block: block.where)
def test_a_shell_understands_what_is_typed(block: Block) -> None:
    done = subprocess.run(["bash", "-n", "-c", block.text], capture_output=True, text=True, check=False)

    assert done.stderr == ""


# ---- backups ----


def typed(page: str, section: str) -> list[str]:
    """What is typed in a section of a page."""
    path = DOCS / "howto" / f"{page}.md"
    lines = path.read_text().splitlines()
    begin = lines.index(f"## {section}")
    end = next((n for n in range(begin + 1, len(lines)) if lines[n].startswith("## ")), len(lines))
    return [block.text for block in blocks_of(path) if block.language == "sh" and begin < block.line <= end]


class Shell:
    """Types into a terminal in a directory, with a Python and a PostgreSQL on PATH."""

    def __init__(self, directory: Path, **environ: str) -> None:
        # A stand-in for sqlite3, which not every machine has.
        stand_in = directory / "sqlite3"
        stand_in.write_text(
            f"#!{sys.executable}\nimport sqlite3, sys\nsqlite3.connect(sys.argv[1]).execute(sys.argv[2])\n"
        )
        stand_in.chmod(0o755)
        path = os.pathsep.join(
            [str(Path(sys.executable).parent), str(directory), str(programs()), os.environ["PATH"]]
        )
        self.directory = directory
        self.environ = {**os.environ, **environ, "PATH": path, "PYTHONPATH": str(ROOT)}

    async def type(self, text: str) -> str:
        process = await asyncio.create_subprocess_exec(
            "bash", "-euo", "pipefail", "-c", text,
            cwd=self.directory, env=self.environ,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()
        return output.decode()


async def test_a_database_of_postgresql_is_restored_with_a_new_past(
    postgres: PostgresServer, postgres_url: str, tmp_path: Path
) -> None:
    restored_url = postgres.url("restored")
    shell = Shell(tmp_path, DATABASE_URL=postgres_url, RESTORED_URL=restored_url)
    back_up, restore = typed("backups", "PostgreSQL")

    before = await said(postgres_url, lambda: shell.type(back_up))
    output = await shell.type(restore)

    assert "epoch" in output
    await assert_restored(restored_url, before)


async def test_a_file_of_sqlite_is_restored_with_a_new_past(tmp_path: Path) -> None:
    url, shell = f"sqlite:///{tmp_path}/chat.db", Shell(tmp_path)
    back_up, restore = typed("backups", "SQLite")

    before = await said(url, lambda: shell.type(back_up))
    output = await shell.type(restore)

    assert "epoch" in output
    await assert_restored(url, before)


async def test_a_snapshot_of_valkey_is_restored_with_a_new_past(tmp_path: Path) -> None:
    """With what the page's lines for `valkey-cli` and `systemctl` do."""
    shell = Shell(tmp_path)
    [renew] = [
        line for line in typed("backups", "Redis or Valkey as the store")[2].splitlines() if "python" in line
    ]
    with running(persistence="always") as server, running() as restored:
        before = await said(server.url, lambda: asyncio.to_thread(server.ask, "SAVE"))
        restored.kill()
        shutil.copy(server.directory / "dump.rdb", restored.directory)
        restored.start()
        restored.ask("CONFIG", "SET", "appendonly", "yes", "appendfsync", "always")
        shell.environ["VALKEY_URL"] = restored.url
        output = await shell.type(renew)

        assert "epoch" in output
        await assert_restored(restored.url, before)


async def said(url: str, back_up: Callable[[], Awaitable[object]]) -> str:
    """Say three things, and back up before the third, while the chat runs; -> the room's epoch."""
    async with connect(
        store=url, broker="memory:", presence="memory:", guests=True, namespace="Shop"
    ) as chat:
        await chat.ensure_room("general")
        for text in ("1", "2"):
            await chat.publish("general", "message", {"text": text})
        await back_up()
        return (await chat.publish("general", "message", {"text": "3"})).epoch


async def assert_restored(url: str, before: str) -> None:
    async with connect(
        store=url, broker="memory:", presence="memory:", guests=True, namespace="Shop"
    ) as chat:
        page = await chat.history("general")
        event = await chat.publish("general", "message", {"text": "new"})

    assert [one["payload"]["text"] for one in page.messages] == ["1", "2"]
    assert event.seq == 3
    assert event.epoch != before


async def test_postgresql_answers_what_incidents_ask(postgres_url: str, tmp_path: Path) -> None:
    shell = Shell(tmp_path, DATABASE_URL=postgres_url)
    asked = [
        block.text
        for block in TYPED
        if block.where.startswith("docs/howto/incidents") and "psql" in block.text
    ]
    async with connect(store=postgres_url, guests=True, namespace="Shop") as chat:
        await chat.ensure_room("general")

        answers = [await shell.type("\n".join(line.strip() for line in text.splitlines())) for text in asked]

    assert "active" in answers[0]
    assert "chatrooms_shop_default" in answers[1]
