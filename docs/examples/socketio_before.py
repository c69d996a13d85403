from itertools import count
from typing import Any

import jwt
from sanic import HTTPResponse, Request, Sanic, empty
import socketio

SECRET = "an example: write here what `openssl rand -base64 48` prints"
ROOMS = ("general", "support")

app = Sanic("Shop")
app.config.CORS_SUPPORTS_CREDENTIALS = True
sio = socketio.AsyncServer(async_mode="sanic")
sio.attach(app)

history: dict[str, list[dict[str, Any]]] = {room: [] for room in ROOMS}
votes: dict[str, int] = {}
numbers = count(1)


# region connect
@sio.event
async def connect(sid: str, _: dict[str, Any], auth: dict[str, str]) -> None:
    try:
        claims = jwt.decode(auth["token"], SECRET, ["HS256"])
    except (TypeError, KeyError, jwt.PyJWTError):
        raise socketio.exceptions.ConnectionRefusedError("sign in first") from None
    await sio.save_session(sid, {"id": claims["sub"], "name": claims["name"]})
    await sio.enter_room(sid, f"user:{claims['sub']}")


# endregion


# region join
@sio.event
async def join(sid: str, room: str) -> dict[str, Any]:
    if room not in ROOMS:
        return {"error": "there is no such room"}
    user = await sio.get_session(sid)
    await sio.enter_room(sid, room)
    await sio.emit("joined", {"room": room, "user": user}, room=room, skip_sid=sid)
    return {"messages": history[room][-50:]}


# endregion


# region message
@sio.event
async def message(sid: str, data: dict[str, Any]) -> dict[str, Any]:
    room, text = data["room"], data["text"]
    if room not in sio.rooms(sid):
        return {"error": "join first"}
    if "http://" in text:
        return {"error": "please, no plain http links here"}
    said = {"id": next(numbers), "room": room, "text": text, "sender": await sio.get_session(sid)}
    history[room].append(said)
    await sio.emit("message", said, room=room)
    return {"id": said["id"]}


# endregion


# region typing
@sio.event
async def typing(sid: str, room: str) -> None:
    user = await sio.get_session(sid)
    await sio.emit("typing", {"room": room, "user": user}, room=room, skip_sid=sid)


# endregion


# region vote
@sio.on("vote")
async def vote(sid: str, data: dict[str, Any]) -> dict[str, Any]:
    user = await sio.get_session(sid)
    votes[user["id"]] = int(data["choice"])
    return {"accepted": data["choice"]}


# endregion


# region leave
@sio.event
async def disconnect(sid: str, _: str) -> None:
    user = await sio.get_session(sid)
    for room in sio.rooms(sid):
        if room in ROOMS:
            await sio.emit("left", {"room": room, "user": user}, room=room, skip_sid=sid)


# endregion


# region push
@app.post("/users/<user:str>/notice")
async def notice(request: Request, user: str) -> HTTPResponse:
    await sio.emit("notice", {"title": "Your parcel", "content": request.json["text"]}, room=f"user:{user}")
    return empty()


# endregion
