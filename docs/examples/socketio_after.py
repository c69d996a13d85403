from typing import Any

import msgspec
from sanic import HTTPResponse, Request, Sanic, empty
from sanic_chatrooms import ChatRooms, Context, Forbidden
from sanic_chatrooms.hooks.middleware import Handler

SECRET = "an example: write here what `openssl rand -base64 48` prints"
ROOMS = ("general", "support")

app = Sanic("Shop")
# region mount
chat = ChatRooms(jwt_secret=SECRET)
app.blueprint(chat.bp)
# endregion

votes: dict[str, int] = {}


# region rooms
@app.before_server_start
async def make_rooms(_: object) -> None:
    for room in ROOMS:
        await chat.ensure_room(room, title=room.title())


# endregion


# region middleware
@chat.middleware("message")
async def no_links(ctx: Context, call_next: Handler) -> Any:
    if "http://" in ctx.payload.get("text", ""):
        raise Forbidden("please, no plain http links here")
    return await call_next(ctx)


# endregion


# region vote
class Vote(msgspec.Struct):
    choice: int


@chat.command("poll.vote", payload=Vote)
async def vote(ctx: Context, vote: Vote) -> dict[str, Any]:
    votes[ctx.user.id] = vote.choice
    return {"accepted": vote.choice}


# endregion


# region push
@app.post("/users/<user:str>/notice")
async def notice(request: Request, user: str) -> HTTPResponse:
    await chat.notify(user, "notice", {"title": "Your parcel", "content": request.json["text"]})
    return empty()


# endregion
