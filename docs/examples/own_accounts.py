import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
import secrets
import time

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
import jwt
import msgspec
from sanic import HTTPResponse, Request, Sanic, empty, json
import sanic_chatrooms as chatrooms
from sanic_chatrooms import InvalidField, Unauthenticated

SECRET = "an example: write here what `openssl rand -base64 48` prints"
ACCESS = 600  # seconds
LOGIN = 30 * 86400

app = Sanic("Shop")
app.config.CHATROOMS_JWT_SECRET = SECRET
app.config.CHATROOMS_JWT_AUDIENCE = "shop"
app.blueprint(chatrooms.bp)

# region passwords
hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)  # 20 ms, 19 MiB
threads = ThreadPoolExecutor(2)  # two at a time, and none on the event loop
accounts = {"Ada": ("user-1", hasher.hash("correct horse battery"))}  # your table of users
NOBODY = ("", hasher.hash(secrets.token_urlsafe()))


async def user_of(name: str, password: str) -> str:
    user, hashed = accounts.get(name, NOBODY)  # an unknown name takes as long as a wrong password
    right = await asyncio.get_running_loop().run_in_executor(threads, fits, hashed, password)
    if not right:
        raise Unauthenticated("the name or the password is wrong")
    return user


def fits(hashed: str, password: str) -> bool:
    try:
        return hasher.verify(hashed, password)
    except VerificationError:
        return False


# endregion


# region tokens
@dataclass
class Login:
    user: str
    name: str
    refresh: str  # the token that is good now; each use replaces it


logins: dict[str, Login] = {}  # by sid: your table of sign-ins


def tokens(sid: str, login: Login) -> HTTPResponse:
    login.refresh = secrets.token_urlsafe()
    now = time.time()
    claims = {
        "sub": login.user,
        "name": login.name,
        "sid": sid,
        "aud": "shop",
        "iat": now,
        "exp": now + ACCESS,
    }
    answer = json({"token": jwt.encode(claims, SECRET, "HS256")})
    answer.add_cookie(
        "refresh",
        f"{sid}:{login.refresh}",
        path="/session",
        httponly=True,
        secure=not app.debug,
        samesite="Strict",
        max_age=LOGIN,
    )
    return answer


# endregion


# region routes
class Asked(msgspec.Struct):
    name: str
    password: str


@app.post("/session/begin")
async def begin(request: Request) -> HTTPResponse:
    try:
        asked = msgspec.json.decode(request.body, type=Asked)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise InvalidField("must have a name and a password", field="body") from None
    user = await user_of(asked.name, asked.password)
    sid, login = secrets.token_urlsafe(), Login(user, asked.name, "")
    logins[sid] = login
    return tokens(sid, login)


@app.post("/session/refresh")
async def refresh(request: Request) -> HTTPResponse:
    sid, _, token = (request.cookies.get("refresh") or "").partition(":")
    login = logins.get(sid)
    if login is None:
        raise Unauthenticated("sign in again")
    if not secrets.compare_digest(token.encode(), login.refresh.encode()):
        # It was used before: somebody has a copy of it. The sign-in ends for both.
        await forget(sid)
        raise Unauthenticated("sign in again")
    return tokens(sid, login)


@app.post("/session/end")
async def end(request: Request) -> HTTPResponse:
    await forget((request.cookies.get("refresh") or "").partition(":")[0])
    return empty()


async def forget(sid: str) -> None:
    if logins.pop(sid, None):
        await chatrooms.default.revoke(sid=sid)  # its tokens are refused, its connections closed


# endregion
