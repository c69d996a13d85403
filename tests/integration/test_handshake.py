"""The door: who gets a 101, and by which HTTP answer the others are turned away."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import select
import socket
import time
from typing import Any

import pytest
from sanic import Sanic

from sanic_chatrooms import Authenticator, ChatRooms, Credentials, Handshake, User
from sanic_chatrooms.web.mounted import mounted_in
from tests.support.client import Closed
from tests.support.fixtures import Connect, Live
from tests.support.raw import handshake
from tests.support.wire import SECRET, masked, mount, token

App = Sanic[Any, Any]
UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


# ---- who gets in ----


@pytest.mark.skipif(
    not hasattr(select, "POLLRDHUP"), reason="the system does not tell that a peer has closed its side"
)
async def test_a_client_that_gave_up_before_it_was_heard_is_not_let_in(
    app: App, live: Live, connect: Connect
) -> None:
    asked: list[str | None] = []

    class Noting(Authenticator):
        async def authenticate(self, credentials: Credentials, handshake: Handshake) -> User:
            asked.append(credentials.token)
            return User(credentials.token or "", "Somebody")

    mount(app, guests=False, auth=Noting())
    server = await live()
    with socket.create_connection(
        (server.host, server.port)
    ) as gone:  # in the queue of the system, as this loop does not run
        gone.sendall(handshake(f"{server.host}:{server.port}", token="gone"))

    await connect(token="there")

    assert asked == ["there"]


async def test_a_guest_is_welcomed_at_once(app: App, connect: Connect) -> None:
    mount(app)

    ada = await connect()

    welcome = await ada.expect("welcome")
    payload = welcome["payload"]
    assert ada.frames[0] == welcome
    assert payload["protocol"] == 1
    assert payload["heartbeat"] == {"interval": 30, "timeout": 90}
    assert payload["limits"] == {
        "maxFrame": 65536,
        "maxText": 16000,
        "maxRooms": 128,
        "historyPage": 50,
        "streams": {"room": 16, "user": 4},
    }
    assert payload["user"].keys() == {"id", "name", "scopes"}
    assert payload["user"]["scopes"] == []
    assert payload["sessionId"]
    assert payload["guestToken"]
    assert "expiresAt" not in payload
    assert isinstance(payload["features"], list)


async def test_every_event_and_reply_has_the_envelope_of_the_protocol(app: App, connect: Connect) -> None:
    mount(app)
    ada = await connect()

    welcome = await ada.expect("welcome")
    pong = await ada.request("ping")

    assert re.fullmatch(
        r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", welcome["msgId"]
    )
    assert welcome["timestamp"] == round(welcome["timestamp"], 3)
    assert "replyTo" not in welcome
    assert "msgId" not in pong
    assert pong["payload"] == {}
    assert pong["timestamp"] == pytest.approx(welcome["timestamp"], abs=5)


async def test_every_connection_has_a_session_of_its_own(app: App, connect: Connect) -> None:
    mount(app, guests=False, jwt_secret=SECRET)

    one, two = [await (await connect(token=token("ada"))).expect("welcome") for _ in range(2)]

    assert one["payload"]["sessionId"] != two["payload"]["sessionId"]
    assert one["payload"]["user"] == two["payload"]["user"]


async def test_a_bearer_token_is_welcomed_at_once(app: App, connect: Connect) -> None:
    mount(app, guests=False, jwt_secret=SECRET)

    ada = await connect(token=token("u1", name="Ada", scope="chat:read chat:write"))

    welcome = (await ada.expect("welcome"))["payload"]
    assert welcome["user"] == {"id": "u1", "name": "Ada", "scopes": ["chat:read", "chat:write"]}
    assert welcome["expiresAt"] > 0
    assert "guestToken" not in welcome


async def test_a_token_may_come_as_a_subprotocol_and_is_never_echoed(app: App, connect: Connect) -> None:
    mount(app, guests=False, jwt_secret=SECRET)

    ada = await connect(subprotocols=["chatrooms.v1", f"bearer.{token('ada')}"])

    assert ada.ws.subprotocol == "chatrooms.v1"
    assert (await ada.expect("welcome"))["payload"]["user"]["id"] == "ada"


async def test_a_token_as_the_only_subprotocol_is_taken_and_not_echoed(app: App, connect: Connect) -> None:
    mount(app, guests=False, jwt_secret=SECRET)

    ada = await connect(subprotocols=[f"bearer.{token('ada')}"])

    assert ada.ws.subprotocol is None
    assert (await ada.expect("welcome"))["payload"]["user"]["id"] == "ada"


async def test_a_token_may_come_in_the_cookie_that_the_app_names(app: App, connect: Connect) -> None:
    mount(app, guests=False, jwt_secret=SECRET, token_cookie="chat")

    ada = await connect(headers={"Cookie": f"other=1; chat={token('ada')}"})

    assert (await ada.expect("welcome"))["payload"]["user"]["id"] == "ada"


async def test_a_cookie_means_nothing_unless_configured(app: App, connect: Connect) -> None:
    mount(app, guests=False, jwt_secret=SECRET)

    ada = await connect(headers={"Cookie": f"token={token('ada')}"})

    assert (await ada.error("ping"))["code"] == "unauthenticated"


async def test_a_token_in_the_query_means_nothing_unless_configured(app: App, connect: Connect) -> None:
    mount(app, guests=False, jwt_secret=SECRET)

    ada = await connect(f"/chat/ws?token={token('ada')}")

    assert (await ada.error("ping"))["code"] == "unauthenticated"


async def test_a_token_may_come_in_the_query_where_configured(app: App, connect: Connect) -> None:
    mount(app, guests=False, jwt_secret=SECRET, token_query=True)

    ada = await connect(f"/chat/ws?token={token('ada')}")

    assert (await ada.expect("welcome"))["payload"]["user"]["id"] == "ada"


# ---- subprotocols ----


@pytest.mark.parametrize(
    ("offered", "selected"),
    [
        (None, None),
        (["chatrooms.v1"], "chatrooms.v1"),
        (["soap", "chatrooms.v1", "mqtt"], "chatrooms.v1"),
        (["chatrooms.v2", "soap"], None),
        (["CHATROOMS.V1"], None),
    ],
)
async def test_unknown_subprotocols_are_ignored(
    app: App, connect: Connect, offered: list[str] | None, selected: str | None
) -> None:
    mount(app)

    ada = await connect(subprotocols=offered)

    assert ada.ws.subprotocol == selected
    await ada.expect("welcome")


async def test_subprotocols_may_come_in_several_headers(app: App, live: Live) -> None:
    mount(app)
    server = await live()

    answer = await _speak(
        server.port, {**UPGRADE, "Sec-WebSocket-Protocol": "soap\r\nSec-WebSocket-Protocol: chatrooms.v1"}
    )

    assert b" 101 " in answer
    assert b"sec-websocket-protocol: chatrooms.v1" in answer.lower()


async def test_what_is_no_name_of_a_subprotocol_is_ignored_too(app: App, live: Live) -> None:
    mount(app)
    server = await live()

    answer = await _speak(
        server.port, {**UPGRADE, "Sec-WebSocket-Protocol": "chatrooms.v1, a/b,, bearer.x=y z"}
    )

    assert b" 401 " in answer or b" 101 " in answer


async def test_compression_is_never_negotiated(app: App, connect: Connect) -> None:
    mount(app)

    ada = await connect(compression="deflate")

    assert "Sec-WebSocket-Extensions" not in (ada.ws.response.headers if ada.ws.response else {})
    await ada.settle()


# ---- who does not ----


@pytest.mark.parametrize(
    "bad", ["nonsense", "a.b.c", token("ada", secret="x" * 40), token("ada", aud="others")]
)
async def test_a_bad_token_is_401(app: App, connect: Connect, bad: str) -> None:
    mount(app, jwt_secret=SECRET)

    refusal = await connect.refused(token=bad)

    assert refusal.status == 401
    assert refusal.headers["www-authenticate"].startswith("Bearer")
    assert json.loads(refusal.body)["code"] == "unauthenticated"


async def test_a_bad_token_is_401_wherever_it_comes_from(app: App, connect: Connect) -> None:
    mount(app, guests=False, jwt_secret=SECRET, token_cookie="chat", token_query="t")

    answers = [
        await connect.refused(subprotocols=["chatrooms.v1", "bearer.nonsense"]),
        await connect.refused(headers={"Cookie": "chat=nonsense"}),
        await connect.refused("/chat/ws?t=nonsense"),
    ]

    assert [answer.status for answer in answers] == [401, 401, 401]


async def test_an_expired_token_is_401_and_says_so(app: App, connect: Connect) -> None:
    mount(app, guests=False, jwt_secret=SECRET)

    refusal = await connect.refused(token=token("ada", expires_in=-60))

    assert refusal.status == 401
    assert "token_expired" in refusal.headers["www-authenticate"]
    assert json.loads(refusal.body)["code"] == "token_expired"


async def test_a_refusal_does_not_repeat_the_token(app: App, connect: Connect) -> None:
    mount(app, guests=False, jwt_secret=SECRET)
    bad = token("ada", secret="x" * 40)

    refusal = await connect.refused(token=bad)

    assert bad not in refusal.text + str(refusal.headers)


async def test_a_guest_token_is_no_way_in_where_there_are_no_guests(app: App, connect: Connect) -> None:
    chat = mount(app, guests=False, jwt_secret=SECRET)
    await connect()
    guests = chat.running().guests

    refusal = await connect.refused(token=guests.token(guests._new()))

    assert refusal.status == 401


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("http://{host}", True),
        ("HTTP://{host}", True),
        ("https://{host}", False),
        ("http://evil.example", False),
        ("http://{host}.evil.example", False),
        ("http://127.0.0.1:1", False),
        ("http://user@{host}", False),
        ("http://{host}/path", False),
        ("null", False),
        ("", False),
        ("file://", False),
    ],
)
async def test_only_pages_of_the_same_server_may_connect(
    app: App, live: Live, connect: Connect, origin: str | None, allowed: bool
) -> None:
    mount(app)
    server = await live()
    if origin is not None:
        origin = origin.format(host=f"{server.host}:{server.port}")

    if allowed:
        await (await connect(origin=origin)).expect("welcome")
    else:
        refusal = await connect.refused(origin=origin)
        assert refusal.status == 403
        assert json.loads(refusal.body)["code"] == "forbidden"


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("https://shop.example", True),
        ("https://shop.example:443", True),
        ("https://SHOP.example", True),
        ("http://shop.example", False),
        ("https://shop.example:8443", False),
        ("https://www.shop.example", False),
        ("http://{host}", False),
        ("null", False),
    ],
)
async def test_a_list_of_origins_replaces_the_same_server(
    app: App, live: Live, connect: Connect, origin: str | None, allowed: bool
) -> None:
    mount(app, allowed_origins=("https://shop.example",))
    server = await live()
    if origin is not None:
        origin = origin.format(host=f"{server.host}:{server.port}")

    if allowed:
        await (await connect(origin=origin)).expect("welcome")
    else:
        assert (await connect.refused(origin=origin)).status == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null"])
async def test_a_star_lets_every_origin_in(app: App, connect: Connect, origin: str) -> None:
    mount(app, allowed_origins=("*",))

    await (await connect(origin=origin)).expect("welcome")


async def test_a_foreign_origin_is_refused_before_the_token_is_looked_at(app: App, connect: Connect) -> None:
    mount(app, guests=False, jwt_secret=SECRET)

    assert (await connect.refused(origin="http://evil.example", token="nonsense")).status == 403


async def test_two_origins_are_403(app: App, live: Live) -> None:
    mount(app)
    server = await live()
    same = f"http://{server.host}:{server.port}"

    answer = await _speak(server.port, {**UPGRADE, "Origin": f"{same}\r\nOrigin: http://evil.example"})

    assert b" 403 " in answer.split(b"\r\n")[0]


async def test_a_listener_for_connect_may_refuse(app: App, connect: Connect) -> None:
    from sanic_chatrooms.errors import Banned

    chat = mount(app)

    @chat.on("connect")
    async def nobody(event: Any) -> None:
        raise Banned("not today")

    refusal = await connect.refused()

    assert refusal.status == 403
    assert json.loads(refusal.body)["code"] == "banned"


@pytest.mark.parametrize("path", ["/chat/nothing", "/chat/ws/a/b", "/ws", "/chat"])
async def test_an_unknown_path_is_404(app: App, live: Live, connect: Connect, path: str) -> None:
    mount(app, page=False)

    assert (await connect.refused(path)).status == 404


ADDRESSES = {
    "", "client.js", "client-http.js", "chat-room.js", "asyncapi.json", "style", "static/<name:str>", "static/style/<name:str>",
    "words/<name:str>", "static/words/<name:str>", "ws", "ws/<room:str>",
    "api/tickets", "api/<path:path>", "oidc/logout",  # these answer pages of this server, and identity providers
    "health", "ready", "metrics", "admin", "admin/static/<name:str>", "admin/api/<name:str>",  # for operators
}  # fmt: skip


async def test_no_other_address_is_served_and_none_to_pages_of_others(app: App, live: Live) -> None:
    mount(app, tickets=True)
    server = await live()

    ours = {route.path.strip("/").removeprefix("chat").strip("/") for route in app.router.routes}
    answers = [
        await server.get(path, Origin="https://evil.example")
        for path in ("/chat/", "/chat/client.js", "/chat/api/tickets", "/chat/admin/", "/chat/metrics")
    ]

    assert ours == ADDRESSES
    assert [answer.status for answer in answers] == [200, 200, 405, 404, 404]
    shared = [
        [name for name in answer.headers if name.lower().startswith("access-control")] for answer in answers
    ]
    assert shared == [[], ["access-control-allow-origin"], [], [], []]  # any page may load the client


@pytest.mark.parametrize("path", ["/chat/ws", "/chat/ws/general"])
async def test_a_plain_request_is_426(app: App, live: Live, path: str) -> None:
    mount(app)
    server = await live()

    answer = await server.get(path)

    assert answer.status == 426
    assert answer.headers["upgrade"] == "websocket"


@pytest.mark.parametrize("version", ["", "8", "14", "13, 8"])
async def test_another_version_of_websocket_is_426(app: App, live: Live, version: str) -> None:
    mount(app)
    server = await live()

    answer = await server.request("GET", "/chat/ws", {**UPGRADE, "Sec-WebSocket-Version": version})

    assert answer.status == 426
    assert answer.headers["sec-websocket-version"] == "13"


@pytest.mark.parametrize("key", ["", "short", "dGhlIHNhbXBsZSBub25jZQ=="[:-2]])
async def test_a_bad_key_is_400_and_the_server_goes_on(
    app: App, live: Live, connect: Connect, key: str
) -> None:
    mount(app)
    server = await live()

    answer = await server.request("GET", "/chat/ws", {**UPGRADE, "Sec-WebSocket-Key": key})

    assert answer.status == 400
    await (await connect()).settle()


async def test_a_full_server_is_503_with_retry_after(app: App, connect: Connect) -> None:
    mount(app, max_connections=2)
    one, _ = await connect(), await connect()

    refusal = await connect.refused()
    await one.close()

    assert refusal.status == 503
    assert int(refusal.headers["retry-after"]) > 0
    assert json.loads(refusal.body)["code"] == "unavailable"
    await (await connect()).expect("welcome")


async def test_while_the_event_loop_is_late_newcomers_get_503_and_messages_still_pass(
    app: App, live: Live, connect: Connect
) -> None:
    chat = mount(app, overload_lag=0.02)
    ada = await connect()
    await ada.request("join", room="general")
    overload = chat.running().overload
    while not overload.shedding:
        time.sleep(0.3)  # noqa: ASYNC251 - this holds the loop
        await asyncio.sleep(0.01)

    held = asyncio.ensure_future(_hold(0.05))
    refusal = await connect.refused()
    said = await ada.request("message", room="general", payload={"text": "hi"})
    typing = await ada.request("typing", room="general", payload={})
    held.cancel()

    assert refusal.status == 503
    assert int(refusal.headers["retry-after"]) > 0
    assert (said["type"], typing["type"]) == ("ack", "ack")


async def _hold(seconds: float) -> None:
    while True:
        time.sleep(seconds)  # noqa: ASYNC251 - this holds the loop
        await asyncio.sleep(0)


async def test_too_many_from_one_address_is_429_with_retry_after(app: App, connect: Connect) -> None:
    mount(app, max_connections_per_ip=1)
    one = await connect()

    refusal = await connect.refused()
    await one.close()
    async with asyncio.timeout(30):
        while mounted_in(app)["default"].by_ip:  # noqa: ASYNC110 - the server's own end
            await asyncio.sleep(0.005)

    assert refusal.status == 429
    assert int(refusal.headers["retry-after"]) > 0
    assert json.loads(refusal.body)["code"] == "rate_limited"
    await (await connect()).expect("welcome")


async def test_too_many_of_one_user_is_429_and_does_not_concern_others(app: App, connect: Connect) -> None:
    mount(app, guests=False, jwt_secret=SECRET, max_connections_per_user=1)
    await connect(token=token("ada"))

    refusal = await connect.refused(token=token("ada"))

    assert refusal.status == 429
    assert int(refusal.headers["retry-after"]) > 0
    await (await connect(token=token("bob"))).expect("welcome")


async def test_a_refused_handshake_counts_as_no_connection(app: App, connect: Connect) -> None:
    chat = mount(app, max_connections=1, jwt_secret=SECRET)

    for _ in range(3):
        await connect.refused(token="nonsense")

    await (await connect()).expect("welcome")
    assert len(chat.connections()) == 1


async def test_an_address_that_a_client_claims_counts_only_behind_a_proxy_that_is_trusted(
    app: App, connect: Connect
) -> None:
    mount(app, max_connections_per_ip=1)
    await connect(headers={"X-Forwarded-For": "203.0.113.1", "X-Real-IP": "203.0.113.1"})

    claimed = {"X-Forwarded-For": "203.0.113.2", "X-Real-IP": "203.0.113.2"}
    assert (await connect.refused(headers=claimed)).status == 429
    app.config.PROXIES_COUNT = 1
    await (await connect(headers=claimed)).expect("welcome")


async def test_addresses_of_one_ipv6_network_count_as_one(app: App, connect: Connect) -> None:
    mount(app, max_connections_per_ip=1)
    app.config.PROXIES_COUNT = 1
    await connect(headers={"X-Forwarded-For": "2001:db8:1:2::1"})

    neighbour = {"X-Forwarded-For": "2001:db8:1:2:ffff::9"}
    assert (await connect.refused(headers=neighbour)).status == 429
    await (await connect(headers={"X-Forwarded-For": "2001:db8:1:3::1"})).expect("welcome")


async def test_after_ten_wrong_tokens_an_address_gets_429_for_more_and_right_ones_pass(
    app: App, connect: Connect
) -> None:
    app.config.CHATROOMS_RATE_LIMITS = True
    mount(app, guests=False, jwt_secret=SECRET)
    wrong, right = token("ada", secret="x" * 40), token("ada")

    answers = [(await connect.refused(token=wrong)).status for _ in range(10)]
    refusal = await connect.refused(token=wrong)
    app.config.PROXIES_COUNT = 1
    elsewhere = await connect.refused(token=wrong, headers={"X-Forwarded-For": "203.0.113.2"})

    assert answers == [401] * 10
    assert (refusal.status, elsewhere.status) == (429, 401)
    assert 0 < int(refusal.headers["retry-after"]) <= 6  # one in six seconds, some of which have passed
    await (await connect(token=right)).expect("welcome")


async def test_wrong_tokens_in_auth_count_too_and_expired_ones_do_not(app: App, connect: Connect) -> None:
    app.config.CHATROOMS_RATE_LIMITS = True
    mount(app, guests=False, jwt_secret=SECRET)
    for _ in range(11):
        expired = await connect()
        await expired.request("auth", payload={"token": token("ada", expires_in=-100)})
    for _ in range(10):
        await (await connect()).request("auth", payload={"token": "wrong"})

    refused = await (await connect()).request("auth", payload={"token": "wrong"})
    right = await (await connect()).request("auth", payload={"token": token("ada")})

    assert refused["payload"]["code"] == "rate_limited"
    assert refused["payload"]["limit"] == "auth"
    assert right["type"] == "ack"


async def test_limits_hold_also_for_handshakes_at_the_same_time(
    app: App, live: Live, connect: Connect
) -> None:
    mount(app, max_connections_per_ip=3)
    await live()

    tries = await asyncio.gather(*(_welcomed(connect) for _ in range(10)), return_exceptions=True)

    assert sum(one is True for one in tries) == 3
    assert {one.code for one in tries if isinstance(one, Closed)} <= {4504}


async def _welcomed(connect: Connect) -> bool:
    client = await connect()
    await client.expect("welcome")
    return True


# ---- what is written about it ----


async def test_no_log_shows_what_was_shown(app: App, live: Live, connect: Connect) -> None:
    mount(app, guests=False, jwt_secret=SECRET, token_query="key", token_cookie="sid")
    good, bad = token("ada"), token("ada", secret="x" * 40)
    heard: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: heard.append(f"{logging.Formatter().format(record)} {vars(record)}")  # type: ignore[method-assign]

    @app.before_server_start
    async def with_access_log(app: App) -> None:
        app.config.ACCESS_LOG = True

    @app.get("/broken")
    async def broken(_: Any) -> Any:
        raise ValueError("of the app's")

    server = await live()
    for name in (None, "sanic.access", "sanic.error", "sanic.websockets"):
        logging.getLogger(name).addHandler(handler)
    try:
        ada = await connect(f"/chat/ws?key={good}&history=5")
        await ada.expect("welcome")
        await connect.refused(f"/chat/ws?key={bad}")
        await connect.refused(f"/chat/nothing?ticket={good}&token={bad}")
        await connect.refused(token=bad)
        await connect.refused(subprotocols=["chatrooms.v1", f"bearer.{bad}"])
        await connect.refused(headers={"Cookie": f"sid={bad}"})
        assert (await server.get(f"/broken?key={good}")).status == 500
        await ada.error("auth", payload={"token": bad})
        await ada.close()
        await (await connect(token=good)).expect("welcome")
    finally:
        for name in (None, "sanic.access", "sanic.error", "sanic.websockets"):
            logging.getLogger(name).removeHandler(handler)

    told = "\n".join(heard)
    assert "/broken?key=***" in told
    assert "/chat/ws?key=***&history=5" in told
    assert good not in told
    assert bad not in told


# ---- in the same breath ----


async def test_frames_in_the_same_segment_as_the_handshake_are_carried_out(app: App, live: Live) -> None:
    mount(app)
    server = await live()
    early = masked(1, b'{"type":"ping","msgId":"0123456789abcdef"}')

    answer = await _speak(server.port, UPGRADE, early, until=b'"replyTo":"0123456789abcdef"')

    assert b" 101 " in answer.split(b"\r\n")[0]
    assert answer.index(b'"welcome"') < answer.index(b'"pong"')


async def test_a_peer_that_vanishes_during_the_handshake_leaves_nothing(
    app: App, live: Live, connect: Connect
) -> None:
    chat = mount(app)
    server = await live()

    for _ in range(5):
        _, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(_request(server.port, UPGRADE))
        writer.transport.abort()

    ada = await connect()
    await ada.settle()
    await _until_only_one(chat, ada)


async def _until_only_one(chat: ChatRooms, client: Any) -> None:
    # Ends of connections come in turns of their own: each round trip gives them some.
    for _ in range(200):
        if len(chat.connections()) == 1:
            return
        await client.settle()
    raise AssertionError(chat.connections())


def _request(port: int, headers: dict[str, str]) -> bytes:
    lines = {"Host": f"127.0.0.1:{port}", **headers}
    return (
        "GET /chat/ws HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items()) + "\r\n"
    ).encode()


async def _speak(port: int, headers: dict[str, str], more: bytes = b"", until: bytes = b"\r\n\r\n") -> bytes:
    """One request as raw bytes, with more behind it in the same segment; what the server says, as far as needed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(30):
            writer.write(_request(port, headers) + more)
            return await reader.readuntil(until)
    finally:
        writer.close()
