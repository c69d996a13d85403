from sanic import HTTPResponse, Request, Sanic, json
from sanic_chatrooms import ChatRooms, User

app = Sanic("Shop")
chat = ChatRooms(guests=True, roles={"editor": 30})
app.blueprint(chat.bp)


@app.before_server_start
async def make_rooms(_: object) -> None:
    await chat.ensure_room("team", title="Team", visibility="private")
    await chat.add_member("team", User("u1", "Ada"), "editor")


# region support
@app.get("/support/why")  # behind the login of your support team
async def why(request: Request) -> HTTPResponse:
    user, action, room = (request.args.get(name) for name in ("user", "action", "room"))
    verdict = await chat.explain(User(user, user), action, room)
    return json({"allowed": verdict.allowed, "rule": verdict.rule, "because": verdict.because})


# endregion
