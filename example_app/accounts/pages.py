"""What the page asks, at /accounts. Errors of the chat (`Unauthenticated`, `RateLimited` …) are answered as problem documents."""

from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta
from sanic import Blueprint, HTTPResponse, Request, Sanic, empty, json

from sanic_chatrooms import ChatRooms, Forbidden, InvalidField, Unauthenticated

from .accounts import Accounts, Reused, SignedIn
from .passwords import LONGEST
from .store import Account

COOKIE, PATH = "login", "/accounts"
# Nothing of what is said here may be kept on the way.
UNKEPT = {"Cache-Control": "no-store"}

Text = Annotated[str, Meta(max_length=64)]
Password = Annotated[str, Meta(max_length=LONGEST)]


class NameAndPassword(msgspec.Struct):
    name: Text
    password: Password
    code: Text = ""


class PasswordAndCode(msgspec.Struct):
    password: Password
    code: Text = ""


class Code(msgspec.Struct):
    code: Text


class LogOut(msgspec.Struct):
    everywhere: bool = False


def pages(accounts: Accounts, chat: ChatRooms) -> Blueprint:
    """The routes of the accounts. Where a login ends, the chat's connections of that login are closed, on all workers."""
    bp = Blueprint("accounts", url_prefix=PATH)
    bp.on_request(check_origin)

    @bp.before_server_start
    async def start(_: Sanic[Any, Any]) -> None:
        accounts.start()

    @bp.after_server_stop
    async def stop(_: Sanic[Any, Any]) -> None:
        accounts.stop()

    @bp.post("/sign-up")
    async def sign_up(request: Request) -> HTTPResponse:
        body = read(request, NameAndPassword)
        return welcome(
            request, await accounts.sign_up(body.name, body.password, address_of(request)), accounts
        )

    @bp.post("/log-in")
    async def log_in(request: Request) -> HTTPResponse:
        body = read(request, NameAndPassword)
        signed_in = await accounts.log_in(body.name, body.password, body.code, address_of(request))
        return welcome(request, signed_in, accounts)

    @bp.post("/refresh")
    async def refresh(request: Request) -> HTTPResponse:
        try:
            return welcome(request, await accounts.refresh(request.cookies.get(COOKIE) or ""), accounts)
        except Reused as problem:
            await chat.revoke(sid=problem.login)
            raise

    @bp.post("/log-out")
    async def log_out(request: Request) -> HTTPResponse:
        if read(request, LogOut).everywhere:
            ended = await accounts.log_out_everywhere(await whose(request))
        else:
            ended = await accounts.log_out(request.cookies.get(COOKIE) or "")
        for login in ended:
            await chat.revoke(sid=login)
        return with_cookie(request, empty(headers=UNKEPT), "", 0)

    @bp.post("/factor")
    async def propose_factor(request: Request) -> HTTPResponse:
        body = read(request, PasswordAndCode)
        secret, address = await accounts.propose_factor(
            await whose(request), body.password, address_of(request)
        )
        return json({"secret": secret, "address": address}, headers=UNKEPT)

    @bp.post("/factor/confirm")
    async def confirm_factor(request: Request) -> HTTPResponse:
        codes = await accounts.confirm_factor(await whose(request), read(request, Code).code)
        return json({"recoveryCodes": codes}, headers=UNKEPT)

    @bp.post("/factor/drop")
    async def drop_factor(request: Request) -> HTTPResponse:
        body = read(request, PasswordAndCode)
        await accounts.drop_factor(await whose(request), body.password, body.code, address_of(request))
        return empty(headers=UNKEPT)

    async def whose(request: Request) -> Account:
        if request.token is None:
            raise Unauthenticated("Sign in first.")
        return await accounts.by_access(request.token)

    return bp


def check_origin(request: Request) -> None:
    """Browsers name the page with every POST. Pages of others may not use the cookie, which SameSite says too."""
    origin = request.headers.getall("origin", [])
    if len(origin) != 1 or urlsplit(origin[0]).netloc != request.host:
        raise Forbidden("Only pages of this server may ask this.")


T = TypeVar("T")


def read(request: Request, shape: type[T]) -> T:
    """The body of a request. Raises `InvalidField`, which quotes nothing of it."""
    try:
        return msgspec.json.decode(request.body, type=shape)
    except msgspec.DecodeError:
        raise InvalidField("is not what is expected here", field="body") from None


def address_of(request: Request) -> str:
    # What a proxy says counts only where Sanic was told to trust it.
    return request.client_ip or request.ip


def welcome(request: Request, signed_in: SignedIn, accounts: Accounts) -> HTTPResponse:
    """The access token for the page, and the refresh token in a cookie."""
    account = signed_in.account
    body = {"token": signed_in.access, "name": account.name, "secondFactor": account.secret is not None}
    answer = json(body, headers=UNKEPT)
    return with_cookie(request, answer, signed_in.refresh, int(accounts.lifetimes.login))


def with_cookie(request: Request, answer: HTTPResponse, value: str, max_age: int) -> HTTPResponse:
    """No script can read it, no other path gets it, and no page of another site can make a browser send it."""
    secure = request.scheme == "https"
    answer.add_cookie(
        COOKIE, value, path=PATH, secure=secure, httponly=True, samesite="Strict", max_age=max_age
    )
    return answer
