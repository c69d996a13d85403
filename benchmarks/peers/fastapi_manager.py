"""FastAPI on uvicorn with the usual manager: a list of sockets, and one `await` per receiver. python fastapi_manager.py PORT

It neither parses nor numbers nor keeps anything: what comes in goes out.
"""

import sys

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()


class Manager:
    def __init__(self) -> None:
        self.connections: list[WebSocket] = []

    async def broadcast(self, text: str) -> None:
        for connection in list(self.connections):
            await connection.send_text(text)


manager = Manager()


@app.websocket("/chat/ws/bench")  # type: ignore[untyped-decorator]
async def chat(ws: WebSocket) -> None:
    await ws.accept()
    manager.connections.append(ws)
    try:
        while True:
            await manager.broadcast(await ws.receive_text())
    except WebSocketDisconnect:
        manager.connections.remove(ws)


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", ws_per_message_deflate=False)
