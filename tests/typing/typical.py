"""What apps write, as a type checker sees it: `make check` proves that all of it is accepted, and what each verb returns.

Nothing of this runs. The counterpart is `refused.py`.
"""

from __future__ import annotations

from typing import Any, assert_type

import msgspec
from sanic import HTTPResponse, Request, Sanic, json

import sanic_chatrooms as chatrooms
from sanic_chatrooms import (
    Appended,
    Authenticator,
    Chain,
    ChatError,
    ChatRooms,
    ConnectionInfo,
    Context,
    Credentials,
    Forbidden,
    Guests,
    Handshake,
    Happening,
    History,
    HostSession,
    JWTAuth,
    MemoryBroker,
    MemoryPresence,
    MemoryStore,
    Policy,
    RedisBroker,
    RedisStore,
    Room,
    RoomEvent,
    RoomPolicy,
    SQLStore,
    Standing,
    Tickets,
    TokenExpired,
    Unauthenticated,
    User,
)
from sanic_chatrooms.client import ChatClient
from sanic_chatrooms.testing import Checker, Clock, FaultyStore, MemoryClient, chat_client, running_chat

# ---- declaring ----

app: Sanic[Any, Any] = Sanic("Shop")
app.blueprint(chatrooms.bp, url_prefix="/chat")

chat = ChatRooms("support", guests=True, store="sqlite:///chat.db", jwt_secret="s" * 32, max_frame=4096)
ChatRooms("objects", store=MemoryStore(), broker=MemoryBroker(), presence=MemoryPresence())
ChatRooms("databases", store=SQLStore("sqlite:///chat.db"), auth=JWTAuth("s" * 32), policy=RoomPolicy())
ChatRooms("servers", store=RedisStore("redis://host"), broker=RedisBroker("redis://host"))
ChatRooms("keys", auth=Chain(JWTAuth(jwks_url="https://login.example/keys", required_amr=["mfa"]), Tickets()))
ChatRooms(
    "session", auth=HostSession(lambda request: User("u1", "Ada")), tickets=True, oidc_logout="shop", api=True
)
ChatRooms("guests", auth=Guests("s" * 32, instance="guests"), namespace="none", admin="write")


class Shop(Policy):
    def require(self, user: User, action: str, room: Room | None, standing: Standing) -> None:
        if action == "message" and room is not None and standing.level < 50 and "staff" not in user.scopes:
            raise Forbidden("only staff speaks here")


class Slow(RoomPolicy):
    async def require(self, user: User, action: str, room: Room | None, standing: Standing) -> None:
        super().require(user, action, room, standing)


class Sessions(Authenticator):
    async def authenticate(self, credentials: Credentials, handshake: Handshake) -> User:
        if credentials.token is None:
            raise Unauthenticated("sign in first")
        if handshake.headers.get("x-expired"):
            raise TokenExpired
        return User("u1", "Ada", scopes=("staff",), claims={"team": "a"}, expires_at=1e9)


chat.add_route("/staff", auth=Sessions(), policy=Shop(), read_only=True, max_frame=1024)
chat.add_route("/rooms/<room:str>", room=None)


class Vote(msgspec.Struct):
    choice: str


@chat.command("poll.vote", Vote)
async def vote(ctx: Context, payload: Vote) -> dict[str, str]:
    assert_type(ctx.user, User)
    await ctx.chat.push("general", "poll.voted", {"choice": payload.choice})
    return {"choice": payload.choice}


@chat.middleware("message")
async def no_links(ctx: Context, call_next: Any) -> Any:
    if "http" in ctx.payload.get("text", ""):
        raise Forbidden("no links here")
    return await call_next(ctx)


@chat.middleware
async def everything(ctx: Context, call_next: Any) -> Any:
    assert_type(ctx.room, str | None)
    return await call_next(ctx)


@chat.reserve_names
async def is_an_accounts(name: str) -> bool:
    return not chatrooms.skeletons(name).isdisjoint({"ada"})


@chat.on("message", "room.entered")
async def hear(event: Happening) -> None:
    assert_type(event.type, str)


# ---- at run time ----


@app.post("/orders")
async def order(request: Request) -> HTTPResponse:
    stored = await chat.publish("orders", "order.placed", {"id": 7}, key="order-7", sender=User("u1", "Ada"))
    assert_type(stored, Appended)
    assert_type(stored.seq, int)
    assert_type(stored.duplicate, bool)
    return json({"seq": stored.seq})


async def verbs(ada: User) -> None:
    assert_type(await chat.publish("general", "notice", {"title": "News"}, as_user=ada), Appended)
    assert_type(await chat.edit("general", "id", {"text": "new"}), Appended)
    assert_type(await chat.delete("general", "id", as_user=ada), Appended)
    reacted = await chat.react("general", "id", "👍", sender=ada)
    assert_type(reacted.count, int)
    assert_type(await chat.pin("general", "id", as_user=ada), bool)
    assert_type(await chat.unpin("general", "id"), bool)
    assert_type(await chat.history("general", before=7, limit=20), History)
    assert_type(await chat.history("general", around=7, replies=False), History)
    async for heard in chat.follow(rooms=["general"], since=("e1", 7), types=("message",), once="bot"):
        assert_type(heard, RoomEvent)
        assert_type(chat.position(heard), str)
    async with ChatClient("wss://chat.example/chat/ws", token=lambda: "t", ssl=None) as client:
        assert_type(await client.send("general", {"text": "hi"}, msg_id="0" * 16), dict[str, Any])
        async for got in client.follow("general", since=("e1", 7), types=("message",)):
            assert_type(client.position(got), str)
        assert_type(await client.search("lamp", room="general", limit=5), dict[str, Any])
        async with client.stream("general", {"parent": "m1"}) as reply:
            reply.write("hi")
            assert_type(reply.cancelled_by, dict[str, Any] | None)
    async with chat.appear(ada, rooms=["general"]):
        await chat.typing("general", ada, active=False)
    assert_type(await chat.room("general"), Room | None)
    assert_type((await chat.all_rooms(visibility="private")).rooms, list[Room])
    assert_type((await chat.audit(actor=ada)).cursor, str | None)
    assert_type(await chat.update_room("general", retention=86_400), bool)
    async for line in chat.export_user(ada):
        assert_type(line, bytes)
    await chat.erase_user(ada)
    assert_type(await chat.create_room("general", title="General", attributes={"topic": 1}), Room)
    assert_type(await chat.ensure_room("general"), Room)
    assert_type(await chat.delete_room("general"), bool)
    assert_type(await chat.remove_member("general", ada), bool)
    assert_type(await chat.kick("general", "u1"), bool)
    assert_type(await chat.online("u1", ada), set[str])
    assert_type(chat.connections(ada), list[ConnectionInfo])
    await chat.add_member("general", ada, role="moderator")
    await chat.notify(ada, "update", {"n": 1})
    await chat.notify("u1", "update", {"n": 1}, session="s1")
    await chat.broadcast("notice", {"title": "News"})
    await chat.disconnect("u1", code=4010, reason="elsewhere")
    await chat.revoke(user=ada, issued_before=1712050800.0)
    await chat.revoke(jti="t1", sid="s1")
    assert_type(await chat.ban_user("u1", until=1712050800.0, reason="spam"), bool)
    assert_type(await chat.unban_user(ada), bool)
    [report] = (await chat.reports("general", open=False)).reports
    assert_type(report.outcome, str | None)
    await chat.close_report(report.id, "warned")
    assert_type((await chat.mark_read("u1", "general", 7, unread=True)).read, int)
    assert_type((await chat.unread(ada, ["general"]))["general"].unread, int)
    assert_type((await chat.badge("u1")).rooms, int)
    assert_type((await chat.receipts("general", "server-message-1")).at, float)
    assert_type(await chat.ticket(User("u1", "Ada")), str)

    assert_type(await chat.reconfigure(rate_message="5/s burst 20", max_text=None), dict[str, Any])
    for event in (await chat.history("general")).messages:
        assert_type(event, dict[str, Any])


async def errors() -> None:
    try:
        await chat.publish("general", "message", {"text": "hi"})
    except chatrooms.RateLimited as problem:
        assert_type(problem.code, str)
    except ChatError as problem:
        assert_type(problem.message, str)


async def elsewhere() -> None:
    async with chatrooms.connect("support", namespace="Shop", store="redis://host") as other:
        assert_type(other, ChatRooms)
        assert_type(await other.publish("general", "message", {"text": "hi"}), Appended)


async def tests() -> None:
    store = FaultyStore(MemoryStore())
    store.fail_next(1, "append")
    assert_type(Clock().now, float)
    async with running_chat(chat) as running:
        client = await chat_client(running, User("u1", "Ada"), witness=Checker().witness("ada"))
        assert_type(client, MemoryClient)
