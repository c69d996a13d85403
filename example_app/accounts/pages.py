"""What the page asks, at /accounts. Errors of the chat (`Unauthenticated`, `RateLimited` …) are answered as problem documents."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta
from sanic import Blueprint, HTTPResponse, Request, Sanic, empty, json

from sanic_chatrooms import ChatRooms, Forbidden, InvalidField, Unauthenticated

from . import totp
from .accounts import Accounts, Reused, SignedIn
from .passwords import LONGEST
from .store import Login

COOKIE, PATH = "login", "/accounts"
# Nothing of what is said here may be kept on the way.
UNKEPT = {"Cache-Control": "no-store"}

Forget = Callable[[str], Awaitable[None]]

Text = Annotated[str, Meta(max_length=64)]
Password = Annotated[str, Meta(max_length=LONGEST)]


class NameAndPassword(msgspec.Struct):
    name: Text
    password: Password
    code: Text = ""


class PasswordAndCode(msgspec.Struct):
    password: Password
    code: Text = ""


class NewPassword(msgspec.Struct, rename="camel"):
    password: Password
    new_password: Password


class Code(msgspec.Struct):
    code: Text


class Search(msgspec.Struct):
    letters: Text


class LogOut(msgspec.Struct):
    everywhere: bool = False


class Pages:
    """The routes of the accounts. Where a login ends, its connections to the chat are closed, on all workers."""

    def __init__(self, accounts: Accounts, chat: ChatRooms, forget: Forget | None = None) -> None:
        """`forget`: called with each login that has ended."""
        self.accounts = accounts
        self.chat = chat
        self._forget = forget

    def blueprint(self) -> Blueprint:
        bp = Blueprint("accounts", url_prefix=PATH)
        bp.on_request(check_origin)
        bp.listener("before_server_start")(self.start)
        bp.listener("after_server_stop")(self.stop)
        for path, handler in {
            "/sign-up": self.sign_up,
            "/log-in": self.log_in,
            "/refresh": self.refresh,
            "/log-out": self.log_out,
            "/people": self.find_people,
            "/password": self.change_password,
            "/factor": self.propose_factor,
            "/factor/confirm": self.confirm_factor,
            "/factor/drop": self.drop_factor,
        }.items():
            bp.add_route(handler, path, methods=["POST"])
        return bp

    async def start(self, _: Sanic[Any, Any]) -> None:
        self.accounts.start()

    async def stop(self, _: Sanic[Any, Any]) -> None:
        self.accounts.stop()

    async def sign_up(self, request: Request) -> HTTPResponse:
        body = read(request, NameAndPassword)
        return self.welcome(
            request, await self.accounts.sign_up(body.name, body.password, address_of(request))
        )

    async def log_in(self, request: Request) -> HTTPResponse:
        body = read(request, NameAndPassword)
        signed_in = await self.accounts.log_in(body.name, body.password, body.code, address_of(request))
        return self.welcome(request, signed_in)

    async def refresh(self, request: Request) -> HTTPResponse:
        try:
            return self.welcome(request, await self.accounts.refresh(refresh_token(request)))
        except Reused as problem:
            await self.end([problem.login])
            raise

    async def log_out(self, request: Request) -> HTTPResponse:
        if read(request, LogOut).everywhere:
            await self.end(await self.accounts.logins_of((await self.whose(request)).account))
        else:
            await self.end(self.accounts.login_of(refresh_token(request)))
        return with_cookie(request, empty(headers=UNKEPT), "", 0)

    async def find_people(self, request: Request) -> HTTPResponse:
        """Whom one may invite or write to. Guests are not told who has an account."""
        body, login = read(request, Search), await self.whose(request)
        found = await self.accounts.people(login.account, body.letters)
        return json({"people": [{"id": id, "name": name} for id, name in found]}, headers=UNKEPT)

    async def change_password(self, request: Request) -> HTTPResponse:
        """Other devices are signed out: whoever knew the old password may be on one of them."""
        body, login = read(request, NewPassword), await self.whose(request)
        hashed = await self.accounts.check_change(
            login.account, body.password, body.new_password, address_of(request)
        )
        await self.end_others(login)
        await self.accounts.set_password(login.account, hashed)
        await self.end_others(login)  # that began with the old one meanwhile
        return empty(headers=UNKEPT)

    async def propose_factor(self, request: Request) -> HTTPResponse:
        body, login = read(request, PasswordAndCode), await self.whose(request)
        secret, address = await self.accounts.propose_factor(
            login.account, body.password, address_of(request)
        )
        shown = {"secret": secret, "address": address, "picture": totp.picture(address)}
        return json(shown, headers=UNKEPT)

    async def confirm_factor(self, request: Request) -> HTTPResponse:
        codes = await self.accounts.confirm_factor(await self.whose(request), read(request, Code).code)
        return json({"recoveryCodes": codes}, headers=UNKEPT)

    async def drop_factor(self, request: Request) -> HTTPResponse:
        body, login = read(request, PasswordAndCode), await self.whose(request)
        await self.accounts.drop_factor(login.account, body.password, body.code, address_of(request))
        return empty(headers=UNKEPT)

    async def end(self, logins: list[str]) -> None:
        """The chat first: if it does not answer, the same request can be sent again."""
        for login in logins:
            await self.chat.revoke(sid=login)
            if self._forget is not None:
                await self._forget(login)
            await self.accounts.end(login)

    async def end_others(self, login: Login) -> None:
        await self.end([one for one in await self.accounts.logins_of(login.account) if one != login.id])

    async def whose(self, request: Request) -> Login:
        if request.token is None:
            raise Unauthenticated("Sign in first.")
        return await self.accounts.by_access(request.token)

    def welcome(self, request: Request, signed_in: SignedIn) -> HTTPResponse:
        """The access token for the page, and the refresh token in a cookie."""
        account = signed_in.account
        body = {"token": signed_in.access, "name": account.name, "secondFactor": account.secret is not None}
        answer = json(body, headers=UNKEPT)
        return with_cookie(request, answer, signed_in.refresh, int(self.accounts.lifetimes.login))


def check_origin(request: Request) -> None:
    """Browsers name the page with every POST. Pages of others may not use the cookie, which SameSite says too."""
    origin = request.headers.getall("origin", [])
    if len(origin) != 1 or origin[0].partition("://")[2] != request.host:
        raise Forbidden("Only pages of this server may ask this.")


T = TypeVar("T")


def read(request: Request, shape: type[T]) -> T:
    """The body of a request. Raises `InvalidField`, which quotes nothing of it."""
    try:
        return msgspec.json.decode(request.body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise InvalidField("is not what is expected here", field="body") from None


def address_of(request: Request) -> str:
    # What a proxy says counts only where Sanic was told to trust it.
    return request.client_ip or request.ip


def refresh_token(request: Request) -> str:
    return request.cookies.get(COOKIE) or ""


def with_cookie(request: Request, answer: HTTPResponse, value: str, max_age: int) -> HTTPResponse:
    """No script can read it, no other path gets it, and no page of another site can make a browser send it."""
    secure = request.scheme == "https"
    answer.add_cookie(
        COOKIE, value, path=PATH, secure=secure, httponly=True, samesite="Strict", max_age=max_age
    )
    return answer
