import time

import jwt
from sanic import HTTPResponse, Request, Sanic, text
from sanic_chatrooms import ChatRooms

SECRET = "an example: write here what `openssl rand -base64 48` prints"

app = Sanic("Deliveries")
chat = ChatRooms(jwt_secret=SECRET, api=True)
app.blueprint(chat.bp)


@app.before_server_start
async def make_rooms(_: object) -> None:
    await chat.ensure_room("general", title="General")


@app.post("/login")
async def login(request: Request) -> HTTPResponse:
    # A real application checks a password first.
    name = str(request.json["name"])
    claims = {"sub": f"user-{name.lower()}", "name": name, "exp": int(time.time()) + 3600}
    return text(jwt.encode(claims, SECRET, "HS256"))
