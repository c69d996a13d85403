"""The settings of deploy/ in a real nginx and a real Caddy, before two real workers that are started as deploy/ starts them."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path

import psutil
import pytest
import trustme
from sanic import Sanic

from sanic_chatrooms.client import ChatClient
from sanic_chatrooms.command_line.check.run import examine
from sanic_chatrooms.command_line.check.visit import Visit
from tests.support.client import Client
from tests.support.deployed import DEPLOY, ROOT, compose, image_command
from tests.support.fixtures import Connect
from tests.support.nginx import Nginx
from tests.support.postgres import PostgresServer, new_database
from tests.support.process import ServerProcess, free_port, start_command
from tests.support.rest import Rest, Stream
from tests.support.server import LiveServer
from tests.support.valkey import running, until

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


# ---- caddy validate ----


class Caddy:
    """The Caddyfile as it is, with addresses from the environment."""

    def __init__(self, folder: Path, *apps: int, site: str = "chat.example") -> None:
        self.port = free_port()
        self.file = folder / "Caddyfile"
        shutil.copy(DEPLOY / "caddy" / "Caddyfile", self.file)
        self.environ = {
            "CHAT_SITE": site.format(port=self.port),
            "CHAT_WORKERS": " ".join(f"127.0.0.1:{port}" for port in apps),
            "CADDY_ADMIN": f"127.0.0.1:{free_port()}",
            "XDG_DATA_HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder),
        }

    def command(self, verb: str, *more: str) -> list[str]:
        program = Path(sysconfig.get_path("scripts")) / "caddy"  # out of a wheel
        return [str(program), verb, "--config", str(self.file), "--adapter", "caddyfile", *more]

    def run(self, verb: str, *more: str) -> subprocess.CompletedProcess[str]:
        environ = {**os.environ, **self.environ}
        return subprocess.run(
            self.command(verb, *more), env=environ, capture_output=True, text=True, check=False
        )

    def start(self) -> ServerProcess:
        return start_command(self.command("run"), self.port, path="/chat/metrics", env=self.environ)


def test_caddy_accepts_the_settings(tmp_path: Path) -> None:
    done = Caddy(tmp_path, 8000, 8001).run("validate")

    assert done.returncode == 0, done.stderr
    assert '"level":"warn"' not in done.stderr


def test_caddy_would_say_what_is_wrong(tmp_path: Path) -> None:
    caddy = Caddy(tmp_path, 8000)
    caddy.file.write_text(caddy.file.read_text().replace("least_conn", "fewest"))

    assert caddy.run("validate").returncode != 0


def test_caddy_logs_no_token(tmp_path: Path) -> None:
    caddy = Caddy(tmp_path, free_port(), site="http://127.0.0.1:{port}")
    caddy.file.write_text(caddy.file.read_text().replace("lb_try_duration 5s", "lb_try_duration 0"))
    server = caddy.start()
    url = f"{server.url}/chat/ws?token=my-token&ticket=my-ticket&other=7"
    shown = {"Sec-WebSocket-Protocol": "chatrooms.v1, bearer.my-token", "Cookie": "session=my-token"}
    try:
        with pytest.raises(urllib.error.HTTPError) as refused:
            opener().open(urllib.request.Request(url, headers=shown), timeout=20)
        refused.value.close()
        server.wait_for(lambda output: "other=7" in output, "the failure is logged")
    finally:
        server.stop()

    assert refused.value.code == 502
    assert "my-t" not in server.output


# ---- two workers behind them ----


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
    server = nginx.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def caddy(tmp_path_factory: pytest.TempPathFactory, apps: list[ServerProcess]) -> Caddy:
    ports = [app.port for app in apps]
    return Caddy(tmp_path_factory.mktemp("caddy"), *ports, site="http://127.0.0.1:{port}")


@pytest.fixture(scope="module")
def caddy_proxy(caddy: Caddy) -> Iterator[ServerProcess]:
    server = caddy.start()
    yield server
    server.stop()


@pytest.fixture(params=["nginx", "Caddy"])
def any_proxy(request: pytest.FixtureRequest) -> ServerProcess:
    server: ServerProcess = request.getfixturevalue("proxy" if request.param == "nginx" else "caddy_proxy")
    return server


def opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))  # to this machine, whatever is set


def connections(app: ServerProcess) -> int:
    with opener().open(f"{app.url}/chat/metrics", timeout=10) as answer:
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
    async with asyncio.timeout(40):
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


async def test_a_chat_goes_on_while_caddy_reloads(
    apps: list[ServerProcess], caddy: Caddy, caddy_proxy: ServerProcess, connect: Connect
) -> None:
    ada, bob = [await on(app, connect, caddy_proxy) for app in apps]
    await assert_talking(ada, bob, "before")

    done = await asyncio.to_thread(caddy.run, "reload", "--force", "--address", caddy.environ["CADDY_ADMIN"])

    assert done.returncode == 0, done.stderr
    await assert_talking(bob, ada, "after")
    eve = await in_general(connect, caddy_proxy)
    await assert_talking(ada, eve, "new")
    assert ada.is_open
    assert bob.is_open


async def test_a_check_finds_nothing_wrong(any_proxy: ServerProcess) -> None:
    report = await examine(Visit(url=f"{any_proxy.url}/chat", watch=0.0, timeout=20.0))

    assert report.ok, report


@pytest.mark.parametrize("path", ["/chat/metrics", "/chat/metrics/", "//chat/metrics", "/chat/%6Detrics"])
async def test_the_world_does_not_see_the_metrics(
    any_proxy: ServerProcess, connect: Connect, path: str
) -> None:
    assert (await connect.refused(path, server=any_proxy)).status == 404


async def test_a_page_of_another_origin_stays_outside(any_proxy: ServerProcess, connect: Connect) -> None:
    assert (await connect.refused(server=any_proxy, origin="http://elsewhere.example")).status == 403


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


TALKERS = 6
THE_END = "the end"
A_MOMENT = 0.2
"""Seconds between two messages of one talker: nobody misses more than `RECOVERY_LIMIT` while they are away."""


class Talk:
    """Clients in `general` through a proxy, which all talk and all hear, and come back by themselves."""

    def __init__(self, proxy: ServerProcess) -> None:
        url = f"{proxy.ws_url}/chat/ws"
        self.clients = [
            ChatClient(url, name=f"Talker {n}", backoff=(0.1, 1.0), proxy=None) for n in range(TALKERS)
        ]
        self.acked: list[str] = []
        self.heard: list[list[str]] = [[] for _ in self.clients]
        self.over = False
        self.tasks: list[asyncio.Task[None]] = []

    async def begin(self) -> None:
        for client, heard in zip(self.clients, self.heard, strict=True):
            page = await client.join("general")
            since = f"{page['epoch']}:{page['seq']}"
            self.tasks.append(asyncio.create_task(self.hear(client, since, heard)))
        for number, client in enumerate(self.clients):
            self.tasks.append(asyncio.create_task(self.speak(client, number)))

    async def end(self) -> None:
        self.over = True
        await asyncio.gather(*self.tasks[TALKERS:])
        await self.say(self.clients[0], THE_END)
        await asyncio.gather(*self.tasks)

    async def say(self, client: ChatClient, text: str) -> None:
        await client.send("general", text)
        self.acked.append(text)

    async def speak(self, client: ChatClient, number: int) -> None:
        said = 0
        while not self.over:
            said += 1
            await self.say(client, f"{number}: {said}")
            await asyncio.sleep(A_MOMENT)

    async def hear(self, client: ChatClient, since: str, heard: list[str]) -> None:
        async for event in client.follow("general", since=since, types=("message",)):
            heard.append(event["payload"]["text"])
            if heard[-1] == THE_END:
                return

    async def goes_on(self) -> None:
        """Everybody says one thing more, which is acknowledged."""
        before = [self.last(number) for number in range(TALKERS)]
        await eventually(lambda: all(self.last(number) > before[number] for number in range(TALKERS)))

    def last(self, number: int) -> int:
        return max((int(text.split()[1]) for text in self.acked if text.startswith(f"{number}:")), default=0)


async def eventually(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 - nobody tells a test
            await asyncio.sleep(0.01)


# The last one: it takes one of the two workers away.
async def test_who_is_sent_away_by_one_worker_goes_on_at_the_other_and_nothing_is_lost(
    apps: list[ServerProcess], proxy: ServerProcess, connect: Connect
) -> None:
    stopping = apps[0]
    await asyncio.to_thread(
        until, lambda: not any(map(connections, apps)), "the clients of other tests have left"
    )
    async with AsyncExitStack() as stack:
        talk = Talk(proxy)
        for client in talk.clients:
            await stack.enter_async_context(client)
        ada = await on(stopping, connect, proxy)
        assert 0 < connections(stopping) - 1 < TALKERS, "there are talkers on both"
        await talk.begin()
        await talk.goes_on()
        said = await ada.ack("message", room="general", payload={"text": "Ada"})
        talk.acked.append("Ada")

        stopping.terminate()

        assert (await ada.closed())[0] == 1012
        assert await asyncio.to_thread(stopping.process.wait, 30) in (0, -signal.SIGTERM)
        await talk.goes_on()
        await talk.end()

    order = talk.heard[0]
    assert all(heard == order for heard in talk.heard)
    assert sorted(order) == sorted(talk.acked), "each that was acknowledged is there once"
    assert "Traceback" not in stopping.output, stopping.output
    position = {"seq": said["seq"], "epoch": ada.joined["epoch"]}  # type: ignore[attr-defined]
    back = await in_general(connect, proxy, since=position)
    missed = [event["payload"]["text"] for event in back.joined["messages"]]  # type: ignore[attr-defined]
    assert back.joined["recovered"] is True  # type: ignore[attr-defined]
    assert missed == order[order.index("Ada") + 1 :]
