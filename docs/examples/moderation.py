import re
import time
import unicodedata

import msgspec
from sanic import HTTPResponse, Request, Sanic, empty, raw
from sanic_chatrooms import ChatRooms, Context, Forbidden, User

app = Sanic("Shop")
chat = ChatRooms(guests=True)
app.blueprint(chat.bp)

# region words
WORDS = re.compile(r"\b(darn|heck)\b", re.IGNORECASE)


@chat.before_publish(budget=0.2, on_failure="refuse")
async def mind_the_words(ctx: Context) -> None:
    text = unicodedata.normalize("NFKC", str(ctx.payload.get("text", "")))
    if WORDS.search(text):
        raise Forbidden("please say it in other words")


# endregion


@app.before_server_start
async def make_rooms(_: object) -> None:
    await chat.ensure_room("general", title="General")


# region moderators
@app.put("/moderators/<user:str>")  # these three are behind the login of your staff
async def appoint(request: Request, user: str) -> HTTPResponse:
    await chat.add_member("general", User(user, request.json["name"]), "moderator")
    return empty()


# endregion


# region reports
@app.get("/moderation/reports")
async def reports(request: Request) -> HTTPResponse:
    page = await chat.reports(cursor=request.args.get("cursor"))
    return raw(msgspec.json.encode(page), content_type="application/json")


@app.post("/moderation/reports/<id:str>")
async def close(request: Request, id: str) -> HTTPResponse:
    await chat.close_report(id, request.json["outcome"])
    return empty()


# endregion


# region one
@app.post("/moderation/<user:str>/remove")
async def remove(request: Request, user: str) -> HTTPResponse:
    await chat.delete("general", request.json["msgId"])
    await chat.kick("general", user)
    return empty()


@app.post("/moderation/<user:str>/mute")
async def mute(request: Request, user: str) -> HTTPResponse:
    await chat.mute("general", user, until=time.time() + 600, reason=request.json["reason"])
    return empty()


@app.post("/moderation/<user:str>/keep-out")
async def keep_out(request: Request, user: str) -> HTTPResponse:
    await chat.ban("general", user, reason=request.json["reason"])
    return empty()


# endregion


# region slow
@app.post("/moderation/calm")
async def calm(_: Request) -> HTTPResponse:
    await chat.update_room("general", slow_mode=10)  # seconds between two messages of a user
    return empty()


# endregion


# region server
@app.post("/moderation/<user:str>/ban")
async def ban(request: Request, user: str) -> HTTPResponse:
    day = 86400
    await chat.ban_user(user, until=time.time() + day, reason=request.json["reason"])
    return empty()


@app.post("/moderation/<user:str>/unban")
async def unban(_: Request, user: str) -> HTTPResponse:
    await chat.unban_user(user)
    return empty()


# endregion
