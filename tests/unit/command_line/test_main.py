"""How the command line ends, and what it does where nobody reads it."""

from __future__ import annotations

import asyncio
import builtins
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import pytest

from sanic_chatrooms import Room
from sanic_chatrooms import __main__ as entry
from sanic_chatrooms.command_line.main import COMMANDS, everything, main
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.sql.store import SQLStore

PROGRAM = [sys.executable, "-m", "sanic_chatrooms"]


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_each_command_tells_what_it_is_for(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0

    told = capsys.readouterr().out
    assert f"Usage: python -m sanic_chatrooms {command}" in told
    assert "python -m sanic_chatrooms" in told.partition("Options:")[0]
    assert max(map(len, told.splitlines())) <= 100


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["chek"], "No such command 'chek'"),
        (["check", "chat.example.com"], "Which chat?"),
        (["check", "sqlite:///chat.db"], "is no address of a server"),
        (["check", "https://a.example/chat", "b"], "'b' is too much"),
        (["check", "https://a.example/chat", "--watch", "soon"], "'soon' is no duration"),
        (["tail", "https://a.example/chat"], "Give one room"),
        (["check", "https://a.example/chat", "--token", "a\nb"], "has characters that no token has"),
        (["publish", "https://a.example/chat"], "Give a room"),
        (["publish", "https://a.example/chat", "general", "--payload", "{"], "--payload is no JSON"),
        (["publish", "https://a.example/chat", "general", "--payload", "[]"], "must be an object"),
        (["publish", "https://a.example/chat", "general", "hi", "--payload", "{}"], "not both"),
        (
            ["publish", "https://a.example/chat", "general", "hi", "--sender", "u1"],
            "--sender is for the URL of a store",
        ),
        (["rooms", "sqlite:///chat.db", "--mine"], "--mine is for the URL of a server"),
        (["export", "https://a.example/chat", "--user", "u1"], "--user is for the URL of a store"),
        (["rooms", "postgresql://db/chat"], "Whose chat is it?"),
        (["migrate", "redis://h"], "Whose chat is it?"),
        (["migrate", "https://a.example/chat"], "needs the URL of its store"),
    ],
)
def test_what_is_wrongly_called_ends_with_2_and_says_why(
    arguments: Sequence[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CHATROOMS_URL", raising=False)

    assert main(arguments) == 2

    out, err = capsys.readouterr()
    assert out == ""
    assert said in " ".join(err.split())


@pytest.mark.parametrize(
    ("problem", "status"), [(BrokenPipeError(), 0), (KeyboardInterrupt(), 130), (click.Abort(), 130)]
)
def test_however_a_command_is_ended_nobody_complains(
    problem: BaseException, status: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(context: click.Context) -> None:
        raise problem

    monkeypatch.setattr(everything, "invoke", ended)

    assert main(["rooms"]) == status
    assert capsys.readouterr() == ("", "")


def test_without_the_extra_the_error_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without_click(name: str, *rest: Any) -> Any:
        if name == "click":
            raise ModuleNotFoundError("No module named 'click'", name="click")
        return real(name, *rest)

    for name in [name for name in sys.modules if name.startswith("sanic_chatrooms.command_line")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without_click)

    assert entry.main(["--help"]) == 2

    assert 'pip install "sanic-chatrooms[cli]"' in capsys.readouterr().err


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/chat.db"

    async def fill() -> None:
        store = SQLStore(url)
        await store.start("default", Bounds())
        for number in range(3):
            await store.create_room(Room(f"room-{number}", "", 0))
        await store.stop()

    asyncio.run(fill())
    return url


def test_who_reads_no_further_ends_it_without_a_complaint(url: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)

    done = subprocess.run(
        [*PROGRAM, "rooms", url], stdout=writing, stderr=subprocess.PIPE, text=True, check=False, timeout=50
    )
    os.close(writing)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def heard() -> Iterator[None]:
    """Ctrl-C is heard by what the test starts, also where the tests run in the background of a shell, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
def test_ctrl_c_ends_it_with_130(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = [*PROGRAM, "tail", url, "room-0", "--json"]
    assert main(["publish", url, "room-0", "hi"]) == 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert '"hi"' in process.stdout.readline()  # it runs
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=50)

    assert (process.returncode, err) == (130, "")
