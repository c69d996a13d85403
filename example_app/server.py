"""The app: mounts the chat, creates a few rooms, serves the page, has accounts for who wants one and an assistant, and pushes on request."""

import os
from pathlib import Path
from typing import Any

from sanic import HTTPResponse, Request, Sanic, empty, file
from sanic.exceptions import NotFound
from sanic.response import BaseHTTPResponse

import sanic_chatrooms as chatrooms
from example_app.accounts.accounts import Accounts
from example_app.accounts.pages import Forget, Pages
from example_app.accounts.tokens import AUDIENCE, ISSUER
from example_app.assistant import Assistant, add_assistant
from example_app.notifications.notifications import Notifications, add_notifications
from example_app.notifications.web_push import HOSTS
from example_app.uploads.pages import Uploads, add_uploads

STATIC = Path(__file__).parent / "static"
ROOMS = {"general": "General", "engineering": "Engineering", "random": "Random"}
PUSHES: dict[str, dict[str, Any]] = {
    "notice": {"title": "Lunch is here", "content": "Soup and bread, in the kitchen on the second floor."},
    "update": {"field": "topic", "value": "Release day: be kind to the tests"},
    "redirect": {"url": "https://sanic.dev/"},
}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

chat = chatrooms.default


def create_app(directory: Path, database: str = "", name: str = "ExampleChat") -> Sanic[Any, Any]:
    """`directory`: where the accounts are kept, and the messages if there is no database.

    `database`: the SQLite file for rooms and messages, created if it does not exist. One process serves it.
    """
    app: Sanic[Any, Any] = Sanic(name)
    app.config.REQUEST_MAX_SIZE = 64 * 1024  # bytes; all that is posted here is small
    app.config.CHATROOMS_GUESTS = True
    if database:
        app.config.CHATROOMS_STORE = f"sqlite:///{database}"
    else:  # the app's own Valkey server, which all workers share
        app.config.CHATROOMS_STORE = "embedded:"
        app.config.CHATROOMS_EMBEDDED_DIR = str(directory)
    app.blueprint(chatrooms.bp)
    accounts = Accounts(directory / "accounts.sqlite3")
    notifications = Notifications(
        chat,
        directory,
        hosts=[*HOSTS, *os.environ.get("PUSH_HOSTS", "").split()],
        contact=os.environ.get("PUSH_CONTACT", "mailto:admin@example.com"),
        is_signed_in=accounts.is_signed_in,
    )
    add_accounts(app, chat, accounts, notifications.forget)
    add_notifications(app, chat, notifications)
    add_uploads(app, chat, Uploads(chat, directory))
    app.static("/static", STATIC)
    app.add_route(index, "/")
    app.add_route(push, "/push/<kind:str>", methods=["POST"])
    app.register_listener(make_rooms, "before_server_start")  # before users can create them
    add_assistant(app, chat, Assistant(chat))
    app.register_middleware(add_headers, "response")
    return app


def add_accounts(
    app: Sanic[Any, Any], chat: chatrooms.ChatRooms, accounts: Accounts, forget: Forget | None = None
) -> None:
    """Beside guests, the chat lets in who shows an access token of these accounts. No guest has the name of one."""
    app.config.CHATROOMS_JWT_SECRET = accounts.tokens.key
    app.config.CHATROOMS_JWT_AUDIENCE = AUDIENCE
    app.config.CHATROOMS_JWT_ISSUER = ISSUER
    chat.reserve_names(accounts.looks_like_one)  # guests are not taken for somebody who has an account
    app.blueprint(Pages(accounts, chat, forget).blueprint())


async def index(_: Request) -> HTTPResponse:
    return await file(STATIC / "index.html")


async def push(request: Request, kind: str) -> HTTPResponse:
    """Push to the connection that asks, on any worker. Only that connection knows its session id."""
    user, session = request.headers.get("x-chat-user", ""), request.headers.get("x-chat-session", "")
    if kind not in PUSHES or not (user and session):
        raise NotFound("no such push, or nobody to push it to")
    await chat.notify(user, kind, PUSHES[kind], session=session)
    return empty()


async def make_rooms(_: Sanic[Any, Any]) -> None:
    for room, title in ROOMS.items():
        await chat.ensure_room(room, title=title)


async def add_headers(_: Request, response: BaseHTTPResponse) -> None:
    # The chat's own pages set their own policy.
    for key, value in HEADERS.items():
        response.headers.setdefault(key, value)
