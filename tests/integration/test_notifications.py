"""The example's notifications: to a push service on this machine, which answers as it is told and where a browser reads them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from sanic import Sanic

from example_app.notifications import notifications as module
from example_app.notifications.notifications import Notifications, add_notifications
from example_app.notifications.web_push import read_base64url
from sanic_chatrooms import ChatRooms, User
from tests.support.client import Client
from tests.support.fixtures import Connect, Live
from tests.support.push import Browser, PushService, for_server
from tests.support.tls import CERTIFICATE
from tests.support.wire import SECRET, token


class Site:
    def __init__(
        self, chat: ChatRooms, notifications: Notifications, push: PushService, connect: Connect
    ) -> None:
        self.chat = chat
        self.notifications = notifications
        self.push = push
        self._connect = connect
        self.ended: set[str] = set()
        """Sign-ins that have ended."""

    async def is_signed_in(self, login: str) -> bool:
        return login not in self.ended

    async def come(self, user: str, **claims: Any) -> Client:
        client = await self._connect(token=token(user, name=user.capitalize(), **claims))
        await client.expect("welcome")
        return client

    async def leave(self, client: Client, user: str) -> None:
        await client.close()
        await self.until_gone(user)

    async def until_gone(self, user: str) -> None:
        async with asyncio.timeout(40):
            while await self.chat.online(user, grace=False):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def subscribe(self, user: str, **claims: Any) -> Browser:
        """A browser of this user, who then leaves."""
        client, browser = await self.come(user, **claims), Browser(self.push.endpoint(user))
        await client.ack("notifications.on", payload=browser.subscription)
        await self.leave(client, user)
        return browser

    async def until_forgotten(self, user: str) -> None:
        async with asyncio.timeout(40):
            while self.notifications.subscriptions.of(user):  # noqa: ASYNC110
                await asyncio.sleep(0.01)


@pytest.fixture
async def push(live: Live) -> AsyncIterator[PushService]:
    push = PushService()
    push.server = await live(push.app, tls=for_server())
    yield push
    Sanic.unregister_app(push.app)


@pytest.fixture
async def site(
    live: Live, connect: Connect, push: PushService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Site:
    monkeypatch.setattr(module, "WAITS", (0, 0.01, 0.01))
    chat = ChatRooms(guests=True, jwt_secret=SECRET, presence_grace=0.1)
    live.app.blueprint(chat.bp)
    notifications = Notifications(
        chat,
        tmp_path,
        hosts=[f"localhost:{push.server.port}"],
        http=httpx.AsyncClient(verify=ssl.create_default_context(cafile=CERTIFICATE)),
    )
    add_notifications(live.app, chat, notifications)
    live.servers.clear()  # the chat is the first server for those who connect
    await live()
    await chat.create_room("general", title="General")
    site = Site(chat, notifications, push, connect)
    notifications._is_signed_in = site.is_signed_in
    return site


async def test_a_direct_message_reaches_somebody_who_is_away_and_only_their_browser_reads_it(
    site: Site,
) -> None:
    browser = await site.subscribe("ben")
    ada = await site.come("ada")

    said = await ada.ack("direct", payload={"to": "ben", "body": {"text": "lunch?"}})
    await site.push.until(1)

    (request,) = site.push.requests
    assert site.push.told(browser) == [{"title": "Ada", "body": "lunch?", "room": said["room"]}]
    assert b"lunch" not in request.body
    with pytest.raises(InvalidTag):
        Browser(browser.endpoint).read(request.body)
    assert (request.headers["ttl"], request.headers["content-encoding"]) == ("86400", "aes128gcm")
    signed, key = request.headers["authorization"].removeprefix("vapid t=").split(", k=")
    verifier = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), read_base64url(key))
    assert jwt.decode(signed, verifier, ["ES256"], audience=f"https://localhost:{site.push.server.port}")
    assert key == (await ada.ack("notifications.key"))["key"]


async def test_mentions_are_told_and_nothing_else_nor_to_those_who_are_here_or_want_none(site: Site) -> None:
    ben = await site.subscribe("ben")
    cleo = await site.subscribe("cleo")
    await site.subscribe("dora")
    ada = await site.come("ada")
    await ada.ack("join", room="general")
    for user in ("ben", "cleo", "dora"):
        await site.chat.add_member("general", User(user, user.capitalize()))
    here, mute = await site.come("cleo"), await site.come("dora")
    await mute.ack("prefs", room="general", payload={"notify": "none"})
    await site.leave(mute, "dora")

    async def say(text: str, *mentions: str) -> None:
        await ada.ack("message", room="general", payload={"text": text, "mentions": list(mentions)})

    await say("for nobody")
    await say("for all", "ben", "cleo", "dora", "stranger")
    await site.push.until(1)
    await site.leave(here, "cleo")
    await say("for cleo", "cleo")
    await site.push.until(2)
    await say("for ben", "ben")
    await site.push.until(3)

    texts = {"ben": ["for all", "for ben"], "cleo": ["for cleo"]}
    told = {"ben": site.push.told(ben), "cleo": site.push.told(cleo)}
    assert {name: [one["body"] for one in ones] for name, ones in told.items()} == texts
    assert told["ben"][0]["title"] == "Ada · General"
    assert len(site.push.requests) == 3


async def test_nobody_is_told_what_somebody_wrote_whom_they_blocked(site: Site) -> None:
    ben = await site.subscribe("ben")
    ada, mallory = await site.come("ada"), await site.come("mallory")
    await site.chat.add_member("general", User("ben", "Ben"))
    for client in (ada, mallory):
        await client.ack("join", room="general")

    async def block(type: str) -> None:
        client = await site.come("ben")
        await client.ack(type, payload={"user": "mallory"})
        await site.leave(client, "ben")

    async def say(client: Client, text: str) -> None:
        await client.ack("message", room="general", payload={"text": text, "mentions": ["ben"]})

    await block("user.block")
    await say(ada, "one")  # from now on a mention is unread
    await site.push.until(1)
    await say(mallory, "rude")
    await say(ada, "two")
    await site.push.until(2)
    await block("user.unblock")
    await say(mallory, "sorry")
    await site.push.until(3)

    assert [one["body"] for one in site.push.told(ben)] == ["one", "two", "sorry"]


async def test_who_is_banned_from_the_server_is_told_nothing(site: Site) -> None:
    ben, cleo = await site.subscribe("ben"), await site.subscribe("cleo")
    ada = await site.come("ada")

    async def say(to: str, text: str) -> None:
        await ada.ack("direct", payload={"to": to, "body": {"text": text}})

    await say("ben", "one")
    await site.push.until(1)
    await site.chat.ban_user("ben")
    await say("ben", "two")
    await say("cleo", "hello")
    await site.push.until(2)
    await site.chat.unban_user("ben")
    await say("ben", "three")
    await site.push.until(3)

    assert [one["body"] for one in site.push.told(ben)] == ["one", "three"]
    assert [one["body"] for one in site.push.told(cleo)] == ["hello"]


async def test_a_sign_in_that_has_ended_by_itself_gets_none(site: Site) -> None:
    await site.subscribe("ben", sid="phone")
    client, desk = await site.come("ben", sid="desk"), Browser(site.push.endpoint("desk"))
    await client.ack("notifications.on", payload=desk.subscription)
    await site.leave(client, "ben")
    site.ended.add("phone")
    ada = await site.come("ada")

    await ada.ack("direct", payload={"to": "ben", "body": {"text": "lunch?"}})

    await site.push.until(1)
    assert [one["body"] for one in site.push.told(desk)] == ["lunch?"]
    assert [one.endpoint for one in site.notifications.subscriptions.of("ben")] == [desk.endpoint]


@pytest.mark.parametrize("gone", [404, 410])
async def test_a_browser_that_is_gone_is_forgotten(site: Site, gone: int) -> None:
    await site.subscribe("ben")
    site.push.answers = [gone]
    ada = await site.come("ada")

    await ada.ack("direct", payload={"to": "ben", "body": {"text": "lunch?"}})

    await site.until_forgotten("ben")
    assert len(site.push.requests) == 1


async def test_a_push_service_that_is_busy_is_asked_again_and_one_that_refuses_is_not(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    browser = await site.subscribe("ben")
    site.push.answers = [503, 429, 201, 400, 302]
    ada = await site.come("ada")

    for text in ("one", "two", "three", "four"):
        await ada.ack("direct", payload={"to": "ben", "body": {"text": text}})
        await site.push.until({"one": 3, "two": 4, "three": 5, "four": 6}[text])

    assert [one["body"] for one in site.push.told(browser)] == ["one", "one", "one", "two", "three", "four"]
    assert "did not take a notification: 400" in caplog.text
    assert browser.endpoint not in caplog.text, "whoever knows it may send there"


async def test_addresses_elsewhere_are_refused_and_so_are_guests(site: Site, connect: Connect) -> None:
    ben, guest = await site.come("ben"), await connect()
    await guest.expect("welcome")
    fine = Browser(site.push.endpoint("ben")).subscription

    async def refusal(client: Client, **other: str) -> str:
        error = await client.error("notifications.on", payload={**fine, **other})
        return str(error["code"])

    assert await refusal(guest) == "forbidden"
    assert await refusal(ben, endpoint="https://127.0.0.1/admin") == "invalid_field"
    assert await refusal(ben, endpoint=fine["endpoint"].replace("https", "http")) == "invalid_field"
    assert await refusal(ben, p256dh="AAAA") == "invalid_field"
    assert site.notifications.subscriptions.of("ben") == []


async def test_who_turns_them_off_or_signs_out_gets_none(site: Site) -> None:
    await site.subscribe("ben", sid="phone")
    client = await site.come("ben")
    other = Browser(site.push.endpoint("other")).subscription
    await client.ack("notifications.on", payload=other)

    await site.notifications.forget("phone")
    assert [one.endpoint for one in site.notifications.subscriptions.of("ben")] == [other["endpoint"]]
    await client.ack("notifications.off", payload={"endpoint": other["endpoint"]})
    assert site.notifications.subscriptions.of("ben") == []
