"""python-socketio on Sanic: its own rooms, its own emit, an ack per message. python socketio_on_sanic.py PORT"""

import sys
from typing import Any

import socketio
from sanic import Sanic

app = Sanic("SocketIo")
app.config.update(CORS_SUPPORTS_CREDENTIALS=True)
sio = socketio.AsyncServer(async_mode="sanic", cors_allowed_origins=[])
sio.attach(app)


@sio.event  # type: ignore[untyped-decorator]
async def join(sid: str, room: str) -> str:
    await sio.enter_room(sid, room)
    return "ok"


@sio.event  # type: ignore[untyped-decorator]
async def message(sid: str, data: dict[str, Any]) -> str:
    await sio.emit("message", {"sender": sid, "payload": data["payload"]}, room=data["room"])
    return "ok"


if __name__ == "__main__":
    app.run("127.0.0.1", int(sys.argv[1]), single_process=True, access_log=False, motd=False)
