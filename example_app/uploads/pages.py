"""The routes of the files, and what the chat asks about them.

A page proves over its connection to the chat who it is (`files.pass`), and gets a cookie for these routes. Whoever may write in a room may
bring files to it, and whoever may read it may fetch them: the chat decides anew for each request.
"""

import asyncio
import hmac
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
from sanic import Blueprint, HTTPResponse, Request, Sanic, empty, json, raw
from sanic.exceptions import NotFound

from example_app.accounts.accounts import network
from example_app.accounts.pages import address_of, check_origin
from example_app.accounts.tokens import kept_secret
from sanic_chatrooms import (
    ChatRooms,
    Context,
    Forbidden,
    Happening,
    RoomNotFound,
    TooLarge,
    Unauthenticated,
    Unavailable,
    User,
)

from .files import LARGEST, File, Files, attachment_of, id_in

__all__ = ["Uploads", "add_uploads"]

COOKIE, PATH = "files", "/files"
PASS_FOR, COOKIE_FOR = 60, 3600  # seconds
AT_ONCE = 8  # uploads on this worker; each is in memory while it comes in
SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, max-age=300",
}


class Holder(msgspec.Struct, frozen=True):
    """Who holds a signed text, what it is for, and until when."""

    id: str
    name: str
    use: str
    until: float


class Uploads:
    """`directory`: where the files are kept, and the key of the signatures."""

    def __init__(self, chat: ChatRooms, directory: Path, clock: Callable[[], float] = time.time) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.chat = chat
        self.files = Files(directory / "files")
        self._key = kept_secret(directory / "files.secret").encode()
        self._clock = clock
        self._coming = 0

    def blueprint(self) -> Blueprint:
        async def take(
            request: Request, room: str
        ) -> HTTPResponse:  # Sanic marks the function as one that reads a stream
            return await self.take(request, room)

        bp = Blueprint("files", url_prefix=PATH)
        bp.listener("before_server_start")(self.start)
        bp.add_route(self.take_pass, "/", methods=["POST"])
        bp.add_route(take, "/<room:str>", methods=["POST"], stream=True, unquote=True)
        bp.add_route(self.give, "/<room:str>/<id:[0-9a-f]{32}>", methods=["GET"], unquote=True)
        return bp

    async def start(self, _: Sanic[Any, Any]) -> None:
        await asyncio.to_thread(self.files.start)

    # ---- who is it? ----

    async def give_pass(self, ctx: Context, _: dict[str, Any]) -> dict[str, str]:
        """The command `files.pass`."""
        return {"pass": self._signed(ctx.user, "pass", PASS_FOR)}

    async def take_pass(self, request: Request) -> HTTPResponse:
        check_origin(request)
        holder = self._holder(request.token or "", "pass")
        cookie = self._signed(User(holder.id, holder.name), "cookie", COOKIE_FOR)
        answer = empty(headers={"Cache-Control": "no-store"})
        secure = request.scheme == "https"
        answer.add_cookie(
            COOKIE, cookie, path=PATH, secure=secure, httponly=True, samesite="Strict", max_age=COOKIE_FOR
        )
        return answer

    def _signed(self, user: User, use: str, seconds: float) -> str:
        holder = msgspec.json.encode(Holder(user.id, user.name, use, self._clock() + seconds)).hex()
        return f"{holder}.{self._signature(holder)}"

    def _holder(self, text: str, use: str) -> Holder:
        """Raises `Unauthenticated`."""
        holder, _, signature = text.partition(".")
        if text.isascii() and hmac.compare_digest(signature, self._signature(holder)):
            known = msgspec.json.decode(bytes.fromhex(holder), type=Holder)
            if known.use == use and known.until > self._clock():
                return known
        raise Unauthenticated("Sign in again.")

    def _signature(self, text: str) -> str:
        return hmac.new(self._key, text.encode(), sha256).hexdigest()

    async def _may(self, holder: Holder, action: str, room: str) -> bool:
        try:
            return (await self.chat.explain(User(holder.id, holder.name), action, room)).allowed
        except RoomNotFound:
            return False

    # ---- files ----

    async def take(self, request: Request, room: str) -> HTTPResponse:
        """Take the file that is the body, under the name in the query. Answers with what a message says of it."""
        check_origin(request)
        holder = self._holder(request.cookies.get(COOKIE) or "", "cookie")
        if int(request.headers.get("content-length") or 0) > LARGEST:
            raise TooLarge(f"A file can have {LARGEST // 1_000_000} MB at most.", limit=LARGEST)
        content = await self._read(request)  # first: a browser reads no refusal while it sends
        if not await self._may(holder, "message", room):
            raise Forbidden("You cannot send files to this room.")
        for who in (holder.id, network(address_of(request))):
            self.files.count(who, len(content))
        name = request.args.get("name") or ""
        file = await asyncio.to_thread(self.files.keep, room, holder.id, name, content)
        return json(attachment_of(file), status=201)

    async def _read(self, request: Request) -> bytes:
        if self._coming >= AT_ONCE:
            raise Unavailable("Many files are coming in now. Try again.", retry_after=2)
        stream: Any = request.stream
        stream.request_max_size = LARGEST
        self._coming += 1
        try:
            content = bytearray()
            async for piece in stream:
                content += piece
            return bytes(content)
        finally:
            self._coming -= 1

    async def give(self, request: Request, room: str, id: str) -> HTTPResponse:
        holder = self._holder(request.cookies.get(COOKIE) or "", "cookie")
        found = await asyncio.to_thread(self.files.find, id)
        # Who may not see the room learns nothing of its files.
        if found is None or found[0].room != room or not await self._may(holder, "history", room):
            raise NotFound("there is no such file")
        file, content = found
        # Shown in the browser are only pictures, and nothing in them runs.
        how = "inline" if file.is_picture else "attachment"
        headers = {**SAFE, "Content-Disposition": f"{how}; filename*=UTF-8''{quote(file.name, safe='')}"}
        return raw(content, content_type=file.type, headers=headers)

    # ---- messages ----

    async def check(self, ctx: Context) -> None:
        """Before a message is published: it has only files of ours, which its sender brought, and says what they are."""
        attached = ctx.payload.get("attachments") if ctx.field is None else None
        if not isinstance(attached, list):
            return  # where it is something else, the chat refuses it
        for one in attached:
            id = id_in(one.get("url")) if isinstance(one, dict) else None
            found = await asyncio.to_thread(self.files.find, id) if id else None
            if found is None or not _fits(found[0], ctx.user.id, one):
                raise Forbidden("This message has a file that was not sent here, or is gone.")
            await asyncio.to_thread(self.files.send, found[0].id)

    async def forget(self, event: Happening) -> None:
        for one in event.payload["attachments"]:
            if id := id_in(one["url"]):
                await asyncio.to_thread(self.files.delete, id)


def _fits(file: File, user: str, said: dict[str, Any]) -> bool:
    return file.user == user and said == attachment_of(file)


def add_uploads(app: Sanic[Any, Any], chat: ChatRooms, uploads: Uploads) -> None:
    chat.command("files.pass")(uploads.give_pass)
    chat.before_publish(budget=5)(uploads.check)
    chat.on("message.unattached")(uploads.forget)
    app.blueprint(uploads.blueprint())
