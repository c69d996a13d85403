"""The page where no WebSocket gets through: behind an nginx that was told nothing of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect
from sanic import Sanic

from sanic_chatrooms import ChatRooms
from tests.browser.acts import enter, messages, say
from tests.browser.conftest import Pages
from tests.support.fixtures import Live
from tests.support.process import ServerProcess, free_port, start_command
from tests.support.tools import needed

pytestmark = pytest.mark.asyncio(loop_scope="session")
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
CONFIG = """
daemon off;
pid {folder}/nginx.pid;
events {{}}
http {{
    access_log off;
    {temporary}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{app};
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
        }}
    }}
}}
"""


@pytest.fixture
def proxies(tmp_path: Path) -> Iterator[Any]:
    """`proxy = proxies(port)`: an nginx with as few settings as it takes, before this port."""
    running: list[ServerProcess] = []

    def before(app: int) -> ServerProcess:
        port = free_port()
        temporary = " ".join(f"{name}_temp_path {tmp_path}/{name};" for name in TEMPORARY)
        config = tmp_path / "nginx.conf"
        config.write_text(CONFIG.format(folder=tmp_path, port=port, app=app, temporary=temporary))
        command = [needed("nginx"), "-p", str(tmp_path), "-c", str(config), "-e", "stderr"]
        running.append(start_command(command, port))
        return running[-1]

    yield before
    for process in running:
        process.stop()


async def test_two_people_talk_and_one_of_them_has_no_socket(
    app: Sanic[Any, Any], live: Live, new_page: Pages, proxies: Any
) -> None:
    chat = ChatRooms(guests=True, api=True, drain_seconds=0)
    app.blueprint(chat.bp)
    server = await live()
    await chat.create_room("general", title="General")
    ada = await new_page(base_url=server.url)
    proxy = await asyncio.to_thread(proxies, server.port)  # it asks the server, which runs in this loop
    bob = await new_page(base_url=proxy.url)
    asked: list[str] = []
    bob.on("request", lambda request: asked.append(request.url))

    await enter(ada, "Ada", path="/chat/")
    await enter(bob, "Bob", path="/chat/")
    await say(bob, "Over HTTP")
    await expect(messages(ada).last).to_contain_text("Over HTTP")
    await say(ada, "I hear you")
    await expect(messages(bob).last).to_contain_text("I hear you")
    assert any(url.endswith("/chat/client-http.js") for url in asked)
    assert any("/events" in url for url in asked)
