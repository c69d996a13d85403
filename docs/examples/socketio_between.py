import asyncio
from typing import Any

import jwt
from sanic import Sanic
from sanic_chatrooms import ChatError, ChatRooms, User
import socketio

SECRET = "an example: write here what `openssl rand -base64 48` prints"
ROOMS = ("general", "support")

app = Sanic("Shop")
app.config.CORS_SUPPORTS_CREDENTIALS = True
chat = ChatRooms(jwt_secret=SECRET)
app.blueprint(chat.bp)  # new pages: /chat/ws
sio = socketio.AsyncServer(async_mode="sanic")
sio.attach(app)  # old pages: /socket.io


@app.before_server_start
async def make_rooms(_: object) -> None:
    for room in ROOMS:
        await chat.ensure_room(room, title=room.title())


# region old
@sio.event
async def connect(sid: str, _: dict[str, Any], auth: dict[str, str]) -> None:
    try:
        claims = jwt.decode(auth["token"], SECRET, ["HS256"])
    except (TypeError, KeyError, jwt.PyJWTError):
        raise socketio.exceptions.ConnectionRefusedError("sign in first") from None
    await sio.save_session(sid, {"id": claims["sub"], "name": claims["name"]})


@sio.event
async def join(sid: str, room: str) -> dict[str, Any]:
    user = await who(sid)
    try:
        page = await chat.history(room, limit=50, as_user=user)
    except ChatError as problem:
        return {"error": str(problem)}
    await sio.enter_room(sid, room)
    return {"messages": [old(event) for event in page.messages if event["type"] == "message"]}


@sio.event
async def message(sid: str, data: dict[str, Any]) -> dict[str, Any]:
    try:
        stored = await chat.publish(data["room"], "message", {"text": data["text"]}, as_user=await who(sid))
    except ChatError as problem:
        return {"error": str(problem)}
    return {"id": stored.seq}


async def who(sid: str) -> User:
    session = await sio.get_session(sid)
    return User(session["id"], session["name"])


# endregion


# region forward
@app.after_server_start
async def begin(app: Sanic) -> None:
    app.ctx.forwarding = asyncio.create_task(forward())  # it ends when the chat stops


async def forward() -> None:
    """Everything that is said, by old and by new pages, goes to the old ones of this worker."""
    async for event in chat.follow(rooms=list(ROOMS), types=("message",)):
        said = {"seq": event.seq, "room": event.room, "payload": event.payload}
        sender = {"id": event.sender.id, "name": event.sender.name} if event.sender else None
        await sio.emit("message", old({**said, "sender": sender}), room=event.room)


def old(event: dict[str, Any]) -> dict[str, Any]:
    """A message in the form that the old pages know."""
    return {
        "id": event["seq"],
        "room": event["room"],
        "text": event["payload"].get("text", "(deleted)"),
        "sender": event["sender"] or {"id": "shop", "name": "Shop"},
    }


# endregion
