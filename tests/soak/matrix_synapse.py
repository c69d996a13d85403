"""The bridge to Matrix and a real Synapse: people on both sides speak while the bridge is killed again and again. Each message arrives on the
other side once, in its sender's order.

Synapse is installed from PyPI into an environment of its own in .cache/synapse, once.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx

import sanic_chatrooms
from sanic_chatrooms import ChatRooms, User
from tests.soak.runs import Progress, Verdict, main
from tests.support.process import ROOT, free_port, start_command
from tests.support.programs import EXAMPLES, followed
from tests.support.valkey import running

SHORT = 0.02
MESSAGES, KILLS = 1_000, 20
ENVIRONMENT = ROOT / ".cache" / "synapse"
SYNAPSE = ENVIRONMENT / "bin" / "synapse_homeserver"
PATIENCE = 180.0  # seconds after the last message
REGISTRATION = """
id: chat
url: http://127.0.0.1:{bridge}
as_token: as
hs_token: hs
sender_localpart: chat-bridge
rate_limited: false
namespaces:
  users:
    - regex: "@chat_.*:example\\\\.org"
      exclusive: true
"""
SETTINGS = """
listeners: [{{port: {port}, bind_addresses: [127.0.0.1], type: http, resources: [{{names: [client]}}]}}]
app_service_config_files: [{directory}/bridge.yaml]
registration_shared_secret: secret
trusted_key_servers: []
rc_message: {{per_second: 10000, burst_count: 10000}}
"""


class Homeserver:
    """Synapse, and Ben, who has an account there."""

    def __init__(self, url: str, http: httpx.AsyncClient) -> None:
        self.url = url
        self._http = http
        self.room = ""

    async def ask(self, method: str, path: str, content: Any = None) -> Any:
        answer = await self._http.request(method, f"{self.url}{path}", json=content)
        answer.raise_for_status()
        return answer.json()

    async def begin(self) -> None:
        """Register Ben, who makes a room."""
        register = "/_synapse/admin/v1/register"
        nonce = (await self.ask("GET", register))["nonce"]
        told = f"{nonce}\0ben\0long password\0notadmin".encode()
        mac = hmac.new(b"secret", told, hashlib.sha1).hexdigest()
        ben = {"nonce": nonce, "username": "ben", "password": "long password", "admin": False, "mac": mac}
        self._http.headers["Authorization"] = (
            f"Bearer {(await self.ask('POST', register, ben))['access_token']}"
        )
        made = await self.ask("POST", "/_matrix/client/v3/createRoom", {"preset": "public_chat"})
        self.room = made["room_id"]

    async def say(self, text: str) -> None:
        path = f"/_matrix/client/v3/rooms/{self.room}/send/m.room.message/{text}"
        await self.ask("PUT", path, {"msgtype": "m.text", "body": text})

    async def said(self) -> dict[str, list[str]]:
        """All texts in the room, by sender, in order."""
        found: dict[str, list[str]] = defaultdict(list)
        path, start = f"/_matrix/client/v3/rooms/{self.room}/messages?dir=f&limit=500", ""
        while True:
            page = await self.ask("GET", path + (f"&from={start}" if start else ""))
            for event in page["chunk"]:
                if event["type"] == "m.room.message":
                    found[event["sender"]].append(event["content"]["body"])
            if not (start := page.get("end", "")):
                return found


@contextlib.asynccontextmanager
async def homeserver(directory: Path, bridge: int) -> AsyncIterator[Homeserver]:
    if not SYNAPSE.exists():
        await asyncio.to_thread(_install)
    port = free_port()
    (directory / "bridge.yaml").write_text(REGISTRATION.format(bridge=bridge))
    (directory / "own.yaml").write_text(SETTINGS.format(port=port, directory=directory))
    made = directory / "homeserver.yaml"
    command = [str(SYNAPSE), "--config-path", str(made)]
    generate = ["--server-name", "example.org", "--generate-config", "--report-stats=no"]
    place = ["--data-directory", str(directory)]
    await asyncio.to_thread(
        subprocess.run, [*command, *generate, *place], check=True, cwd=directory, capture_output=True
    )
    own = ["--config-path", str(directory / "own.yaml")]
    server = await asyncio.to_thread(start_command, [*command, *own], port, within=120.0)
    try:
        async with httpx.AsyncClient(timeout=60) as http:
            there = Homeserver(server.url, http)
            await there.begin()
            yield there
    finally:
        await asyncio.to_thread(server.kill)


def _install() -> None:
    subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True)
    pip = [str(ENVIRONMENT / "bin" / "python"), "-m", "pip", "install", "--quiet", "matrix-synapse"]
    subprocess.run(pip, check=True)


async def history(chat: ChatRooms) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    after = 0
    while page := (await chat.history("general", after=after, limit=200)).messages:
        for message in page:
            found[message["sender"]["id"]].append(message["payload"]["text"])
        after = page[-1]["seq"]
    return found


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict = Verdict()
    messages, kills = max(20, int(MESSAGES * scale)), max(2, int(KILLS * scale))
    with running() as valkey, tempfile.TemporaryDirectory() as directory:
        port = free_port()
        async with (
            homeserver(Path(directory), port) as there,
            sanic_chatrooms.connect(store=valkey.url, namespace="Shop", guests=True) as chat,
        ):
            await chat.ensure_room("general")
            tokens = {"MATRIX_URL": there.url, "MATRIX_AS_TOKEN": "as", "MATRIX_HS_TOKEN": "hs"}
            env = {**tokens, "REDIS_URL": valkey.url, "MATRIX_ROOMS": json.dumps({"general": there.room})}
            program = [sys.executable, str(EXAMPLES / "matrix_bridge.py")]

            async def begin() -> Any:
                return await asyncio.to_thread(start_command, program, port, env={**env, "PORT": str(port)})

            bridge = await begin()
            try:
                await followed(chat, "matrix", "general")
                for n in range(messages):
                    await chat.publish("general", "message", {"text": f"a{n}"}, sender=User("ada", "Ada"))
                    await there.say(f"b{n}")
                    if n % (messages // kills) == 1:
                        await asyncio.to_thread(bridge.kill)
                        bridge = await begin()
                    progress(n / messages, f"{n} messages on each side")
                await _compare(verdict, chat, there, messages)
            finally:
                await asyncio.to_thread(bridge.kill)
    verdict.figures = {"messages on each side": messages, "kills": kills}
    return verdict


async def _compare(verdict: Verdict, chat: ChatRooms, there: Homeserver, messages: int) -> None:
    ada, ben = [f"a{n}" for n in range(messages)], [f"b{n}" for n in range(messages)]
    expected = [
        {"ada": ada, "matrix:@ben:example.org": ben},
        {"@chat_ada:example.org": ada, "@ben:example.org": ben},
    ]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while [await history(chat), await there.said()] != expected:  # noqa: ASYNC110
                await asyncio.sleep(0.5)
    for where, found, wanted in zip(
        ("here", "there"), (await history(chat), await there.said()), expected, strict=True
    ):
        for sender, texts in wanted.items():
            if found[sender] != texts:
                lacking = [text for text in texts if text not in found[sender]][:20]
                verdict.wrong.append(
                    f"{where}, of {sender}: {len(found[sender])} of {len(texts)}; lacking {lacking}, or not in order"
                )


if __name__ == "__main__":
    main(soak)
