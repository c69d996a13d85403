import time

import jwt
from sanic import HTTPResponse, Request, Sanic, json
import sanic_chatrooms as chatrooms

SECRET = "an example: write here what `openssl rand -base64 48` prints"

app = Sanic("Shop")
app.config.CHATROOMS_JWT_SECRET = SECRET
app.config.CHATROOMS_AUTO_CREATE = True
app.blueprint(chatrooms.bp)


@app.post("/login")
async def login(request: Request) -> HTTPResponse:
    # A real application compares a password before it goes on.
    name = str(request.json["name"])
    claims = {"sub": f"user-{name.lower()}", "name": name, "exp": int(time.time()) + 3600}
    return json({"token": jwt.encode(claims, SECRET, "HS256")})
