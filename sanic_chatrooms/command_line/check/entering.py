"""The steps of a client: who we are, a room, a message that comes back."""

import asyncio
import time
from contextlib import aclosing, suppress
from typing import Any

import jwt

from ...client import ChatClient, ClientClosed
from ...client.checks import number_in
from ...client.dial import Refused, dial
from ...errors import Banned, ChatError, Forbidden, RoomNotFound, TokenExpired, Unauthenticated, Unavailable
from ...support.ids import new_id
from ..output import safe, span
from .refused import REASONS, TOKEN, unavailable
from .request import lacks
from .visit import Visit, Wrong
from .watching import CLOCKS, is_off

__all__ = ["echo", "introduce", "join"]

LONGEST = 3600.0
"""Seconds: no server may be silent for longer (HEARTBEAT_INTERVAL)."""
TEXT = "python -m sanic_chatrooms check: this message is deleted at once"


# ---- auth ----


async def introduce(visit: Visit) -> str:
    """Connect as the user of the token, or as a guest."""
    if visit.token is None and not visit.guests:
        raise Wrong("the chat lets nobody in without a token", TOKEN)
    await _show(visit)
    client = ChatClient(visit.socket, token=visit.token, timeout=visit.timeout, **visit.options())
    visit.ending.push_async_callback(client.close)
    try:
        async with asyncio.timeout(visit.timeout):
            welcome = await client.connect()
    except TimeoutError:
        raise Wrong(
            f"no welcome within {visit.timeout:g} s, though connections open",
            "The server is overloaded, or whatever verifies tokens (the identity provider's keys, the store) does not answer.",
        ) from None
    except ChatError as problem:
        raise await _not_let_in(visit, problem) from None
    visit.client = client
    beat = welcome.get("heartbeat")
    interval = number_in(beat.get("interval")) if isinstance(beat, dict) else None
    if interval is not None and interval > 0:
        visit.interval = min(interval, LONGEST)
    return _who(client.user or {}, visit.token, number_in(welcome.get("expiresAt")))


async def _show(visit: Visit) -> None:
    """Show the token once: a client would try again where the answer is that it may come back."""
    try:
        async with asyncio.timeout(visit.timeout):
            ws = await dial(visit.socket, visit.token, visit.options())
    except Refused as refused:
        raise await _not_let_in(visit, refused.error) from None
    with suppress(Exception):
        await ws.close()


def _who(user: dict[str, Any], token: str | None, expires_at: float | None) -> str:
    name = f"{safe(str(user.get('name')))} ({safe(str(user.get('id')))})"
    until = f", for {span(expires_at - time.time())}" if expires_at is not None else ""
    return f"as {name}{until}" if token is not None else f"as the guest {name}"


async def _not_let_in(visit: Visit, problem: ChatError) -> Wrong:
    if isinstance(problem, Unavailable):
        return await unavailable(visit, problem.message)
    if isinstance(problem, TokenExpired):
        return _expired(visit)
    if isinstance(problem, Unauthenticated):
        return _not_accepted(visit)
    if isinstance(problem, Banned):
        return Wrong(
            f"the user of this token is banned: {safe(problem.message)}",
            "Use another user's, or lift the ban.",
        )
    return Wrong(f"we are not let in: {safe(problem.message)}", "The server's log says why.")


def _expired(visit: Visit) -> Wrong:
    left = _time_left(visit.token, "exp")
    if left is not None and left > 0:
        return Wrong(
            f"the server holds the token for expired, which is valid for another {span(left)} by the clock of this machine",
            CLOCKS,
        )
    ago = "" if left is None else f" {span(left)} ago"
    return Wrong(
        f"the token expired{ago}",
        "Get a new one: from your login, or by `python -m sanic_chatrooms token USER`. Clients need a function that fetches one.",
    )


def _not_accepted(visit: Visit) -> Wrong:
    detail = "the token is not accepted"
    claims = _claims(visit.token)
    if claims is None:
        return Wrong(
            f"{detail}: it is no JSON Web Token",
            "Unless your authenticator takes such tokens, give a JSON Web Token.",
        )
    begins = max((_time_left(visit.token, claim) or 0.0 for claim in ("iat", "nbf")), default=0.0)
    if begins > 0 or is_off(visit):
        return Wrong(f"{detail}, and the clocks differ", CLOCKS)
    return Wrong(
        detail,
        "The server's log says why, at level INFO. Compare its JWT_SECRET or keys with those of who signs; JWT_AUDIENCE with `aud` "
        f"({claims.get('aud', 'none')}), JWT_ISSUER with `iss` ({claims.get('iss', 'none')}), and whether it was revoked.",
    )


def _claims(token: str | None) -> dict[str, Any] | None:
    """What a token says, unverified: only to find out why it is refused."""
    try:
        claims: dict[str, Any] = jwt.decode(token or "", options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError):
        return None
    return claims


def _time_left(token: str | None, claim: str) -> float | None:
    value = (_claims(token) or {}).get(claim)
    return value - time.time() if isinstance(value, int | float) else None


# ---- join ----


async def join(visit: Visit) -> str:
    """Join the room, or one that is made for this and deleted afterwards."""
    client = _client(visit)
    try:
        if visit.room is not None:
            return await _join_named(visit, client, visit.room)
        return await _join_own(visit, client)
    except Unavailable as problem:
        raise await unavailable(visit, f"no room can be joined: {safe(problem.message)}") from None
    except ChatError as problem:
        if problem.code in ("timeout", "lost"):
            raise await unavailable(visit, f"no room can be joined: {safe(problem.message)}") from None
        raise Wrong(
            f"the room cannot be joined: {safe(problem.message)}",
            "Name a room that this user may join (--room).",
        ) from None


async def _join_named(visit: Visit, client: ChatClient, room: str) -> str:
    try:
        before = await client.request("room", room=room)
    except RoomNotFound:
        raise Wrong(
            f"there is no room {room}, or this user may not see it",
            "Name another one (--room), or let the user be invited. `python -m sanic_chatrooms rooms URL` lists those that are there.",
        ) from None
    visit.joined = await client.join(room, history=0)
    if visit.joined.get("role") != before.get("role"):
        visit.ending.push_async_callback(_quietly, client.request("leave", room=room))
    return f"{room}, as {visit.joined.get('role')}"


async def _join_own(visit: Visit, client: ChatClient) -> str:
    try:
        made = await client.request(
            "room.create", payload={"title": "check", "visibility": "private"}, msg_id=new_id()
        )
    except Forbidden:
        visit.why_not = "this user may create no room; --room names one to write to"
        return f"not tried: {visit.why_not}"
    room = made["room"]
    visit.ending.push_async_callback(_delete, client, room)
    visit.joined = await client.join(room, history=0)
    return "a room of our own, which is deleted afterwards"


async def _delete(client: ChatClient, room: str) -> None:
    await _quietly(client.request("room.delete", room=room))


async def _quietly(request: Any) -> None:
    with suppress(ChatError):
        await request


# ---- echo ----


async def echo(visit: Visit) -> str:
    """Send a message, and wait for it as everybody in the room does; then see whether all workers would hear it."""
    try:
        detail = await _there_and_back(visit)
    except Unavailable as problem:
        raise await unavailable(visit, f"no message can be stored: {safe(problem.message)}") from None
    except ChatError as problem:
        raise Wrong(f"no message comes back: {safe(problem.message)}", "The server's log says why.") from None
    except TimeoutError:
        raise await unavailable(
            visit, f"a message was stored, and does not come back within {visit.timeout:g} s"
        ) from None
    if set(await lacks(visit)) & REASONS.keys():
        raise await unavailable(visit, "a worker is not ready")
    return detail


async def _there_and_back(visit: Visit) -> str:
    client = _client(visit)
    if visit.joined is None:
        return await _ping(client, visit.why_not)
    room, place = visit.joined["room"], (visit.joined["epoch"], visit.joined["seq"])
    began = time.monotonic()
    try:
        sent = await client.request("message", room=room, payload={"text": TEXT}, msg_id=new_id())
    except Forbidden as problem:
        return await _ping(client, safe(problem.message))
    stored = time.monotonic() - began
    if visit.room is not None:
        visit.ending.push_async_callback(_take_back, client, room, sent["msgId"])
    async with asyncio.timeout(visit.timeout), aclosing(client.follow(room, since=place)) as events:
        async for event in events:
            if event.get("msgId") == sent["msgId"]:
                break
        else:
            raise ClientClosed
    return f"a message was stored in {stored * 1000:.0f} ms, and came back"


async def _take_back(client: ChatClient, room: str, msg_id: str) -> None:
    await _quietly(client.request("message.delete", room=room, payload={"msgId": msg_id}))


async def _ping(client: ChatClient, why: str) -> str:
    await client.request("ping")
    return f"a ping came back; no message was sent, for {why}"


def _client(visit: Visit) -> ChatClient:
    assert visit.client is not None, "auth comes before"
    return visit.client
