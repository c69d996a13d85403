"""Revoked tokens and users who are banned from the server: on all workers at once, and whatever happens between."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from sanic import Sanic

from sanic_chatrooms import (
    Banned,
    ChatRooms,
    InvalidField,
    MemoryBroker,
    MemoryPresence,
    MemoryStore,
    Unauthenticated,
    Unavailable,
    User,
)
from sanic_chatrooms.brokers.memory import MemoryBus
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.config.backends import Backends
from sanic_chatrooms.models import EVERYONE, Envelope
from sanic_chatrooms.presence.memory import MemoryBoard
from sanic_chatrooms.sessions.revocations import SWEEP_EVERY, BannedFromServer, Revoked
from sanic_chatrooms.stores.base import RESERVED_HISTORY_MAX
from sanic_chatrooms.testing import FaultyBroker, FaultyStore, MemoryClient, chat_client
from sanic_chatrooms.testing.clock import time_of_day
from sanic_chatrooms.testing.connections import running_core
from tests.support.brokers import holds
from tests.support.fixtures import Connect
from tests.support.wire import SECRET, mount, token

App = Sanic[Any, Any]
TTL = 600.0


class Workers:
    """Two workers with one store. `broker` is the second one's."""

    def __init__(self) -> None:
        self.store = FaultyStore(MemoryStore())
        self.instances = [ChatRooms("test", jwt_secret=SECRET, guests=True, revocation_ttl=TTL) for _ in "ab"]
        bus, board = MemoryBus(), MemoryBoard()
        self.broker = FaultyBroker(MemoryBroker(bus))
        self._backends = [
            Backends(self.store, broker, MemoryPresence(board)) for broker in (MemoryBroker(bus), self.broker)
        ]
        self.chats: list[Chat] = []

    async def start(self, stack: AsyncExitStack) -> None:
        for instance, backends in zip(self.instances, self._backends, strict=True):
            self.chats.append(await stack.enter_async_context(running_core(instance, backends=backends)))

    @property
    def here(self) -> ChatRooms:
        """Where tokens are revoked."""
        return self.instances[0]

    async def come(self, shown: str | None, worker: int = 1) -> MemoryClient:
        """A connection with this token; None: a new guest."""
        return await chat_client(self.chats[worker], token=shown)


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    workers = Workers()
    async with AsyncExitStack() as stack:
        await workers.start(stack)
        yield workers


def issued(user: str, ago: float = 60.0, **claims: Any) -> str:
    return token(user, iat=int(time.time() - ago), **claims)


# ---- who is concerned ----


async def test_a_users_tokens_are_revoked_on_every_worker(workers: Workers) -> None:
    shown = issued("ada")
    clients = [await workers.come(shown, worker) for worker in (0, 1, 1)]
    bob = await workers.come(issued("bob"))

    await workers.here.revoke(user="ada")

    assert [(await client.closed())[0] for client in clients] == [4500] * 3
    for worker in (0, 1):
        with pytest.raises(Revoked):
            await workers.come(shown, worker)
    await bob.settle()
    assert bob.connection.closed is None


async def test_only_the_token_with_that_jti_is_revoked(workers: Workers) -> None:
    lost, kept = issued("ada", jti="lost"), issued("ada", jti="kept")
    one, other = await workers.come(lost), await workers.come(kept)

    await workers.here.revoke(jti="lost")

    assert (await one.closed())[0] == 4500
    await other.settle()
    assert other.connection.closed is None
    await workers.come(kept)
    with pytest.raises(Revoked):
        await workers.come(lost)


async def test_all_tokens_of_a_sign_in_are_revoked_whenever_they_were_issued(workers: Workers) -> None:
    phone, laptop = issued("ada", sid="phone"), issued("ada", sid="laptop")
    one, other = await workers.come(phone), await workers.come(laptop)

    await workers.here.revoke(sid="phone")

    assert (await one.closed())[0] == 4500
    with pytest.raises(Revoked):
        await workers.come(token("ada", sid="phone", iat=int(time.time())))
    await other.settle()
    assert other.connection.closed is None


async def test_a_long_sid_is_revoked_like_a_short_one(workers: Workers) -> None:
    long, longer = "s" * 255, "s" * 256
    one = await workers.come(issued("ada", sid=long))

    await workers.here.revoke(sid=long)

    assert (await one.closed())[0] == 4500
    await workers.come(issued("ada", sid=longer))
    with pytest.raises(Revoked):
        await workers.come(issued("ada", sid=long))


async def test_a_token_that_is_issued_later_is_good(workers: Workers) -> None:
    await workers.here.revoke(user="ada", issued_before=time.time() - 30)

    await workers.come(issued("ada", ago=20))
    with pytest.raises(Revoked):
        await workers.come(issued("ada", ago=40))


async def test_a_token_of_the_same_second_is_revoked_too(workers: Workers) -> None:
    second = int(time.time()) - 20

    await workers.here.revoke(user="ada", issued_before=second + 0.2)

    with pytest.raises(Revoked):
        await workers.come(token("ada", iat=second))
    with pytest.raises(Revoked):
        await workers.come(token("ada", iat=second + 0.2))
    await workers.come(token("ada", iat=second + 0.3))
    await workers.come(token("ada", iat=second + 1))


async def test_a_token_that_does_not_say_when_it_was_issued_counts_as_issued_before(workers: Workers) -> None:
    await workers.here.revoke(user="ada", issued_before=1.0)

    # Who revokes so long ago that nothing of it lives revokes nothing.
    await workers.come(token("ada"))
    await workers.here.revoke(user="ada", issued_before=time.time() - 5)
    with pytest.raises(Revoked):
        await workers.come(token("ada"))


async def test_an_earlier_revocation_takes_nothing_back_of_a_later_one(workers: Workers) -> None:
    await workers.here.revoke(user="ada", issued_before=time.time() - 10)
    await workers.here.revoke(user="ada", issued_before=time.time() - 100)

    with pytest.raises(Revoked):
        await workers.come(issued("ada", ago=50))


async def test_a_guest_does_not_come_back_by_a_newer_guest_token(workers: Workers) -> None:
    guest = await workers.come(None)
    tokens = [(await guest.expect("welcome"))["payload"]["guestToken"]]
    with time_of_day() as move:
        move(120)
        tokens.append((await guest.ack("auth", payload={"name": "Eve"}))["guestToken"])
        move(-60)
        await workers.here.revoke(user=guest.session.user)

    assert (await guest.closed())[0] == 4500
    for shown in tokens:
        with pytest.raises(Revoked):
            await workers.come(shown)
    await workers.come(None)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"issued_before": 1.0},
        {"user": ""},
        {"jti": ""},
        {"sid": "x" * 257},
        {"user": "u", "issued_before": -1},
    ],
)
async def test_what_cannot_be_revoked_is_said(workers: Workers, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidField):
        await workers.here.revoke(**wrong)


# ---- refreshing ----


async def test_a_revoked_token_does_not_refresh(workers: Workers) -> None:
    ada = await workers.come(issued("ada", jti="first"))
    await workers.here.revoke(jti="second")

    assert (await ada.error("auth", payload={"token": issued("ada", jti="second")}))[
        "code"
    ] == "unauthenticated"
    await ada.ack("auth", payload={"token": issued("ada", jti="third")})

    assert ada.connection.closed is None


async def test_a_connection_is_judged_by_the_token_that_it_showed_last(workers: Workers) -> None:
    ada = await workers.come(issued("ada", jti="first"))
    await ada.ack("auth", payload={"token": issued("ada", jti="second")})

    await workers.here.revoke(jti="first")
    await ada.settle()
    assert ada.connection.closed is None
    await workers.here.revoke(jti="second")

    assert (await ada.closed())[0] == 4500


async def test_a_revoked_token_in_auth_closes(workers: Workers) -> None:
    await workers.here.revoke(user="ada")
    guest = await workers.come(None)

    assert (await guest.error("auth", payload={"token": issued("ada")}))["code"] == "unauthenticated"


# ---- nothing slips between ----


@pytest.mark.parametrize(("verb", "call"), [("about_each", 1), ("heads", 1), ("about_each", 2)])
async def test_a_token_that_is_revoked_while_it_is_checked_does_not_get_in(
    workers: Workers, verb: str, call: int
) -> None:
    coming = await held_at(workers, verb, call)

    await workers.here.revoke(user="ada")

    with pytest.raises(Revoked):
        await coming


async def test_a_token_that_is_revoked_after_the_handshake_does_not_get_in(workers: Workers) -> None:
    chat = workers.chats[1]
    heard, user = chat.revocations.heard, User("ada", "Ada", issued_at=time.time() - 60)
    await chat.revocations.check(user)

    await workers.here.revoke(user="ada")
    session = (await workers.come(None)).session

    with pytest.raises(Revoked):
        await chat.sessions.identified(session, user, heard=heard)
    assert chat.sessions.of("ada") == []


async def held_at(workers: Workers, verb: str, call: int) -> asyncio.Task[MemoryClient]:
    """Ada comes, and her worker has asked the store by this call: it gets the answer when it has heard of a revocation."""
    store, asked, calls = workers.store.inner, asyncio.Event(), 0
    real = getattr(store, verb)

    async def slow(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        answer, calls = await real(*args, **kwargs), calls + 1
        if calls == call:
            asked.set()
            await holds(lambda: workers.chats[1].revocations.heard > 0)
        return answer

    setattr(store, verb, slow)
    coming = asyncio.ensure_future(workers.come(issued("ada")))
    await asked.wait()
    return coming


async def test_a_store_that_is_away_lets_nobody_in(workers: Workers) -> None:
    workers.store.fail_next(9, "about_each")

    with pytest.raises(Unavailable):
        await workers.come(issued("ada"))


async def test_who_missed_a_revocation_that_is_gone_from_the_log_checks_every_connection(
    workers: Workers,
) -> None:
    ada, bob, eve = [await workers.come(issued(user)) for user in ("ada", "bob", "eve")]
    workers.broker.lose = 1.0

    await workers.here.revoke(user="ada")
    await workers.here.ban_user("eve")
    for n in range(RESERVED_HISTORY_MAX):
        await workers.here.revoke(jti=f"t{n}")
    workers.store.fail_next(1, "about_each")
    await workers.chats[1].hub.check()

    assert (await ada.closed())[0] == 4500
    assert (await eve.closed())[0] == 4507
    await bob.settle()
    assert bob.connection.closed is None
    workers.broker.lose = 0.0
    await workers.here.revoke(user="bob")
    assert (await bob.closed())[0] == 4500


async def test_a_worker_whose_broker_is_away_hears_of_it_from_the_store(
    often: None, workers: Workers
) -> None:
    ada = await workers.come(issued("ada"))
    workers.broker.down()

    await workers.here.revoke(user="ada")

    assert (await ada.closed())[0] == 4500


async def test_who_misses_revocations_again_while_it_checks_checks_in_one_task(workers: Workers) -> None:
    ada, bob = [await workers.come(issued(user)) for user in ("ada", "bob")]
    sessions = workers.chats[1].sessions
    workers.broker.lose = 1.0

    await workers.here.revoke(user="ada")
    sessions.on_gap(EVERYONE)
    await workers.here.revoke(user="bob")
    sessions.on_gap(EVERYONE)
    assert len(sessions._watching) == 1

    assert [(await client.closed())[0] for client in (ada, bob)] == [4500, 4500]
    await holds(lambda: not sessions._watching)
    sessions.on_gap(EVERYONE)
    assert len(sessions._watching) == 1


async def test_a_store_that_lost_everything_is_used_for_revocations_again(workers: Workers) -> None:
    await workers.here.revoke(user="eve")
    await workers.store.delete_room(EVERYONE)
    for chat in workers.chats:
        await chat.hub.check()
    await holds(lambda: all((room := chat.hub.room(EVERYONE)) and room.up for chat in workers.chats))
    ada = await workers.come(issued("ada"))

    await workers.here.revoke(user="ada")

    assert (await ada.closed())[0] == 4500


async def test_what_a_newer_worker_says_to_all_is_ignored(
    workers: Workers, caplog: pytest.LogCaptureFixture
) -> None:
    ada = await workers.come(issued("ada"))
    chat = workers.chats[1]

    chat.sessions.on_event(Envelope(EVERYONE, "e", 1, "inbox", b'{"payload":{"type":"newer"}}'))

    await ada.settle()
    assert ada.connection.closed is None
    assert "newer" in caplog.text


# ---- for how long ----


async def test_a_revocation_ends_when_no_token_can_be_so_old(workers: Workers) -> None:
    await workers.here.revoke(jti="lost")
    with time_of_day() as move:
        move(TTL + 1)
        await workers.come(token("ada", jti="lost"))


async def test_what_has_passed_is_forgotten_and_what_holds_is_kept(workers: Workers) -> None:
    chat = workers.chats[0]
    await workers.here.ban_user("eve", until=time.time() + 60)
    await workers.here.ban_user("mallory")
    await workers.here.revoke(user="ada")
    with time_of_day() as move:
        move(TTL + 1)
        await workers.here.revoke(user="bob")
        chat.revocations._due = 0.0
        await chat.revocations.sweep()

    assert await kept(chat, "ban") == ["user:mallory"]
    assert await kept(chat, "revoked") == ["user:bob"]
    assert 0 < chat.revocations._due - time.monotonic() <= SWEEP_EVERY


async def test_a_revocation_that_comes_while_passed_ones_are_forgotten_is_kept(workers: Workers) -> None:
    chat, store = workers.chats[0], workers.store.inner
    await workers.here.revoke(user="ada")
    real = store.facts
    again: list[bool] = []

    async def slow(room: str, kind: str, **kwargs: Any) -> Any:
        page = await real(room, kind, **kwargs)
        if kind == "revoked" and not again:
            again.append(True)
            await workers.here.revoke(user="ada")
        return page

    store.facts = slow  # type: ignore[method-assign]
    with time_of_day() as move:
        move(TTL + 1)
        chat.revocations._due = 0.0
        await chat.revocations.sweep()

        assert await kept(chat, "revoked") == ["user:ada"]


async def kept(chat: Chat, kind: str) -> list[str]:
    return [known.key for known in (await chat.store.facts(EVERYONE, kind)).facts]


# ---- bans from the server ----


async def test_a_banned_user_is_out_on_every_worker_whatever_their_token(workers: Workers) -> None:
    ada = await workers.come(issued("ada"))

    assert await workers.here.ban_user("ada", reason="spam")
    assert not await workers.here.ban_user("ada", reason="spam")

    assert await ada.closed() == (4507, BannedFromServer.default)
    with pytest.raises(BannedFromServer) as refusal:
        await workers.come(token("ada", iat=int(time.time()) + 5))
    assert refusal.value.fields == {"reason": "spam"}


async def test_a_ban_ends_by_itself_and_by_unban(workers: Workers) -> None:
    await workers.here.ban_user("ada", until=time.time() + 30)
    await workers.here.ban_user("bob")
    with time_of_day() as move:
        move(31)
        await workers.come(issued("ada"))
    assert await workers.here.unban_user("bob")
    assert not await workers.here.unban_user("bob")

    await workers.come(issued("bob"))


async def test_a_banned_user_says_nothing_without_a_connection(workers: Workers) -> None:
    ada = User("ada", "Ada")
    await workers.here.ensure_room("general")
    await workers.here.publish("general", "message", {"text": "hi"}, as_user=ada)
    await workers.here.ban_user(ada, until=time.time() + 60, reason="spam")

    with pytest.raises(Banned) as refusal:
        await workers.instances[1].publish("general", "message", {"text": "hi"}, as_user=ada)

    assert refusal.value.fields.keys() == {"until", "reason"}


async def test_who_is_refused_is_gone_at_once_for_the_others(workers: Workers) -> None:
    await workers.here.ensure_room("general")
    clients = [await workers.come(issued(user)) for user in ("ada", "bob", "eve")]
    for client in clients:
        await client.ack("join", room="general")

    await workers.here.ban_user("ada")
    await workers.here.revoke(user="eve")
    for client in (clients[0], clients[2]):
        await client.closed()
    await workers.chats[1].occupancy.settle()

    assert [user.id for user in (await workers.here.presence("general")).users] == ["bob"]
    assert await workers.here.online("ada", "bob", "eve") == {"bob"}


@pytest.mark.parametrize("wrong", [{"reason": "x" * 501}, {"reason": "a\nb"}, {"until": float("nan")}])
async def test_a_ban_that_cannot_be_stored_is_refused(workers: Workers, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidField):
        await workers.here.ban_user("ada", **wrong)


# ---- over HTTP ----


async def test_a_handshake_of_a_banned_user_is_a_403_that_says_why(app: App, connect: Connect) -> None:
    chat = mount(app, guests=False, jwt_secret=SECRET)
    ada = await connect(token=token("ada"))
    until = time.time() + 600

    await chat.ban_user("ada", until=until, reason="spam")

    said = await ada.expect("error")
    assert said["payload"].pop("until") == pytest.approx(until)
    assert {key: said["payload"][key] for key in ("code", "reason")} == {"code": "banned", "reason": "spam"}
    assert (await ada.closed())[0] == 4507
    refusal = await connect.refused(token=token("ada"))
    assert refusal.status == 403
    assert refusal.headers["content-type"] == "application/problem+json"
    told = json.loads(refusal.body)
    assert (told["code"], told["status"], told["reason"]) == ("banned", 403, "spam")
    assert told["until"] == pytest.approx(until)


async def test_a_handshake_with_a_revoked_token_is_a_401(app: App, connect: Connect) -> None:
    chat = mount(app, guests=False, jwt_secret=SECRET)
    shown = token("ada", jti="t1")
    ada = await connect(token=shown)

    await chat.revoke(jti="t1")

    assert (await ada.closed())[0] == 4500
    refusal = await connect.refused(token=shown)
    assert (refusal.status, json.loads(refusal.body)["code"]) == (401, "unauthenticated")
    other = await connect()
    assert (await other.error("auth", payload={"token": shown}))["code"] == Unauthenticated.code
    assert (await other.closed())[0] == 4500


async def test_auth_of_a_banned_user_closes(app: App, connect: Connect) -> None:
    chat = mount(app, guests=False, jwt_secret=SECRET)
    await connect(token=token("bob"))
    await chat.ban_user("ada", reason="spam")
    ada = await connect()

    error = await ada.error("auth", payload={"token": token("ada")})

    assert (error["code"], error["reason"]) == ("banned", "spam")
    assert (await ada.closed())[0] == 4507
