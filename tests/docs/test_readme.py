"""What the README says of `make run`. The five lines above it are walked in test_tutorial.py."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.process import ROOT, ServerProcess, free_port

PLACE = f"{'Library/Application Support' if sys.platform == 'darwin' else '.local/share'}/sanic-chatrooms"
README = (ROOT / "README.md").read_text()


@pytest.fixture
def home() -> Iterator[Path]:
    """Where paths are short: the embedded server's socket lies below it."""
    home = Path(tempfile.mkdtemp(prefix="home-"))
    yield home
    shutil.rmtree(home)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone for which `make venv` was run: its environment is the one of these tests."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("example_app", "sanic_chatrooms", "scripts"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (tmp_path / ".venv" / ".ready").touch()
    return tmp_path


def test_make_run_says_once_where_it_is_and_keeps_what_is_said_where_the_readme_says(
    clone: Path, home: Path
) -> None:
    port = free_port()
    env = {"PORT": str(port), "HOME": str(home), "XDG_DATA_HOME": "", "PYTHONPATH": "", "WORKERS": "1"}
    server = ServerProcess(["make", "run"], port, env=env, cwd=clone)
    try:
        server.wait_until_answering()
        assert server.output.count(f"http://127.0.0.1:{port}") == 1
        assert f"`~/{PLACE}`" in README
        [directory] = (home / PLACE).iterdir()
        assert str(port) in directory.name
        os.killpg(server.process.pid, signal.SIGINT)
        server.process.wait(60)
    finally:
        server.kill()

    assert "Traceback" not in server.output
