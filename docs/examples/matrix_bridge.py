import asyncio
from contextlib import AsyncExitStack
from hashlib import sha256
import hmac
import json
import os
import re
from typing import Any
from urllib.parse import quote

import httpx
from sanic import Forbidden, HTTPResponse, Request, Sanic
from sanic.response import json as answer
import sanic_chatrooms as chatrooms
from sanic_chatrooms import ChatError, RoomEvent, Sender, User

ROOMS = json.loads(os.environ.get("MATRIX_ROOMS", '{"general": "!abc:example.org"}'))  # ours: theirs
HOMESERVER = os.environ.get("MATRIX_URL", "http://localhost:8008")
SERVER = os.environ.get("MATRIX_SERVER", "example.org")  # what stands behind the colon of its ids
AS_TOKEN, HS_TOKEN = os.environ["MATRIX_AS_TOKEN"], os.environ["MATRIX_HS_TOKEN"]
GHOST, BRIDGE = (
    "chat_",
    "chat-bridge",
)  # how the names of our users' ghosts begin, and the bridge's own: as registered
FIRST, LONGEST = 1.0, 60.0  # seconds between attempts

app = Sanic("MatrixBridge")
there: set[str] = set()  # ghosts that are registered and in their room


# region hear
@app.put("/_matrix/app/v1/transactions/<_:str>")
async def hear(request: Request, _: str) -> HTTPResponse:
    """What is said in Matrix. An error of ours makes the homeserver repeat it; by its `key`, it is stored once."""
    if not hmac.compare_digest((request.token or "").encode(), HS_TOKEN.encode()):
        raise Forbidden("only the homeserver may ask this")
    for event in request.json["events"]:
        await take(event)
    return answer({})


async def take(event: dict[str, Any]) -> None:
    room = next((ours for ours, theirs in ROOMS.items() if theirs == event.get("room_id")), None)
    sender, text = str(event.get("sender", "")), event.get("content", {}).get("body")
    if room is None or event.get("type") != "m.room.message" or not isinstance(text, str):
        return
    if sender.startswith(f"@{GHOST}") and sender.endswith(f":{SERVER}"):
        return  # we said it ourselves
    key = sha256(event["event_id"].encode()).hexdigest()
    user = User(f"matrix:{sender}", sender)
    try:
        await app.ctx.chat.publish(room, "message", {"text": text}, sender=user, key=key)
    except ChatError as problem:
        if problem.temporary:
            raise
        print(f"{event['event_id']}: refused: {problem}", flush=True)  # it would be refused again


# endregion


# region tell
async def tell() -> None:
    """What is said here, each message at least once; by the same transaction id, Matrix takes a repetition for the same."""
    while True:
        try:
            for room in ROOMS.values():  # of a room where nobody of the bridge is, it would hear nothing
                await enter(f"@{BRIDGE}:{SERVER}", room, "Chat")
            async for event in app.ctx.chat.follow(rooms=list(ROOMS), types=("message",), once="matrix"):
                if event.sender is not None and not event.sender.id.startswith("matrix:"):
                    await say(event, event.sender)
            return  # the chat has stopped
        except ChatError as problem:  # events were lost, or a room is not there
            print(problem, flush=True)
            await asyncio.sleep(LONGEST)


async def say(event: RoomEvent, sender: Sender) -> None:
    room, ghost = ROOMS[event.room], ghost_of(sender)
    await enter(ghost, room, sender.name)
    content = {"msgtype": "m.text", "body": event.payload.get("text", "")}
    await ask("PUT", f"rooms/{quote(room)}/send/m.room.message/{event.msg_id}", content, ghost)


async def enter(ghost: str, room: str, name: str) -> None:
    if f"{ghost} {room}" not in there:
        username = ghost[1:].partition(":")[0]
        await ask("POST", "register", {"type": "m.login.application_service", "username": username})
        await ask("PUT", f"profile/{quote(ghost)}/displayname", {"displayname": name}, ghost)
        await ask("POST", f"join/{quote(room)}", {}, ghost)
        there.add(f"{ghost} {room}")


def ghost_of(sender: Sender) -> str:
    """Ids in Matrix have few characters: what they lack is written by its code."""
    name = re.sub(r"[^a-z0-9.-]", lambda found: f"_{ord(found[0]):x}_", sender.id)
    return f"@{GHOST}{name}:{SERVER}"


# endregion


# region ask
async def ask(method: str, path: str, content: dict[str, Any], user: str | None = None) -> None:
    """One request in the name of a ghost, until it is answered. What the homeserver refuses is logged and left out."""
    url, wait = f"{HOMESERVER}/_matrix/client/v3/{path}", FIRST
    while True:
        try:
            got = await app.ctx.http.request(
                method, url, json=content, params={"user_id": user} if user else {}
            )
            if got.status_code < 500 and got.status_code != 429:
                if got.is_error and "M_USER_IN_USE" not in got.text:
                    print(f"{path}: {got.status_code} {got.text[:200]}", flush=True)
                return
            problem = f"status {got.status_code}"
        except httpx.TransportError as error:
            problem = repr(error)
        print(f"{path} is tried again in {wait:g} s: {problem}", flush=True)
        await asyncio.sleep(wait)
        wait = min(2 * wait, LONGEST)


# endregion


@app.before_server_start
async def start(_: Sanic) -> None:
    store = os.environ.get("REDIS_URL", "redis://localhost")
    app.ctx.exits = AsyncExitStack()
    app.ctx.http = httpx.AsyncClient(headers={"Authorization": f"Bearer {AS_TOKEN}"}, timeout=30)
    await app.ctx.exits.enter_async_context(app.ctx.http)
    connected = chatrooms.connect(store=store, namespace="Shop", guests=True)
    app.ctx.chat = await app.ctx.exits.enter_async_context(connected)


@app.after_server_start
async def follow(_: Sanic) -> None:
    app.ctx.telling = asyncio.create_task(tell())


@app.after_server_stop
async def stop(_: Sanic) -> None:
    app.ctx.telling.cancel()
    await asyncio.wait([app.ctx.telling])
    await app.ctx.exits.aclose()


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(os.environ.get("PORT", "9000")), single_process=True)
