import time

import jwt
from sanic import HTTPResponse, Request, Sanic, empty
import sanic_chatrooms as chatrooms

SECRET = "an example: write here what `openssl rand -base64 48` prints"
LIFETIME = 3600  # seconds

app = Sanic("Shop")
# region settings
app.config.CHATROOMS_JWT_SECRET = SECRET
app.config.CHATROOMS_JWT_AUDIENCE = "shop"
app.config.CHATROOMS_TOKEN_COOKIE = "chat"
# endregion
app.blueprint(chatrooms.bp)


# region login
@app.post("/login")
async def login(request: Request) -> HTTPResponse:
    name = str(request.json["name"])  # after checking the password
    claims = {
        "sub": f"user-{name.lower()}",
        "name": name,
        "aud": "shop",
        "scope": "editor",
        "exp": int(time.time()) + LIFETIME,
    }
    answer = empty()
    answer.add_cookie(
        "chat",
        jwt.encode(claims, SECRET, "HS256"),
        httponly=True,
        secure=request.scheme == "https",
        samesite="Lax",
        max_age=LIFETIME,
    )
    return answer


# endregion
