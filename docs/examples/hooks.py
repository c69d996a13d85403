from typing import Any

import msgspec
from sanic import Sanic
from sanic_chatrooms import ChatError, ChatRooms, Context, Forbidden, Happening
from sanic_chatrooms.hooks.middleware import Handler

app = Sanic("Shop")
chat = ChatRooms(guests=True)
app.blueprint(chat.bp)


# region middleware
@chat.middleware("message")
async def no_links(ctx: Context, call_next: Handler) -> Any:
    if "http://" in ctx.payload.get("text", ""):
        raise Forbidden("please, no plain http links here")
    ctx.payload = {**ctx.payload, "text": ctx.payload["text"].replace("teh", "the")}
    return await call_next(ctx)


# endregion


# region around-all
@chat.middleware
async def count(ctx: Context, call_next: Handler) -> Any:
    ctx.session.data["commands"] = ctx.session.data.get("commands", 0) + 1
    return await call_next(ctx)


# endregion


# region listener
@chat.on("message")
async def answer_bot(event: Happening) -> None:
    if event.room is not None and event.payload["text"] == "/time":
        await chat.push(event.room, "notice", {"title": "Time", "content": "Tea time."})


# endregion


# region connect
@chat.on("connect")
async def closed_to(event: Happening) -> None:
    if event.user is not None and event.user.name == "Eve":
        raise Forbidden("not today")


# endregion


# region command
class Vote(msgspec.Struct):
    choice: int


class PollClosed(ChatError):
    code = "poll_closed"


@chat.command("poll.vote", payload=Vote)
async def vote(ctx: Context, vote: Vote) -> dict[str, Any]:
    if vote.choice > 3:
        raise PollClosed("this choice is not open any more", choice=vote.choice)
    return {"accepted": vote.choice, "by": ctx.user.id}


# endregion


# region signal
@app.signal("chatrooms.member.joined")
async def member_joined(happening: Happening) -> None:
    app.ctx.last_member = happening.user


# endregion
