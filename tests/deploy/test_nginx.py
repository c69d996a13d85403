"""The settings of deploy/nginx in a real nginx, before two real workers that are started as deploy/ starts them."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import trustme
from sanic import Sanic

from tests.support.client import Client
from tests.support.deployed import DEPLOY, ROOT, compose, image_command
from tests.support.fixtures import Connect
from tests.support.postgres import PostgresServer, new_database
from tests.support.process import ServerProcess, free_port, start_command
from tests.support.rest import Rest, Stream
from tests.support.server import LiveServer
from tests.support.tools import needed
from tests.support.valkey import running, until

TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


class Nginx:
    """A copy of the settings, with ports and directories of the test's own."""

    def __init__(self, folder: Path, *apps: int) -> None:
        self.folder = folder
        self.port = free_port()
        shutil.copytree(DEPLOY / "nginx", folder)
        self.change("nginx.conf", "server app:8000;", "".join(f"server 127.0.0.1:{port};" for port in apps))
        self.change("servers/plain.conf", "listen 80;", f"listen 127.0.0.1:{self.port};")
        self.change("nginx.conf", "error_log", f"pid {folder}/nginx.pid;\nerror_log")
        # Without root those that are built in cannot be written.
        lines = [f"{name}_temp_path {folder}/{name};\n" for name in TEMPORARY]
        (folder / "servers" / "directories.conf").write_text("".join(lines))

    def change(self, file: str, old: str, new: str) -> None:
        text = (self.folder / file).read_text()
        assert old in text
        (self.folder / file).write_text(text.replace(old, new))

    def command(self, *more: str) -> list[str]:
        settings = ["-p", str(self.folder), "-c", str(self.folder / "nginx.conf"), "-e", "stderr"]
        return [needed("nginx"), *settings, *more]

    def run(self, *more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*more), capture_output=True, text=True, check=False)


# ---- nginx -t ----


def test_nginx_accepts_the_settings(tmp_path: Path) -> None:
    done = Nginx(tmp_path / "nginx", 8000).run("-t")

    assert "syntax is ok" in done.stderr
    assert "test is successful" in done.stderr
    assert "[warn]" not in done.stderr


def test_nginx_accepts_the_settings_with_tls(tmp_path: Path) -> None:
    nginx = Nginx(tmp_path / "nginx", 8000)
    shutil.move(nginx.folder / "tls.conf", nginx.folder / "servers" / "plain.conf")
    nginx.change("servers/plain.conf", "listen 443", f"listen 127.0.0.1:{free_port()}")
    nginx.change("servers/plain.conf", "listen 80;", f"listen 127.0.0.1:{nginx.port};")
    certificate = trustme.CA().issue_cert("chat.example")
    (nginx.folder / "tls").mkdir()
    certificate.cert_chain_pems[0].write_to_path(nginx.folder / "tls" / "chat.pem")
    certificate.private_key_pem.write_to_path(nginx.folder / "tls" / "chat.key")

    done = nginx.run("-t")

    assert "test is successful" in done.stderr
    assert "[warn]" not in done.stderr


def test_nginx_would_say_what_is_wrong(tmp_path: Path) -> None:
    nginx = Nginx(tmp_path / "nginx", 8000)
    nginx.change("proxy.conf", "proxy_buffering off;", "proxy_buffering never;")

    assert nginx.run("-t").returncode != 0


# ---- two workers behind it ----


@pytest.fixture(scope="module")
def apps(tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer) -> Iterator[list[ServerProcess]]:
    """Two containers' processes: the image's command and the environment of the compose file, with addresses from here."""
    folder = tmp_path_factory.mktemp("app")
    shutil.copy(ROOT / "docs" / "examples" / "many_machines.py", folder / "shop.py")
    with running() as valkey, ThreadPoolExecutor() as threads:
        environ = {
            **compose()["services"]["app"]["environment"],
            "SANIC_CHATROOMS_STORE": threads.submit(asyncio.run, new_database(postgres)).result(),
            "SANIC_CHATROOMS_BROKER": valkey.url,
            "SANIC_CHATROOMS_API": "1",
            "PYTHONPATH": f"{folder}:{ROOT}",
        }
        servers = list(threads.map(start_container, (free_port(), free_port()), (environ, environ)))
        yield servers
        list(threads.map(ServerProcess.stop, servers))


def start_container(port: int, environ: dict[str, str]) -> ServerProcess:
    command = [sys.executable, *image_command()[1:]]
    command[command.index("8000")] = str(port)
    command[command.index("0.0.0.0")] = "127.0.0.1"
    return start_command(command, port, path="/chat/health", env=environ)


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory, apps: list[ServerProcess]) -> Nginx:
    return Nginx(tmp_path_factory.mktemp("proxy") / "nginx", *(app.port for app in apps))


@pytest.fixture(scope="module")
def proxy(nginx: Nginx) -> Iterator[ServerProcess]:
    server = start_command(nginx.command("-g", "daemon off;"), nginx.port)
    yield server
    server.stop()


def connections(app: ServerProcess) -> int:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{app.url}/chat/metrics", timeout=10) as answer:
        return int(
            float(re.findall(r"^chatrooms_connections (.+)$", answer.read().decode(), re.MULTILINE)[0])
        )


async def in_general(connect: Connect, proxy: ServerProcess, **since: object) -> Client:
    client = await connect(server=proxy, origin=proxy.url)
    await client.expect("welcome")
    client.joined = await client.ack("join", room="general", payload=since or None)  # type: ignore[attr-defined]
    return client


async def on(app: ServerProcess, connect: Connect, proxy: ServerProcess) -> Client:
    """Somebody whom nginx led to this worker; others may have come to the other one before."""
    async with asyncio.timeout(20):
        while True:
            before = connections(app)
            client = await in_general(connect, proxy)
            if connections(app) > before:
                return client


async def assert_talking(one: Client, other: Client, text: str) -> None:
    await one.ack("message", room="general", payload={"text": text})
    await other.expect("message", payload={"text": text})


def processes(server: ServerProcess) -> set[psutil.Process]:
    """Those that serve newcomers, and those of settings before."""
    return set(psutil.Process(server.process.pid).children())


async def test_a_chat_goes_on_while_nginx_reloads(
    apps: list[ServerProcess], nginx: Nginx, proxy: ServerProcess, connect: Connect
) -> None:
    ada, bob = [await on(app, connect, proxy) for app in apps]
    await assert_talking(ada, bob, "before")
    before = processes(proxy)

    assert nginx.run("-s", "reload").returncode == 0

    await asyncio.to_thread(until, lambda: bool(processes(proxy) - before), "nginx has new processes")
    await assert_talking(bob, ada, "after")
    eve = await in_general(connect, proxy)
    await assert_talking(ada, eve, "new")
    assert ada.is_open
    assert bob.is_open


async def test_the_world_does_not_see_the_metrics(proxy: ServerProcess, connect: Connect) -> None:
    assert (await connect.refused("/chat/metrics", server=proxy)).status == 404


async def test_a_page_of_another_origin_stays_outside(proxy: ServerProcess, connect: Connect) -> None:
    assert (await connect.refused(server=proxy, origin="http://elsewhere.example")).status == 403


async def test_a_stream_of_events_goes_on_after_forty_cuts_on_either_worker(
    proxy: ServerProcess, connect: Connect
) -> None:
    ada, eve = await in_general(connect, proxy), await in_general(connect, proxy)
    welcome = next(frame for frame in ada.frames if frame["type"] == "welcome")
    bob = Rest(LiveServer(Sanic("elsewhere"), "127.0.0.1", proxy.port))
    bob.headers = {"Authorization": f"Bearer {welcome['payload']['guestToken']}"}
    stream, heard = await Stream.open(bob), list[int]()

    async def speak(client: Client) -> None:
        for number in range(20):
            said = await client.ack("message", room="general", payload={"text": str(number)})
            numbers.append(said["seq"])

    numbers: list[int] = []
    speaking = [asyncio.ensure_future(speak(client)) for client in (ada, eve)]
    while len(heard) < 40:
        heard.append((await stream.durable()).data["seq"])
        stream.writer.transport.abort()
        stream = await Stream.open(bob, Last_Event_ID=stream.last_id or "")
    await asyncio.gather(*speaking)
    await stream.close()

    assert heard == sorted(numbers)


# The last one: it takes one of the two workers away.
async def test_who_is_sent_away_by_one_worker_goes_on_at_the_other(
    apps: list[ServerProcess], proxy: ServerProcess, connect: Connect
) -> None:
    await asyncio.to_thread(
        until, lambda: not any(map(connections, apps)), "the clients of other tests have left"
    )
    ada = await on(apps[0], connect, proxy)
    said = await ada.ack("message", room="general", payload={"text": "1"})
    position = {"seq": said["seq"], "epoch": ada.joined["epoch"]}  # type: ignore[attr-defined]

    apps[0].terminate()

    assert (await ada.closed())[0] == 1012
    bob = await in_general(connect, proxy)
    await bob.ack("message", room="general", payload={"text": "2"})
    back = await in_general(connect, proxy, since=position)
    assert back.joined["recovered"] is True  # type: ignore[attr-defined]
    assert [event["payload"] for event in back.joined["messages"]] == [{"text": "2"}]  # type: ignore[attr-defined]
