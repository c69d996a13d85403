from pathlib import Path
import time

import jwt
from sanic import HTTPResponse, Request, Sanic, json
import sanic_chatrooms as chatrooms

HERE = Path(__file__).parent
SECRET = "an example: write here what `openssl rand -base64 48` prints"

app = Sanic("Shop")
app.config.CHATROOMS_JWT_SECRET = SECRET
app.blueprint(chatrooms.bp)
app.static("/", HERE / "sign_in.html", name="page")
app.static("/sign_in.js", HERE / "sign_in.js", name="script")

chat = chatrooms.default


@app.before_server_start
async def make_rooms(_: object) -> None:
    await chat.ensure_room("general", title="General")


@app.post("/login")
async def login(request: Request) -> HTTPResponse:
    # A real application checks a password first.
    name = str(request.json["name"])
    claims = {"sub": f"user-{name.lower()}", "name": name, "exp": int(time.time()) + 3600}
    return json({"token": jwt.encode(claims, SECRET, "HS256")})
