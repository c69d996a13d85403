"""The clients of the long runs come back as client.js does."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from benchmarks.tools import compiled
from tests.soak._clients import SOURCE, has_compiler

BACKOFF = {"first": 1, "longest": 30}
CODES = (1001, 1006, 1006, 1006, 1006, 1011, 1012, 1013, 4008, 4010, 4012, 4013)
SCENES, ENDS = 40, 12
UNHEARD = {"code": 1006, "opened": 0, "heard": 0, "online": -1, "told": None}


def an_end(dice: random.Random) -> dict[str, Any]:
    """How a connection may end: refused or unreachable, before a welcome, or `online` seconds after it."""
    met = dice.choice(("never", "never", "opened", "heard", "online", "online"))
    online = dice.choice((0, 1, 4, 6, 20)) if met == "online" else -1
    return {
        "code": dice.choice(CODES) if met != "never" else 1006,
        "opened": int(met != "never"),
        "heard": int(met in ("heard", "online")),
        "online": online,
        "lot": round(dice.random(), 6),
        "told": dice.choice((None, 0, 1.5)) if online >= 0 else None,
    }


@pytest.mark.skipif(not has_compiler() or shutil.which("node") is None, reason="needs a C compiler and Node")
def test_they_wait_as_long_as_the_browsers_client() -> None:
    dice = random.Random(16)
    scenes = [[an_end(dice) for _ in range(ENDS)] for _ in range(SCENES)]

    asked = json.dumps({**BACKOFF, "scenes": scenes})
    browsers = json.loads(_ask("node", str(Path(__file__).with_name("_waits.mjs")), given=asked))
    over_http = [told["overHttp"] for scene in browsers for told in scene]
    lines = [_lines(*scene) for scene in zip(scenes, browsers, strict=True)]
    ours = [
        float(wait) for scene in lines for wait in _ask(str(compiled(SOURCE)), "waits", given=scene).split()
    ]

    assert ours == pytest.approx([told["wait"] for scene in browsers for told in scene], abs=2e-3)
    assert 0 < sum(over_http) < len(over_http)


def _lines(scene: list[dict[str, Any]], browsers: list[dict[str, Any]]) -> str:
    """The same for the clients in C. Nothing is heard over HTTP."""
    keys = ("code", "opened", "heard", "online", "lot", "told")
    ends = [
        {**end, **UNHEARD} if told["overHttp"] else end for end, told in zip(scene, browsers, strict=True)
    ]
    return "\n".join(" ".join(f"{end[key]:g}" for key in keys if end[key] is not None) for end in ends)


def _ask(*command: str, given: str) -> str:
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == 0, done.stderr
    return done.stdout
