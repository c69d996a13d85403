"""The project in tests/npm with the tools that its lock file names, from the npm registry."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.process import ROOT

__all__ = ["MODULES", "NPM", "PROJECT", "install", "output"]

PROJECT = ROOT / "tests" / "npm"
MODULES = PROJECT / "node_modules"
INSTALLED = MODULES / ".package-lock.json"
LOCK_FILE = PROJECT / "package-lock.json"
NPM = shutil.which("npm")
UNREACHABLE = re.compile(
    r"code (ENOTFOUND|EAI_AGAIN|ECONN\w+|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|E5\d\d|E429)"
)
"""What npm says where the registry gives no answer. Anything else, such as a lock file that does not fit, is a failure."""


def install() -> None:
    """Have the tools in MODULES, or skip the test with the reason. Another process of the tests may do so at the same time."""
    if NPM is None:
        pytest.skip("there is no npm on PATH")
    with LOCK_FILE.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not INSTALLED.exists() or INSTALLED.stat().st_mtime < LOCK_FILE.stat().st_mtime:
            _install()


def _install() -> None:
    patient = ("--fetch-timeout=30000", "--fetch-retries=3", "--no-audit", "--no-fund")
    try:
        done = _ran(NPM, "ci", *patient, cwd=PROJECT)
    except subprocess.TimeoutExpired as late:
        pytest.skip(f"the npm registry gives no answer: {late}")
    if done.returncode and (found := UNREACHABLE.search(done.stderr)):
        pytest.skip(f"the npm registry cannot be reached: {found[1]}")
    assert done.returncode == 0, done.stderr
    INSTALLED.touch()


def output(*command: str | Path | None, cwd: Path, **env: str) -> str:
    """What it prints. It has to succeed."""
    done = _ran(*command, cwd=cwd, **env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _ran(*command: str | Path | None, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    words = [str(word) for word in command]
    return subprocess.run(
        words, cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, check=False, timeout=240
    )
