"""Other ways to say who one is: an identity provider, the app's own session, tickets, and several of them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sanic import Request, Sanic

from sanic_chatrooms import Chain, ConfigError, HostSession, JWTAuth, Tickets, User
from tests.support.fixtures import Connect, Live
from tests.support.provider import IdentityProvider
from tests.support.server import LiveServer, Response, new_app
from tests.support.wire import SECRET, mount, token

App = Sanic[Any, Any]


@pytest.fixture
async def provider(live: Live) -> AsyncIterator[IdentityProvider]:
    app = new_app("provider")
    provider = IdentityProvider(app)
    provider.at = await Live(app)()
    yield provider
    await provider.at.stop()
    Sanic.unregister_app(app)


def by_provider(app: App, provider: IdentityProvider, **settings: Any) -> Any:
    about = {"jwt_jwks_url": provider.url, "jwt_issuer": "https://login.example", "jwt_audience": "shop"}
    return mount(app, guests=False, **about, **settings)


async def post(server: LiveServer, path: str, body: str = "", **headers: str) -> Response:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    if body:
        named["Content-Type"] = "application/x-www-form-urlencoded"
    return await server.request("POST", path, named, body.encode())


# ---- an identity provider ----


async def test_a_token_of_the_provider_lets_in(
    app: App, provider: IdentityProvider, connect: Connect
) -> None:
    by_provider(app, provider)

    ada = await connect(token=provider.token("ada", sid="s1", amr=["pwd"]))

    assert (await ada.expect("welcome"))["payload"]["user"]["amr"] == ["pwd"]


async def test_no_valid_token_is_refused_while_the_provider_rotates_its_keys(
    app: App, provider: IdentityProvider, connect: Connect, live: Live
) -> None:
    by_provider(app, provider)
    await live()
    for n in range(5):
        provider.kids = [*provider.kids[-1:], f"r{n}"]
        shown = [provider.token(f"u{m}", kid=kid) for m in range(3) for kid in provider.kids]
        clients = await asyncio.gather(*(connect(token=one) for one in shown))
        for client in clients:
            await client.expect("welcome")

    assert provider.asked <= 6


async def test_a_thousand_unknown_keys_are_one_request(
    app: App, provider: IdentityProvider, connect: Connect, live: Live
) -> None:
    by_provider(app, provider)
    ada = await connect(token=provider.token("ada"))
    await ada.expect("welcome")
    server = await live.first()
    foreign = IdentityProvider.key("k1")

    async def knock(n: int) -> int:
        shown = provider.token("ada", kid=f"x{n}", key=foreign)
        return (await connect.refused(token=shown)).status

    statuses = [
        status for n in range(10) for status in await asyncio.gather(*(knock(n * 10 + m) for m in range(10)))
    ]

    assert statuses == [401] * 100
    assert provider.asked == 2
    assert server.url


async def test_while_the_provider_is_down_those_with_known_keys_get_in_and_nobody_is_called_a_liar(
    app: App, provider: IdentityProvider, connect: Connect
) -> None:
    by_provider(app, provider)
    provider.status = 500
    assert (await connect.refused(token=provider.token("ada"))).status == 503

    provider.status = 200
    await asyncio.sleep(1.05)  # the first repetition is after a second
    await (await connect(token=provider.token("ada"))).expect("welcome")
    provider.status = 500

    await (await connect(token=provider.token("bob"))).expect("welcome")


async def test_a_second_factor_can_be_asked_for(
    app: App, provider: IdentityProvider, connect: Connect
) -> None:
    by_provider(app, provider, required_amr=["mfa"])

    assert (await connect.refused(token=provider.token("ada", amr=["pwd"]))).status == 401
    await (await connect(token=provider.token("ada", amr=["pwd", "mfa"]))).expect("welcome")


# ---- its logouts ----


async def hear(server: LiveServer, shown: str) -> Response:
    return await post(server, "/chat/oidc/logout", f"logout_token={shown}")


@pytest.mark.parametrize("by", ["sub", "sid"])
async def test_a_logout_at_the_provider_closes_the_connections_and_revokes_the_tokens(
    app: App, provider: IdentityProvider, connect: Connect, live: Live, by: str
) -> None:
    by_provider(app, provider, oidc_logout=True)
    shown = provider.token("ada", sid="s1")
    ada, bob = await connect(token=shown), await connect(token=provider.token("bob", sid="s2"))
    await ada.expect("welcome")
    logout = provider.logout("ada") if by == "sub" else provider.logout("ada", sid="s1")

    answer = await hear(await live.first(), logout)

    assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
    assert (await ada.closed())[0] == 4500
    assert (await connect.refused(token=shown)).status == 401
    await bob.settle()
    assert (await hear(await live.first(), logout)).status == 400


async def test_who_signs_in_anew_after_a_logout_gets_in(
    app: App, provider: IdentityProvider, connect: Connect, live: Live
) -> None:
    by_provider(app, provider, oidc_logout=True)
    server = await live()
    assert (await hear(server, provider.logout("ada", iat=int(time.time()) - 5))).status == 200

    await (await connect(token=provider.token("ada"))).expect("welcome")


@pytest.mark.parametrize("shown", ["", "x", "access", "elsewhere"])
async def test_what_is_no_logout_token_is_400(
    app: App, provider: IdentityProvider, live: Live, shown: str
) -> None:
    by_provider(app, provider, oidc_logout=True)
    real = {"access": provider.token("ada"), "elsewhere": provider.logout("ada", aud="elsewhere")}
    server = await live()

    answer = await hear(server, real.get(shown, shown))

    assert (answer.status, json.loads(answer.body)) == (400, {"error": "invalid_request"})
    assert (await post(server, "/chat/oidc/logout")).status == 400


async def test_logouts_are_heard_only_where_that_is_on(
    app: App, provider: IdentityProvider, live: Live
) -> None:
    by_provider(app, provider)

    assert (await hear(await live(), provider.logout("ada"))).status == 404


async def test_the_client_at_the_provider_may_have_another_name_than_the_audience(
    app: App, provider: IdentityProvider, live: Live
) -> None:
    by_provider(app, provider, oidc_logout="client-7")
    server = await live()

    assert (await hear(server, provider.logout("ada", aud="client-7"))).status == 200
    assert (await hear(server, provider.logout("ada"))).status == 400


@pytest.mark.parametrize("settings", [{"guests": True}, {"jwt_secret": SECRET}])
async def test_logouts_that_could_not_be_verified_are_an_error_at_start(
    app: App, live: Live, settings: dict[str, Any]
) -> None:
    mount(app, oidc_logout=True, **settings)

    with pytest.raises(ConfigError, match="OIDC_LOGOUT"):
        await live()


# ---- the app's own session ----


def with_session(app: App) -> None:
    @app.on_request
    async def sign_in(request: Request) -> None:
        name = request.cookies.get("session")
        request.ctx.user = User(name, name.title(), amr=("pwd",)) if name else None


async def test_the_session_of_the_app_lets_in(app: App, connect: Connect) -> None:
    with_session(app)
    chat = mount(app, guests=False, auth=HostSession(lambda request: request.ctx.user))

    ada = await connect(headers={"Cookie": "session=ada"})

    user = (await ada.expect("welcome"))["payload"]["user"]
    assert user == {"id": "ada", "name": "Ada", "scopes": [], "amr": ["pwd"]}
    assert (await connect.refused()).status == 401
    assert [one.user.id for one in chat.connections()] == ["ada"]


async def test_pages_of_other_origins_cannot_use_the_session(app: App, connect: Connect) -> None:
    with_session(app)
    mount(app, guests=False, auth=HostSession(lambda request: request.ctx.user))

    for origin in ("https://evil.example", "null"):
        refusal = await connect.refused(headers={"Cookie": "session=ada"}, origin=origin)
        assert refusal.status == 403


async def test_a_page_by_session_and_an_app_by_token_share_a_chat(app: App, connect: Connect) -> None:
    with_session(app)
    mount(app, guests=False, auth=Chain(HostSession(lambda r: r.ctx.user), JWTAuth(SECRET)))

    ada = await connect(headers={"Cookie": "session=ada"})
    bob = await connect(token=token("bob"))
    late = await connect()

    assert (await ada.expect("welcome"))["payload"]["user"]["id"] == "ada"
    assert (await bob.expect("welcome"))["payload"]["user"]["id"] == "bob"
    assert (await late.ack("auth", payload={"token": token("eve")}))["user"]["id"] == "eve"
    assert (await connect.refused(token="nonsense", headers={"Cookie": "session=ada"})).status == 401


# ---- tickets ----


async def ticket_of(server: LiveServer, **headers: str) -> Any:
    answer = await post(server, "/chat/api/tickets", **headers)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


async def test_a_ticket_connects_once(app: App, connect: Connect, live: Live) -> None:
    mount(app, guests=False, jwt_secret=SECRET, tickets=True)
    server = await live()
    given = await ticket_of(server, Authorization=f"Bearer {token('ada', name='Ada', scope='chat:read')}")

    ada = await connect(f"/chat/ws?ticket={given['ticket']}")
    welcome = (await ada.expect("welcome"))["payload"]

    assert given["expiresIn"] == 60
    assert welcome["user"] == {"id": "ada", "name": "Ada", "scopes": ["chat:read"]}
    assert "tickets" in welcome["features"]
    assert welcome["expiresAt"]
    assert (await connect.refused(f"/chat/ws?ticket={given['ticket']}")).status == 401


async def test_a_ticket_of_the_app_connects_whom_it_says(app: App, connect: Connect) -> None:
    chat = mount(app, guests=True, auth=Tickets())
    await (await connect()).expect("welcome")
    ticket = await chat.ticket(User("ada", "Ada"))

    ada = await connect(f"/chat/ws?ticket={ticket}")

    assert (await ada.expect("welcome"))["payload"]["user"]["id"] == "ada"


async def test_used_unknown_and_foreign_tickets_get_one_answer(app: App, connect: Connect) -> None:
    chat = mount(app, guests=True, jwt_secret=SECRET, tickets=True)
    await (await connect()).expect("welcome")
    used = await chat.ticket(User("ada", "Ada"))
    await (await connect(f"/chat/ws?ticket={used}")).expect("welcome")

    answers = [await connect.refused(f"/chat/ws?ticket={one}") for one in (used, "x" * 32, "x", "%00")]

    assert {answer.status for answer in answers} == {401}
    assert len({answer.body for answer in answers}) == 1


async def test_whoever_revokes_a_token_revokes_its_tickets(app: App, connect: Connect, live: Live) -> None:
    chat = mount(app, guests=False, jwt_secret=SECRET, tickets=True)
    server = await live()
    shown = token("ada", jti="t1", iat=time.time())
    first, second = [await ticket_of(server, Authorization=f"Bearer {shown}") for _ in range(2)]
    ada = await connect(f"/chat/ws?ticket={first['ticket']}")
    await ada.expect("welcome")

    await chat.revoke(jti="t1")

    assert (await ada.closed())[0] == 4500
    assert (await connect.refused(f"/chat/ws?ticket={second['ticket']}")).status == 401
    assert (await post(server, "/chat/api/tickets", Authorization=f"Bearer {shown}")).status == 401


async def test_a_ticket_needs_an_identity(app: App, live: Live) -> None:
    mount(app, guests=True, jwt_secret=SECRET, tickets=True)
    server = await live()

    answers = [
        await post(server, "/chat/api/tickets", Authorization="Bearer nonsense"),
        await post(server, "/chat/api/tickets", Sec_Fetch_Site="same-origin"),
    ]

    assert [answer.status for answer in answers] == [401, 401]
    assert {answer.headers["content-type"] for answer in answers} == {"application/problem+json"}
    assert all("Bearer" in answer.headers["www-authenticate"] for answer in answers)


async def test_only_pages_of_this_server_get_a_ticket_by_a_cookie(app: App, live: Live) -> None:
    with_session(app)
    mount(app, guests=False, auth=HostSession(lambda r: r.ctx.user), tickets=True)
    server = await live()

    async def status(**headers: str) -> int:
        return (await post(server, "/chat/api/tickets", Cookie="session=ada", **headers)).status

    assert await status(Sec_Fetch_Site="same-origin") == 200
    assert await status(Origin=server.url) == 200
    assert await status() == 403
    assert await status(Sec_Fetch_Site="cross-site") == 403
    assert await status(Origin="https://evil.example") == 403
    assert await status(Origin="https://evil.example", Sec_Fetch_Site="same-origin") == 403


async def test_where_tickets_are_off_there_are_none(app: App, connect: Connect, live: Live) -> None:
    chat = mount(app, jwt_secret=SECRET)
    server = await live()

    assert (await post(server, "/chat/api/tickets", Authorization=f"Bearer {token('ada')}")).status == 404
    assert (await connect.refused(f"/chat/ws?ticket={'x' * 32}")).status == 401
    with pytest.raises(ConfigError, match="TICKETS"):
        await chat.ticket(User("ada", "Ada"))
    welcome = (await (await connect()).expect("welcome"))["payload"]
    assert "tickets" not in welcome["features"]


async def test_a_route_with_its_own_authenticator_takes_no_tickets_of_the_others(
    app: App, connect: Connect
) -> None:
    chat = mount(app, guests=True, tickets=True)
    chat.add_route("/staff", auth=JWTAuth(SECRET))
    await (await connect()).expect("welcome")
    ticket = await chat.ticket(User("ada", "Ada"))

    assert (await connect.refused(f"/chat/staff?ticket={ticket}")).status == 401
    await (await connect(f"/chat/ws?ticket={ticket}")).expect("welcome")
