"""Autobahn's cases for RFC 6455, against the fast edge's reader and writer with a bare echo behind them."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.fixtures import SubprocessServer

PASSED = {"OK", "NON-STRICT", "INFORMATIONAL"}
COMPRESSION = ("12.*", "13.*")
"""permessage-deflate is never negotiated, so there is nothing to test of it."""


def run_cases(port: int, reports: Path) -> dict[str, dict[str, Any]]:
    excluded = [word for case in COMPRESSION for word in ("-x", case)]
    kosoku = Path(sys.executable).parent / "kosoku"
    subprocess.run(
        [str(kosoku), *excluded, "-o", str(reports), f"127.0.0.1:{port}"],
        check=False,
        capture_output=True,
        timeout=160,
    )
    (index,) = reports.rglob("index.json")
    (cases,) = json.loads(index.read_text()).values()
    return dict(cases)


async def test_every_case_passes(subprocess_server: SubprocessServer, tmp_path: Path) -> None:
    server = await subprocess_server(Path(__file__).parent / "echo.py", workers=1)

    cases = await asyncio.to_thread(run_cases, server.port, tmp_path)

    failed = {
        case: (result["behavior"], result["behaviorClose"])
        for case, result in cases.items()
        if result["behavior"] not in PASSED or result["behaviorClose"] not in PASSED
    }
    assert len(cases) == 301
    assert failed == {}
    assert "Traceback" not in server.output
