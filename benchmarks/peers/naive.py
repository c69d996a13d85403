"""What Sanic's guide leads to: everybody in a set, and one `await ws.send()` per receiver. python naive.py PORT

It neither parses nor numbers nor keeps anything: what comes in goes out.
"""

import sys

from sanic import Request, Sanic, Websocket

app = Sanic("Naive")
rooms: dict[str, set[Websocket]] = {}


@app.websocket("/chat/ws/<room>")  # type: ignore[untyped-decorator]
async def chat(_: Request, ws: Websocket, room: str) -> None:
    members = rooms.setdefault(room, set())
    members.add(ws)
    try:
        async for text in ws:
            for member in list(members):
                await member.send(text)
    finally:
        members.discard(ws)


if __name__ == "__main__":
    app.run("127.0.0.1", int(sys.argv[1]), single_process=True, access_log=False, motd=False)
