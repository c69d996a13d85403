from sanic import HTTPResponse, Request, Sanic, json
from sanic_chatrooms import ChatRooms

# region instances
support = ChatRooms("support", guests=True)
team = ChatRooms("team", jwt_secret="an example: write here what `openssl rand -base64 48` prints")

app = Sanic("Shop")
app.config.CHATROOMS_MAX_TEXT = 4_000  # of both instances
app.config.CHATROOMS_TEAM_MAX_TEXT = 20_000  # of `team` only
app.blueprint(support.bp)  # /support/ws
app.blueprint(team.bp, url_prefix="/internal/chat")  # /internal/chat/ws
# endregion


# region at-run-time
@app.get("/waiting")
async def waiting(request: Request) -> HTTPResponse:
    chat: ChatRooms = request.app.ctx.chatrooms["support"]
    return json({"connections": len(chat.connections())})


# endregion
