"""What it means that a WebSocket was not opened."""

from contextlib import suppress
from urllib.parse import quote

from websockets.exceptions import WebSocketException

from ...client.dial import Refused, dial
from ...errors import Unavailable
from ..output import safe
from .request import get, is_chat, lacks
from .visit import Visit, Wrong

__all__ = ["PROXY", "REASONS", "TOKEN", "explain", "said", "unavailable"]

TOKEN = "Give --token, or put one into CHATROOMS_TOKEN: `python -m sanic_chatrooms token USER` makes one."  # noqa: S105 - a sentence
SESSIONS = "If it knows its users only by sessions of the app, let it take tokens, too: auth=Chain(JWTAuth(…), HostSession(…))."
PROXY = (
    "Let the proxy pass the upgrade on. nginx: `proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header "
    'Connection "upgrade";` (deploy/nginx has all of it). Load balancers: turn WebSockets on for this route.'
)
REASONS = {
    "store": "the store does not answer",
    "broker": "the broker does not answer, so workers do not hear each other",
    "draining": "this worker stops, and sends its connections to others",
    "starting": "the chat does not run yet, or no more",
}
REMEDIES = {
    "store": "Start the store (database, Redis or Valkey), or correct CHATROOMS_STORE; the server's log names the cause.",
    "broker": "Start the broker, or correct CHATROOMS_BROKER; the server's log names the cause.",
    "draining": "Wait until the new workers run, and try again.",
    "starting": "Wait until the app has started; its log says why if it does not.",
}


async def explain(visit: Visit, problem: Exception) -> Wrong:
    """What is wrong, if every connection failed like this one."""
    if isinstance(problem, Unavailable):
        return await unavailable(visit, problem.message)
    if isinstance(problem, Refused) and _is_of_a_chat(problem):
        return await _of_the_chat(visit, problem)
    if isinstance(problem, Refused):
        found = await _of_a_stranger(visit, problem)
    elif isinstance(problem, Wrong):
        found = problem
    else:
        found = await _of_nobody(visit, problem)
    if await _events_pass(visit):
        return Wrong(
            f"WebSockets do not pass, and server-sent events do: {found.detail}",
            f"{PROXY} Until then the chat is to be read over HTTP, at {visit.prefix}/api.",
        )
    return found


def said(problem: Exception) -> str:
    """A failure in a few words."""
    if isinstance(problem, Refused):
        return (
            f"HTTP {problem.status} {safe(problem.error.message)}"
            if _is_of_a_chat(problem)
            else f"HTTP {problem.status}"
        )
    if isinstance(problem, TimeoutError):
        return "no answer in time"
    return safe(str(problem)) or type(problem).__name__


async def unavailable(visit: Visit, detail: str) -> Wrong:
    """What is wrong where the chat says that it cannot do something now."""
    reasons = [reason for reason in await lacks(visit) if reason in REASONS]
    if reasons:
        return Wrong("; ".join(REASONS[one] for one in reasons), " ".join(REMEDIES[one] for one in reasons))
    return Wrong(detail, "Try again in a moment. If it stays, the server's log says why.")


def _is_of_a_chat(refused: Refused) -> bool:
    return refused.headers.get("Content-Type", "").startswith("application/problem+json")


# ---- the chat itself has answered ----


async def _of_the_chat(visit: Visit, refused: Refused) -> Wrong:
    status, message = refused.status, safe(refused.error.message)
    if status in (400, 426):
        return Wrong(f"the request arrives without its upgrade: a proxy drops it (HTTP {status})", PROXY)
    if status == 401:
        return Wrong("the chat lets nobody in without a token", f"{TOKEN} {SESSIONS}")
    if status == 403 and refused.error.code == "forbidden" and await _passes_without_origin(visit):
        return Wrong(
            f"pages of {visit.origin} may not connect",
            f'Add "{visit.origin}" to CHATROOMS_ALLOWED_ORIGINS. If it is the server\'s own, the proxy hides it: let it pass on '
            "`Host` and `X-Forwarded-Proto`, and tell Sanic to trust it (PROXIES_COUNT or FORWARDED_SECRET).",
        )
    if status == 429:
        return Wrong(
            message, "Open fewer connections (--tries 1), or raise CHATROOMS_MAX_CONNECTIONS_PER_IP."
        )
    if status == 503:
        return await unavailable(visit, message)
    return Wrong(f"the chat refuses us: {message}", "The server's log says why.")


async def _passes_without_origin(visit: Visit) -> bool:
    with suppress(Refused, OSError, WebSocketException):
        ws = await dial(visit.socket, None, visit.options(origin=False))
        with suppress(Exception):
            await ws.close()
        return True
    return False


# ---- somebody else has ----


async def _of_a_stranger(visit: Visit, refused: Refused) -> Wrong:
    status, server = refused.status, _server(refused)
    if status == 404:
        return await _elsewhere(visit)
    if 300 <= status < 400:
        to = safe(refused.headers.get("Location", "another address"))
        return Wrong(
            f"the address leads on to {to} (HTTP {status})",
            "Use that address: clients do not follow it with a token.",
        )
    if status in (502, 504):
        return Wrong(
            f"the proxy finds no server behind it (HTTP {status}{server})",
            "Start the app, or correct its address in the proxy (nginx: upstream).",
        )
    if status in (200, 400, 426):
        return Wrong(f"a proxy drops the upgrade, or this is no chat (HTTP {status}{server})", PROXY)
    if status == 403:
        return Wrong(
            f"something before the chat refuses us (HTTP 403{server})",
            "Allow WebSockets in the firewall for web applications.",
        )
    return Wrong(
        f"something before the chat answers with HTTP {status}{server}",
        "Its log, or that of the proxy, says why.",
    )


def _server(refused: Refused) -> str:
    name = refused.headers.get("Server")
    return f" of {safe(name)}" if name else ""


async def _elsewhere(visit: Visit) -> Wrong:
    detail = f"there is nothing at {visit.parts.path} (HTTP 404)"
    for prefix in ("/chat", ""):
        if await is_chat(visit, prefix):
            return Wrong(detail, f"A chat answers at {visit.origin}{prefix}: use this address.")
    return Wrong(
        detail,
        "The address is the prefix of the blueprint (/chat unless you have set another), or the socket below it (/chat/ws). A proxy "
        "has to pass this path on as it is.",
    )


async def _of_nobody(visit: Visit, problem: Exception) -> Wrong:
    what = f"the handshake is not answered: {said(problem)}"
    if await is_chat(visit, visit.prefix):
        return Wrong(f"{what}, though plain requests are", PROXY)
    return Wrong(
        what,
        "The worker hangs, or what listens here is no HTTP server. Look into the server's log, and restart it.",
    )


async def _events_pass(visit: Visit) -> bool:
    """Whether the room can be read as server-sent events, without anybody keeping them back."""
    room = visit.room or await _some_room(visit)
    path = f"{visit.prefix}/api/rooms/{quote(room, safe='')}/events"
    answer = await get(visit, path, accept="text/event-stream", stream=True) if room else None
    return answer is not None and answer.headers.get("content-type", "").startswith("text/event-stream")


async def _some_room(visit: Visit) -> str:
    answer = await get(visit, f"{visit.prefix}/api/rooms?limit=1")
    rooms = answer.value.get("rooms") if answer is not None else None
    return (
        str(rooms[0].get("room", ""))
        if isinstance(rooms, list) and rooms and isinstance(rooms[0], dict)
        else ""
    )
