"""Who is notified of a message, and how it gets to their browsers.

A page proves over its connection to the chat who it is, and leaves there where its browser takes messages (`notifications.on`).
Of a message are told whom it mentions, and the other one of a direct conversation, while they are not connected. They are not told
what the chat does not count as unread for them, because they may not read it or have read it, nor what somebody wrote whom they blocked.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Any

import httpx
import msgspec
from sanic import Sanic

from example_app.accounts.tokens import kept_secret
from sanic_chatrooms import ChatError, ChatRooms, Context, Forbidden, Happening, InvalidField, User

from .subscriptions import Subscriptions
from .web_push import (
    HOSTS,
    Subscription,
    Vapid,
    encrypted,
    headers,
    is_push_service,
    new_key,
    read_key,
    read_subscription,
)

__all__ = ["Notifications", "add_notifications"]

logger = logging.getLogger("example_app.notifications")

WORKER = Path(__file__).parents[1] / "static" / "push-worker.js"
DIRECT = "direct"
TITLE, TEXT = 100, 140  # characters that are shown; with all that is around them they fit, whatever they are
KEEP = 24 * 3600  # seconds for which a push service keeps one for a browser that is away
AT_ONCE, WAITING = 8, 200  # requests on this worker, and notifications that wait for each; more are dropped
WAITS, LONGEST = (
    (0.0, 1.0, 5.0),
    30.0,
)  # seconds before each attempt, unless the push service says another time
SECONDS = 10.0  # for a push service to answer
GONE = (404, 410)

Waiting = asyncio.Queue[tuple[Subscription, str, bytes]]


class Subscribed(msgspec.Struct):
    """What the browser says of its subscription."""

    endpoint: str
    p256dh: str
    auth: str


class Place(msgspec.Struct):
    endpoint: str


class Notifications:
    """`directory`: where the subscriptions are kept, and our key. `hosts`: the push services to which we send. `is_signed_in`:
    whether a sign-in (`User.sid`) has not ended; without it, `forget` has to be called for each that does."""

    def __init__(
        self,
        chat: ChatRooms,
        directory: Path,
        *,
        hosts: Collection[str] = HOSTS,
        contact: str = "mailto:admin@example.com",
        http: httpx.AsyncClient | None = None,
        is_signed_in: Callable[[str], Awaitable[bool]] | None = None,
    ) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.chat = chat
        self.subscriptions = Subscriptions(directory / "notifications.sqlite3")
        self._vapid = Vapid(read_key(kept_secret(directory / "notifications.key", new_key)), contact)
        self._hosts = hosts
        self._http = http
        self._is_signed_in = is_signed_in
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, _: Sanic[Any, Any]) -> None:
        await asyncio.to_thread(self.subscriptions.start)
        self._http = self._http or httpx.AsyncClient(timeout=SECONDS)
        logging.getLogger("httpx").setLevel(logging.WARNING)  # it would log the addresses, which are secrets
        self._queues = [Waiting(WAITING) for _ in range(AT_ONCE)]
        self._tasks = [asyncio.create_task(self._send_all(self._http, queue)) for queue in self._queues]

    async def stop(self, _: Sanic[Any, Any]) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._http is not None:
            await self._http.aclose()

    # ---- commands of the page ----

    async def give_key(self, ctx: Context, _: dict[str, Any]) -> dict[str, str]:
        """`notifications.key`: what a browser subscribes with."""
        return {"key": self._vapid.public}

    async def turn_on(self, ctx: Context, asked: Subscribed) -> None:
        """`notifications.on`. Guests are no members of rooms, so there is nothing to tell them."""
        if ctx.user.guest:
            raise Forbidden("Sign in to get notifications.")
        if not is_push_service(asked.endpoint, self._hosts):
            raise InvalidField("is no push service that is known here", field="endpoint")
        try:
            subscription = read_subscription(asked.endpoint, asked.p256dh, asked.auth)
        except ValueError:
            raise InvalidField("must be the keys of a subscription", field="p256dh") from None
        await asyncio.to_thread(self.subscriptions.add, ctx.user.id, ctx.user.sid or "", subscription)

    async def turn_off(self, ctx: Context, asked: Place) -> None:
        """`notifications.off`."""
        await asyncio.to_thread(self.subscriptions.remove, asked.endpoint, ctx.user.id)

    async def note_choice(self, ctx: Context, call_next: Any) -> Any:
        """What somebody wants to hear of in a room (`prefs`) holds here, too."""
        prefs = await call_next(ctx)
        await asyncio.to_thread(self.subscriptions.choose, ctx.user.id, ctx.room or "", prefs.notify)
        return prefs

    async def note_block(self, ctx: Context, call_next: Any) -> Any:
        """What is unread does not tell by whom it is, so whom somebody blocks (`user.block`, `user.unblock`) is noted here, too."""
        answer = await call_next(ctx)
        if not ctx.user.guest:
            other, on = ctx.payload["user"], ctx.command.type == "user.block"
            await asyncio.to_thread(self.subscriptions.block, ctx.user.id, other, on=on)
        return answer

    async def forget(self, login: str) -> None:
        await asyncio.to_thread(self.subscriptions.forget, login)

    # ---- whom to tell ----

    async def hear(self, said: Happening) -> None:
        if said.room is None or said.user is None:
            return
        body = said.payload
        room = await self.chat.room(said.room)
        if room is None or not isinstance(body.get("text"), str):
            return
        direct = room.visibility == DIRECT
        named = {id for id in body.get("mentions") or () if not id.startswith("@")}
        users = named | (
            {one.user for one in (await self.chat.members(room.id)).members} if direct else set()
        )
        users -= {said.user.id}
        for user in users - await self.chat.online(*users, grace=False) if users else ():
            if await self._wants(user, room.id, said.user.id, direct=direct):
                title = said.user.name if direct else f"{said.user.name} · {room.title or room.id}"
                shown = {"title": title[:TITLE], "body": body["text"][:TEXT], "room": room.id}
                await self._tell(user, room.id, msgspec.json.encode(shown))

    async def _wants(self, user: str, room: str, by: str, *, direct: bool) -> bool:
        unread = (await self.chat.unread(user, [room])).get(room)
        notify = await asyncio.to_thread(self.subscriptions.choice, user, room)
        if unread is None or notify == "none":
            return False
        if unread.mentions == 0 and not (direct and notify == "all" and unread.unread > 0):
            return False
        return not await asyncio.to_thread(self.subscriptions.blocks, user, by) and await self._may_read(
            user, room
        )

    async def _may_read(self, user: str, room: str) -> bool:
        """Those may not who are banned from the server: they stay members."""
        try:
            await self.chat.history(room, limit=1, as_user=User(user, user))
        except ChatError:
            return False
        return True

    async def _tell(self, user: str, room: str, message: bytes) -> None:
        await self._forget_ended(user)
        for subscription in await asyncio.to_thread(self.subscriptions.of, user):
            queue = self._queues[hash(subscription.endpoint) % AT_ONCE]  # a browser gets them in order
            try:
                queue.put_nowait((subscription, room, message))
            except asyncio.QueueFull:
                logger.warning("too many notifications wait; one is dropped")

    async def _forget_ended(self, user: str) -> None:
        """Sign-ins also end by themselves, after some time or for newer ones."""
        for login in await asyncio.to_thread(self.subscriptions.logins, user):
            if login and self._is_signed_in is not None and not await self._is_signed_in(login):
                await self.forget(login)

    # ---- sending ----

    async def _send_all(self, http: httpx.AsyncClient, queue: Waiting) -> None:
        while True:
            subscription, topic, message = await queue.get()
            try:
                await self._send(http, subscription, topic, message)
            except Exception:
                logger.exception("a notification failed")

    async def _send(
        self, http: httpx.AsyncClient, subscription: Subscription, topic: str, message: bytes
    ) -> None:
        status, after = 0, 0.0
        for wait in WAITS:
            await asyncio.sleep(min(max(wait, after), LONGEST))
            status, after = await self._attempt(http, subscription, topic, message)
            if status in GONE:
                await asyncio.to_thread(self.subscriptions.remove, subscription.endpoint)
                return
            if 0 < status < 500 and status != 429:
                break
        if not 200 <= status < 300:  # the address itself is a secret
            logger.warning("%s did not take a notification: %s", subscription.endpoint.split("/")[2], status)

    async def _attempt(
        self, http: httpx.AsyncClient, subscription: Subscription, topic: str, message: bytes
    ) -> tuple[int, float]:
        """The status, 0 without an answer, and the seconds that the push service wants us to wait. No redirect is followed."""
        endpoint = subscription.endpoint
        content = encrypted(message, subscription)
        head = headers(self._vapid, endpoint, topic, KEEP, time.time())
        try:
            async with http.stream("POST", endpoint, content=content, headers=head) as answer:
                after = answer.headers.get("retry-after", "")
                return answer.status_code, float(after) if after.isdecimal() else 0.0
        except httpx.TransportError:
            return 0, 0.0


def add_notifications(app: Sanic[Any, Any], chat: ChatRooms, notifications: Notifications) -> None:
    chat.command("notifications.key")(notifications.give_key)
    chat.command("notifications.on", Subscribed)(notifications.turn_on)
    chat.command("notifications.off", Place)(notifications.turn_off)
    chat.middleware("prefs")(notifications.note_choice)
    chat.middleware("user.block")(notifications.note_block)
    chat.middleware("user.unblock")(notifications.note_block)
    chat.on("message")(notifications.hear)
    app.static("/push-worker.js", WORKER, name="push_worker")  # at the root it is for the whole site
    app.register_listener(notifications.start, "before_server_start")
    app.register_listener(notifications.stop, "after_server_stop")
