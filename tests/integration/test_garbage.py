"""A worker's garbage collector does not walk through what was loaded before it served."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.fixtures import SubprocessServer
from tests.support.server import http_request

pytestmark = pytest.mark.asyncio(loop_factories=["asyncio"])

APP = """
import gc
from sanic import Sanic, json
from sanic_chatrooms import ChatRooms

app = Sanic("collected")
app.blueprint(ChatRooms(guests=True).bp)

@app.get("/loaded")
async def loaded(_):
    return json([gc.is_tracked(app.router), any(one is app.router for one in gc.get_objects())])
"""


async def test_what_the_app_has_loaded_is_exempt_when_it_serves(
    subprocess_server: SubprocessServer, tmp_path: Path
) -> None:
    app_file = tmp_path / "app.py"
    app_file.write_text(APP)

    server = await subprocess_server(app_file, spawns=True)

    answer = await http_request("127.0.0.1", server.port, "GET", "/loaded")
    assert answer.text == "[true,false]"
