from sanic import Request, Sanic
from sanic_chatrooms import ChatRooms, HostSession, User

app = Sanic("Shop")
# In your application this is a table, a cache, or a session extension.
SESSIONS = {"3f1c9a": {"id": "u1", "name": "Ada"}}


@app.on_request
async def find_session(request: Request) -> None:
    request.ctx.session = SESSIONS.get(request.cookies.get("session") or "")


# region session
def load(request: Request) -> User | None:
    session = request.ctx.session  # as your middleware has left it
    return User(session["id"], session["name"]) if session else None


chat = ChatRooms(auth=HostSession(load))
# endregion

app.config.CHATROOMS_AUTO_CREATE = True
app.blueprint(chat.bp)
