# region app
import os
import re
import time
import unicodedata

import jwt
from sanic import HTTPResponse, Request, Sanic, html, redirect
import sanic_chatrooms as chatrooms
from sanic_chatrooms import Context, Forbidden, Unauthenticated, User

DAY = 86400
ACCOUNTS = {"ada": "one", "bob": "two", "eve": "three"}  # your table of users, with hashes instead
FORM = """<!doctype html><title>Team</title><form method="post" action="/login">
<input name="name" aria-label="Name"><input name="password" type="password" aria-label="Password">
<button>Sign in</button></form>"""

app = Sanic("Team")
app.config.CHATROOMS_TOKEN_COOKIE = "session"  # where the chat finds the token
app.config.CHATROOMS_STORE = "sqlite:///team.db"  # a file, so that history survives a restart
app.config.CHATROOMS_PAGE = True  # the ready page, at /chat/
app.config.CHATROOMS_METRICS = True
app.blueprint(chatrooms.bp)

chat = chatrooms.default


@app.get("/")
async def sign_in(_: Request) -> HTTPResponse:
    return html(FORM)


@app.post("/login")
async def login(request: Request) -> HTTPResponse:
    name, password = str(request.form.get("name")), request.form.get("password")
    if not password or ACCOUNTS.get(name) != password:
        raise Unauthenticated("the name or the password is wrong")
    claims = {"sub": name, "name": name.title(), "exp": int(time.time()) + DAY}
    token = jwt.encode(claims, os.environ["SANIC_CHATROOMS_JWT_SECRET"], "HS256")
    answer = redirect("/chat/")
    secure = request.scheme == "https"
    answer.add_cookie("session", token, httponly=True, secure=secure, samesite="Lax", max_age=DAY)
    return answer


# endregion


# region rooms
@app.before_server_start
async def make_rooms(_: object) -> None:
    await chat.ensure_room("lobby", title="Lobby")
    await chat.ensure_room("staff", title="Staff", visibility="private")
    await chat.add_member("staff", User("ada", "Ada"), "moderator")


# endregion


# region words
WORDS = re.compile(r"\b(darn|heck)\b", re.IGNORECASE)


@chat.before_publish(budget=0.2, on_failure="refuse")
async def mind_the_words(ctx: Context) -> None:
    if WORDS.search(unicodedata.normalize("NFKC", str(ctx.payload.get("text", "")))):
        raise Forbidden("please say it in other words")


# endregion
