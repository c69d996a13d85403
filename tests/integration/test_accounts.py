"""The example's accounts in a real server: what its pages ask, and what becomes of the chat's connections."""

from __future__ import annotations

import json
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pyotp
import pytest
from argon2 import PasswordHasher

from example_app.accounts.accounts import Accounts, Lifetimes
from example_app.accounts.passwords import AT_A_TIME, MAX_WAITING, Passwords
from example_app.server import STATIC, add_accounts
from sanic_chatrooms import ChatRooms, Unavailable
from tests.support.client import Client
from tests.support.fixtures import Connect, Live
from tests.support.server import LiveServer, Response

PASSWORD = "correct horse battery"


class Visitor:
    """A browser: it keeps the cookie and names the page with each request."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.cookie = ""

    async def ask(self, what: str, *, cookie: str | None = None, token: str = "", **body: Any) -> Response:
        headers = {"Origin": self.server.url, "Content-Type": "application/json"}
        headers |= {"Cookie": f"login={self.cookie if cookie is None else cookie}"}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        answer = await self.server.request("POST", f"/accounts/{what}", headers, json.dumps(body).encode())
        if "set-cookie" in answer.headers:
            self.cookie = SimpleCookie(answer.headers["set-cookie"])["login"].value
        return answer

    async def token(self, what: str, **body: Any) -> str:
        answer = await self.ask(what, **body)
        assert answer.status == 200, answer.text
        return str(json.loads(answer.body)["token"])


class Site:
    def __init__(self, chat: ChatRooms, accounts: Accounts, server: LiveServer, connect: Connect) -> None:
        self.chat = chat
        self.accounts = accounts
        self.server = server
        self._connect = connect

    async def visitor(self, name: str = "") -> Visitor:
        visitor = Visitor(self.server)
        if name:
            await visitor.token("sign-up", name=name, password=PASSWORD)
        return visitor

    async def connect(self, token: str | None = None) -> Client:
        client = await self._connect(token=token)
        client.user = (await client.expect("welcome"))["payload"]["user"]  # type: ignore[attr-defined]
        await client.ack("join", room="general")
        return client


@pytest.fixture
async def site(live: Live, connect: Connect, tmp_path: Path) -> Site:
    chat = ChatRooms(guests=True)
    live.app.blueprint(chat.bp)
    accounts = Accounts(tmp_path / "accounts.sqlite3", Lifetimes(grace=0))
    accounts.passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    add_accounts(live.app, chat, accounts)
    return Site(chat, accounts, await live(), connect)


async def test_who_signs_up_is_in_the_chat_under_this_name_beside_guests(site: Site) -> None:
    token = await (await site.visitor()).token("sign-up", name="Ada", password=PASSWORD)
    ada, guest = await site.connect(token), await site.connect()

    await ada.ack("message", room="general", payload={"text": "hi"})

    sender = (await guest.expect("message"))["sender"]
    assert sender["name"] == "Ada"
    assert sender["id"].startswith("user-")
    assert guest.user["id"].startswith("guest-")  # type: ignore[attr-defined]


async def test_the_refresh_token_is_in_a_cookie_that_scripts_and_other_sites_cannot_use(site: Site) -> None:
    answer = await (await site.visitor()).ask("sign-up", name="Ada", password=PASSWORD)

    cookie = SimpleCookie(answer.headers["set-cookie"])["login"]
    assert cookie["httponly"] is True
    assert (cookie["samesite"], cookie["path"], cookie["domain"]) == ("Strict", "/accounts", "")
    assert cookie.value not in answer.text
    assert answer.headers["cache-control"] == "no-store"


WAYS = (
    "sign-up",
    "log-in",
    "refresh",
    "log-out",
    "people",
    "password",
    "factor",
    "factor/confirm",
    "factor/drop",
)


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example", "http://127.0.0.1:1", "//"])
async def test_pages_of_others_may_ask_nothing(site: Site, origin: str | None) -> None:
    visitor = await site.visitor("Ada")
    headers = {"Cookie": f"login={visitor.cookie}", **({"Origin": origin} if origin else {})}

    for way in WAYS:
        answer = await site.server.request("POST", f"/accounts/{way}", headers, b'{"everywhere": false}')
        assert (answer.status, "set-cookie" in answer.headers) == (403, False)

    assert (await visitor.ask("refresh")).status == 200


async def test_a_wrong_password_and_an_unknown_name_are_answered_byte_for_byte_alike(site: Site) -> None:
    visitor = await site.visitor("Ada")

    wrong, unknown = [await visitor.ask("log-in", name=name, password="wrong") for name in ("Ada", "Bob")]

    assert wrong == unknown
    assert wrong.status == 401


async def test_two_guesses_at_a_time_are_checked_and_a_full_queue_answers_503(site: Site) -> None:
    visitor = await site.visitor("Ada")
    site.accounts.passwords._under_way = AT_A_TIME + MAX_WAITING  # as if a flood were under way

    full = await visitor.ask("log-in", name="Ada", password=PASSWORD)
    site.accounts.passwords._under_way = 0

    assert (full.status, full.headers["retry-after"]) == (503, "1")
    assert (await visitor.ask("log-in", name="Ada", password=PASSWORD)).status == 200


async def test_too_many_guesses_are_answered_429_with_the_time_to_wait(site: Site) -> None:
    visitor = await site.visitor("Ada")
    for number in range(10):
        await visitor.ask("log-in", name="Ada", password=f"guess {number}")

    answer = await visitor.ask("log-in", name="Ada", password=PASSWORD)

    assert answer.status == 429
    assert 0 < int(answer.headers["retry-after"]) <= 30


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"name": 1, "password": "x"}',
        b'{"name": "\\ud800", "password": "x"}',
        b'{"name": "' + b"a" * 65 + b'", "password": "x"}',
        b'{"name": "a", "password": "' + b"a" * 201 + b'"}',
        b"[" * 100_000,
    ],
)
async def test_a_body_of_another_shape_is_answered_400_and_not_quoted(site: Site, body: bytes) -> None:
    answer = await site.server.request("POST", "/accounts/log-in", {"Origin": site.server.url}, body)

    assert answer.status == 400
    assert json.loads(answer.body)["detail"] == "body: is not what is expected here"


async def test_the_refresh_cookie_brings_the_next_access_token_which_continues_the_connection(
    site: Site,
) -> None:
    visitor = await site.visitor("Ada")
    client = await site.connect(await visitor.token("refresh"))

    ack = await client.ack("auth", payload={"token": await visitor.token("refresh")})

    assert ack["user"] == client.user  # type: ignore[attr-defined]
    assert client.is_open


async def test_a_refresh_token_that_comes_twice_ends_the_login_and_its_connections(site: Site) -> None:
    visitor = await site.visitor("Ada")
    stolen = visitor.cookie
    client = await site.connect(await visitor.token("refresh"))
    guest = await site.connect()

    again = await visitor.ask("refresh", cookie=stolen)

    assert again.status == 401
    assert (await client.closed())[0] == 4500
    assert (await visitor.ask("refresh")).status == 401
    assert guest.is_open


@pytest.mark.parametrize("way", ["stolen", "here", "everywhere"])
async def test_while_the_chat_cannot_revoke_nothing_has_ended_and_the_request_may_come_again(
    site: Site, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    visitor = await site.visitor("Ada")
    old, token = visitor.cookie, await visitor.token("refresh")
    client = await site.connect(token)

    async def ask() -> Response:
        if way == "stolen":
            return await visitor.ask("refresh", cookie=old)
        return await visitor.ask("log-out", token=token, everywhere=way == "everywhere")

    with monkeypatch.context() as away:
        away.setattr(ChatRooms, "revoke", unavailable)
        assert (await ask()).status == 503
    assert client.is_open
    answer = await ask()

    assert answer.status == (401 if way == "stolen" else 204)
    assert (await client.closed())[0] == 4500


async def unavailable(*_: object, **__: object) -> None:
    raise Unavailable


async def test_who_logs_out_leaves_the_chat_and_no_token_is_left(site: Site) -> None:
    visitor = await site.visitor("Ada")
    client, kept = await site.connect(await visitor.token("refresh")), visitor.cookie

    answer = await visitor.ask("log-out")

    assert answer.status == 204
    assert visitor.cookie == ""
    assert SimpleCookie(answer.headers["set-cookie"])["login"]["max-age"] == "0"
    assert (await client.closed())[0] == 4500
    assert (await visitor.ask("refresh", cookie=kept)).status == 401


async def test_who_logs_out_everywhere_leaves_on_all_devices(site: Site) -> None:
    one, two = await site.visitor("Ada"), await site.visitor()
    tokens = [await one.token("refresh"), await two.token("log-in", name="Ada", password=PASSWORD)]
    clients = [await site.connect(token) for token in tokens]

    assert (await one.ask("log-out", token=tokens[0], everywhere=True)).status == 204

    assert [(await client.closed())[0] for client in clients] == [4500, 4500]
    assert [(await who.ask("refresh")).status for who in (one, two)] == [401, 401]
    assert (await one.ask("log-out", everywhere=True)).status == 401
    await site.connect(await two.token("log-in", name="Ada", password=PASSWORD))  # and may come back


async def test_who_logs_out_on_one_device_stays_on_the_others_and_no_old_token_lets_them_in(
    site: Site, connect: Connect
) -> None:
    one, two = await site.visitor("Ada"), await site.visitor()
    tokens = [await one.token("refresh"), await two.token("log-in", name="Ada", password=PASSWORD)]
    clients = [await site.connect(token) for token in tokens]

    await one.ask("log-out")

    assert (await clients[0].closed())[0] == 4500
    assert (await connect.refused(token=tokens[0])).status == 401
    await clients[1].settle()


async def test_who_changes_the_password_stays_and_is_signed_out_everywhere_else(
    site: Site, connect: Connect
) -> None:
    one, two = await site.visitor("Ada"), await site.visitor()
    tokens = [await one.token("refresh"), await two.token("log-in", name="Ada", password=PASSWORD)]
    clients = [await site.connect(token) for token in tokens]
    new = "battery staple"

    wrong = await one.ask("password", token=tokens[0], password="wrong", newPassword=new)
    assert (wrong.status, json.loads(wrong.body)["field"]) == (400, "password")
    assert (await one.ask("password", password=PASSWORD, newPassword=new)).status == 401
    assert (await one.ask("password", token=tokens[0], password=PASSWORD, newPassword=new)).status == 204

    assert (await clients[1].closed())[0] == 4500
    assert (await connect.refused(token=tokens[1])).status == 401
    assert (await two.ask("refresh")).status == 401
    await clients[0].settle()
    assert (await one.ask("refresh")).status == 200
    assert [(await two.ask("log-in", name="Ada", password=one)).status for one in (PASSWORD, new)] == [
        401,
        200,
    ]


async def test_the_chat_is_told_by_what_somebody_has_signed_in(site: Site) -> None:
    client = await site.connect(await (await site.visitor("Ada")).token("refresh"))

    assert client.user["amr"] == ["pwd"]  # type: ignore[attr-defined]


async def test_guests_do_not_get_the_name_of_an_account_nor_keep_one_that_they_had_before(
    site: Site,
) -> None:
    before = await site.connect()
    old = await before.ack("auth", payload={"name": "Ada"})
    await site.visitor("Ada")
    guest = await site.connect()

    refused = await guest.error("auth", payload={"name": "\u0410da"})
    again = await site.connect(old["guestToken"])

    assert (refused["code"], refused["field"]) == ("invalid_field", "name")
    assert again.user["id"] == old["user"]["id"]  # type: ignore[attr-defined]
    assert again.user["name"] != "Ada"  # type: ignore[attr-defined]


async def test_the_cookie_is_secure_where_the_page_is(site: Site) -> None:
    site.server.app.config.PROXIES_COUNT = 1  # TLS ends at a proxy
    body = json.dumps({"name": "Ada", "password": PASSWORD}).encode()
    host = f"{site.server.host}:{site.server.port}"
    headers = {"Origin": f"https://{host}", "X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}

    answer = await site.server.request("POST", "/accounts/sign-up", headers, body)

    assert SimpleCookie(answer.headers["set-cookie"])["login"]["secure"] is True


@pytest.mark.parametrize(
    "path",
    [
        "..%2fserver.py",
        "..%5cserver.py",
        "../server.py",
        "%2e%2e/server.py",
        "..%252fserver.py",
        "/etc/passwd",
        "%2fetc%2fpasswd",
    ],
)
async def test_paths_do_not_lead_out_of_the_static_files(live: Live, path: str) -> None:
    live.app.static("/static", STATIC)
    server = await live()

    assert (await server.get("/static/app.js")).status == 200
    assert (await server.get(f"/static/{path}")).status in (400, 404)


async def test_a_second_factor_is_set_up_asked_for_and_turned_off(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_700_000_010.0
    site.accounts._clock = lambda: now
    visitor = await site.visitor("Ada")
    token = await visitor.token("refresh")
    assert (await visitor.ask("factor", password=PASSWORD)).status == 401
    proposed = json.loads((await visitor.ask("factor", token=token, password=PASSWORD)).body)
    totp = pyotp.TOTP(proposed["secret"])
    assert (await visitor.ask("factor/confirm", token=token, code="000000")).status == 400
    codes = json.loads((await visitor.ask("factor/confirm", token=token, code=totp.at(int(now)))).body)
    assert len(codes["recoveryCodes"]) == 10
    assert proposed["picture"].startswith("data:image/svg+xml")

    without = await visitor.ask("log-in", name="Ada", password=PASSWORD)
    used = await visitor.ask("log-in", name="Ada", password=PASSWORD, code=totp.at(int(now)))
    now += 30
    right = await visitor.ask("log-in", name="Ada", password=PASSWORD, code=totp.at(int(now)))

    assert (without.status, json.loads(without.body)["code"]) == (401, "second_factor")
    assert (used.status, json.loads(used.body)["field"]) == (400, "code")
    assert json.loads(right.body)["secondFactor"] is True
    off = await visitor.ask("factor/drop", token=token, password=PASSWORD, code=codes["recoveryCodes"][0])
    assert off.status == 204
    assert (await visitor.ask("log-in", name="Ada", password=PASSWORD)).status == 200


@pytest.mark.parametrize(
    ("what", "changed", "body", "status"),
    [
        ("refresh", {"Cookie": "login=x.1.\xff"}, b"{}", 401),
        ("log-out", {"Cookie": "login=\xff.1.x"}, b"{}", 204),
        ("factor", {"Authorization": "Bearer \xff.x.x"}, b'{"password": ""}', 401),
        ("log-in", {}, b'{"name": "\xff", "password": ""}', 400),
        ("log-in", {}, b'{"name": "\\ud800", "password": ""}', 400),
        ("refresh", {"Origin": "http://["}, b"{}", 403),
    ],
)
async def test_what_is_no_text_is_refused_like_anything_wrong(
    site: Site, what: str, changed: dict[str, str], body: bytes, status: int
) -> None:
    headers = {"Origin": site.server.url, **changed}

    assert (await site.server.request("POST", f"/accounts/{what}", headers, body)).status == status


async def test_who_is_signed_in_finds_accounts_by_the_beginning_of_their_names_and_guests_do_not(
    site: Site,
) -> None:
    visitor = await site.visitor("Ada")
    for name in ("Bob", "Bo.bby", "Carl"):
        await site.visitor(name)
    token = await visitor.token("refresh")

    answer = await visitor.ask("people", token=token, letters="bO")

    found = json.loads(answer.body)["people"]
    assert [one["name"] for one in found] == ["Bob", "Bo.bby"]
    assert all(one["id"].startswith("user-") and set(one) == {"id", "name"} for one in found)
    assert answer.headers["cache-control"] == "no-store"
    assert (await visitor.ask("people", letters="bo")).status == 401
    assert (await visitor.ask("people", token=token, letters="b" * 65)).status == 400
