"""The operators' page of a real server: who may use it, what it says of all workers, and what it does."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from sanic import Sanic

from sanic_chatrooms import ChatRooms
from sanic_chatrooms.brokers.memory import MemoryBroker, MemoryBus
from sanic_chatrooms.stores.memory.store import MemoryStore
from sanic_chatrooms.testing import FaultyBroker, FaultyStore
from sanic_chatrooms.web import health
from sanic_chatrooms.web.admin import fleet
from sanic_chatrooms.web.assets import PAGE_POLICY
from tests.support.fixtures import Connect, Live, SubprocessServer
from tests.support.process import ServerProcess
from tests.support.server import LiveServer, Response, http_request, new_app
from tests.support.two_workers import on_both
from tests.support.wire import SECRET, mount, token

pytestmark = pytest.mark.asyncio(
    loop_factories=["asyncio"]
)  # what is asked here by HTTP is the same on each loop

App = Sanic[Any, Any]
WITHIN = 40.0
HTML = "text/html,application/xhtml+xml,*/*;q=0.8"


class Desk:
    """An operator: `await desk.get("rooms")`, `await desk.act("ban", room=…, user=…)`."""

    def __init__(
        self, server: LiveServer | ServerProcess, user: str = "op", scope: str = "chat:admin chat:moderate"
    ) -> None:
        self.port = server.port
        self.headers = {"Authorization": f"Bearer {token(user, name=user.title(), scope=scope)}"}

    async def ask(
        self, method: str, name: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Response:
        data = b"" if body is None else json.dumps(body).encode()
        lines = self.headers if headers is None else headers
        return await http_request("127.0.0.1", self.port, method, f"/chat/admin/{name}", lines, data)

    async def get(self, name: str) -> Any:
        answer = await self.ask("GET", f"api/{name}")
        assert answer.status == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        return json.loads(answer.body)

    async def act(self, name: str, **body: Any) -> Any:
        answer = await self.ask("POST", f"api/{name}", body)
        assert answer.status == 200, answer.text
        return json.loads(answer.body)["changed"]

    async def until(self, name: str, holds: Callable[[Any], object]) -> Any:
        """Ask until the answer is so."""
        async with asyncio.timeout(WITHIN):
            while not holds(told := await self.get(name)):  # noqa: ASYNC110 - others show it
                await asyncio.sleep(0.05)
        return told


def operated(app: App, admin: Any = "write", **settings: Any) -> ChatRooms:
    return mount(
        app, **{"guests": False, "jwt_secret": SECRET, "auto_create": True, "admin": admin, **settings}
    )


def problem(answer: Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    told = json.loads(answer.body)
    assert told["status"] == answer.status
    return answer.status, told["code"]


def total(overview: Any, figure: str) -> float:
    return float(sum(worker[figure] for worker in [*overview["workers"], {figure: 0, **overview["left"]}]))


def others(overview: Any) -> list[Any]:
    """The workers but the one that has answered."""
    return [worker for worker in overview["workers"] if worker["worker"] != overview["worker"]]


# ---- who may use it ----


async def test_without_the_setting_there_is_no_page(app: App, live: Live) -> None:
    operated(app, admin=False)
    desk = Desk(await live())

    for path in ("", "static/admin.js", "api/overview"):
        assert (await desk.ask("GET", path)).status == 404


async def test_the_page_needs_the_scope_and_says_so_in_the_form_that_was_asked_for(
    app: App, live: Live
) -> None:
    operated(app)
    server = await live()
    desk, user = Desk(server), Desk(server, scope="chat:read chat:write chat:moderate")
    plain = Desk(server, scope="")

    page = await desk.ask("GET", "")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert problem(await desk.ask("GET", "", headers={})) == (401, "unauthenticated")
    assert problem(await desk.ask("GET", "", headers={"Authorization": "Bearer x"})) == (
        401,
        "unauthenticated",
    )
    assert problem(await user.ask("GET", "")) == problem(await plain.ask("GET", "")) == (403, "forbidden")
    for asked, status in (({}, 401), (user.headers, 403)):
        shown = await desk.ask("GET", "", headers={"Accept": HTML, **asked})
        assert (shown.status, shown.body) == (
            status,
            page.body,
        )  # it asks for a token, or says which scope is missing
        assert ("www-authenticate" in shown.headers) == (status == 401)
    moved = await http_request("127.0.0.1", server.port, "GET", "/chat/admin", desk.headers)
    assert (moved.status, moved.headers["location"]) == (302, "./admin/")


async def test_the_page_allows_nothing_inline_and_nothing_from_elsewhere(app: App, live: Live) -> None:
    operated(app)
    desk = Desk(await live())

    page = await desk.ask("GET", "")

    policy = page.headers["content-security-policy"]
    assert policy == PAGE_POLICY
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert (page.headers["referrer-policy"], page.headers["x-content-type-options"]) == (
        "no-referrer",
        "nosniff",
    )
    for inline in ("style=", "<style", "onclick", "https://", "http://"):
        assert inline not in page.text
    script = await desk.ask("GET", "static/admin.js", headers={})
    assert (script.status, script.headers["content-type"]) == (200, "text/javascript; charset=utf-8")


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_questions_and_acts_are_refused_by_problem_documents(app: App, live: Live, method: str) -> None:
    operated(app)
    server = await live()
    desk, user = Desk(server), Desk(server, scope="chat:moderate")
    name = "api/overview" if method == "GET" else "api/ban"

    assert problem(await desk.ask(method, name, headers={})) == (401, "unauthenticated")
    assert problem(await user.ask(method, name)) == (403, "forbidden")
    assert problem(await desk.ask(method, "api/nothing")) == (404, "unknown_command")
    wrong = await desk.ask("POST" if method == "GET" else "GET", name)
    assert (wrong.status, wrong.headers["allow"]) == (405, method)


async def test_a_page_that_only_shows_does_nothing(app: App, live: Live) -> None:
    operated(app, admin=True)
    desk = Desk(await live())

    assert (await desk.get("me"))["mayChange"] is False
    refused = await desk.ask("POST", "api/ban-user", {"user": "ada"})

    assert problem(refused) == (403, "forbidden")
    assert "CHATROOMS_ADMIN" in json.loads(refused.body)["detail"]


async def test_who_may_only_look_looks(app: App, live: Live, connect: Connect) -> None:
    chat = operated(app)
    viewer = Desk(await live(), scope="chat:admin")
    await connect(token=token("ada"))

    assert (await viewer.get("me"))["mayChange"] is False
    refused = await viewer.ask("POST", "api/disconnect", {"user": "ada"})

    assert problem(refused) == (403, "forbidden")
    assert json.loads(refused.body)["needs"] == "chat:moderate"
    assert len(chat.connections()) == 1


async def test_an_act_needs_a_page_of_this_server_where_a_cookie_shows_who_it_is(
    app: App, live: Live
) -> None:
    operated(app, token_cookie="session")
    desk = Desk(await live())
    cookie = {"Cookie": "session=" + desk.headers["Authorization"].removeprefix("Bearer ")}
    here = {**cookie, "Sec-Fetch-Site": "same-origin"}

    for foreign in (
        cookie,
        {**cookie, "Sec-Fetch-Site": "cross-site"},
        {**cookie, "Origin": "https://evil.example"},
    ):
        assert problem(await desk.ask("POST", "api/ban-user", {"user": "ada"}, foreign)) == (403, "forbidden")
    assert (await desk.ask("POST", "api/ban-user", {"user": "ada"}, here)).status == 200
    assert (await desk.ask("GET", "", headers=cookie)).status == 200


@pytest.mark.parametrize(
    ("name", "body", "field"),
    [
        ("ban", {"user": "ada"}, "room"),
        ("ban", {"room": "general", "user": 7}, "user"),
        ("ban", [], "payload"),
        ("restart", {"worker": "x"}, "worker"),
        ("reconfigure", {"settings": {"max_text": -1}}, "settings"),
        ("reconfigure", {"settings": {"store": "memory:"}}, "settings"),
    ],
)
async def test_what_does_not_fit_is_named(app: App, live: Live, name: str, body: Any, field: str) -> None:
    operated(app)
    desk = Desk(await live())

    refused = await desk.ask("POST", f"api/{name}", body)

    assert problem(refused) == (400, "invalid_field")
    assert json.loads(refused.body)["field"] == field


# ---- what it shows ----


async def test_figures_agree_with_what_was_done(app: App, live: Live, connect: Connect) -> None:
    operated(app)
    desk = Desk(await live())
    ada, bob = await connect(token=token("ada")), await connect(token=token("bob"))
    for client in (ada, bob):
        await client.ack("join", room="general")
    for number in range(7):
        await ada.ack("message", room="general", payload={"text": f"no. {number}"})
    await ada.request("nonsense", payload={})

    told = await desk.get("overview")

    [worker] = told["workers"]
    assert (worker["worker"], worker["age"], worker["draining"]) == (told["worker"], 0, False)
    assert (worker["connections"], worker["messages"], worker["refusals"]) == (2, 7, 1)
    assert worker["commands"] == 7 + 2 + 1
    assert worker["deliveries"] >= 2 * 7  # and who came in
    assert len(worker["stored"]) == len(told["buckets"]) + 2
    told = await desk.until("overview", lambda told: told["busiest"])
    assert told["busiest"] == [{"room": "general", "connections": 2}]
    assert sum(worker["stored"][:-1]) >= 1
    assert told["health"]["store"]["ok"]
    assert told["health"]["store"]["kind"] == "MemoryStore"


async def test_it_says_that_store_and_broker_do_not_answer(
    app: App, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "LOOK_EVERY", 0.0)
    store, broker = FaultyStore(MemoryStore()), FaultyBroker(MemoryBroker())
    operated(app, store=store, broker=broker)
    desk = Desk(await live())
    assert (await desk.get("overview"))["health"]["broker"]["ok"]

    store.fail_next(1_000, "heads")
    broker.down()

    sick = (await desk.get("overview"))["health"]
    assert (sick["store"]["ok"], sick["store"]["seconds"], sick["broker"]["ok"]) == (False, None, False)


async def test_rooms_are_shown_with_sizes_and_numbers_and_their_events(
    app: App, live: Live, connect: Connect
) -> None:
    chat = operated(app)
    desk = Desk(await live())
    ada = await connect(token=token("ada", name="Ada"))
    await ada.ack("join", room="general")
    await chat.create_room("secret", visibility="private", title="Secret")
    await chat.add_member("secret", ada_user := chat.connections("ada")[0].user)
    for number in range(3):
        await ada.ack("message", room="general", payload={"text": f"no. {number}"})

    rooms = {room["id"]: room for room in (await desk.get("rooms"))["rooms"]}
    assert {id: (room["visibility"], room["members"]) for id, room in rooms.items()} == {
        "general": ("public", 1),
        "secret": ("private", 1),
    }
    general = await desk.until("room?room=general", lambda told: told["online"] == 1)
    assert [member["id"] for member in general["listed"]] == [ada_user.id]
    heads = (await desk.get("heads?rooms=general,nowhere,~all"))["rooms"]
    assert {id: head["seq"] for id, head in heads.items()} == {"general": 3}
    newest = await desk.get("tail?room=general")
    assert [event["payload"]["text"] for event in newest["events"]] == ["no. 0", "no. 1", "no. 2"]
    assert [event["seq"] for event in (await desk.get("tail?room=general&after=2"))["events"]] == [3]
    assert problem(await desk.ask("GET", "api/room?room=nowhere")) == (404, "room_not_found")
    assert problem(await desk.ask("GET", "api/tail?room=~all")) == (404, "room_not_found")


async def test_operators_do_not_read_what_two_people_say(app: App, live: Live, connect: Connect) -> None:
    operated(app, direct="everyone")
    desk = Desk(await live())
    ada, bob = await connect(token=token("ada")), await connect(token=token("bob"))
    direct = await ada.ack("direct", payload={"to": "bob", "body": {"text": "psst"}})
    await bob.expect("message")

    tail = await desk.get(f"tail?room={direct['room']}")

    assert tail["withheld"] is True
    assert [(event["type"], event["payload"]) for event in tail["events"]] == [("message", {})]


async def test_people_are_shown_with_their_devices_and_rates(app: App, live: Live, connect: Connect) -> None:
    operated(app, rate_limits=True, rate_message="10/h burst 10")
    desk = Desk(await live())
    ada = await connect(token=token("ada", name="Ada"), headers={"User-Agent": "Phone/1.0"})
    await connect(token=token("ada", name="Ada"))
    await ada.ack("join", room="general")
    for _ in range(5):
        await ada.ack("message", room="general", payload={"text": "hi"})

    people = await desk.until("people", lambda told: told["people"])
    assert (people["people"], people["total"]) == ([{"id": "ada", "name": "Ada"}], 1)
    person = await desk.get("person?user=ada")
    phone, other = person["devices"]
    assert (phone["agent"], phone["rooms"], phone["guest"], phone["ip"]) == (
        "Phone/1.0",
        ["general"],
        False,
        "127.0.0.1",
    )
    assert 0.4 < phone["used"]["message"] <= 0.5
    assert other["since"] >= phone["since"]
    assert (person["user"]["name"], person["silent"], person["banned"]) == ("Ada", [], None)
    assert person["rooms"] == [{"room": "general", "role": "member"}]


async def test_settings_are_shown_without_secrets(app: App, live: Live) -> None:
    operated(app)
    desk = Desk(await live())

    answer = await desk.ask("GET", "api/settings")

    lines = {line["name"]: line for line in json.loads(answer.body)["settings"]}
    assert SECRET not in answer.text
    assert lines["jwt_secret"]["told"] == "***"
    assert (lines["max_text"]["value"], lines["max_text"]["changed"]) == (16_000, False)
    assert "value" not in lines["max_frame"]


# ---- what it does ----


async def test_acts_in_a_room_are_those_of_the_operator(app: App, live: Live, connect: Connect) -> None:
    operated(app)
    desk = Desk(await live())
    ada, bob = await connect(token=token("ada")), await connect(token=token("bob"))
    for client in (ada, bob):
        await client.ack("join", room="general")
    here = {"room": "general", "user": "bob"}

    assert await desk.act("mute", **here, reason="calm down")
    assert not await desk.act("mute", **here, reason="calm down")
    assert (await ada.expect("member.muted"))["payload"]["by"] == {"id": "op", "name": "Op"}
    assert (await desk.get("room?room=general"))["mutes"][0]["reason"] == "calm down"
    assert await desk.act("unmute", **here)
    assert await desk.act("kick", **here, reason="out")
    assert (await bob.expect("room.removed"))["payload"]["reason"] == "kicked"
    assert await desk.act("ban", **here)
    assert (await ada.expect("member.banned"))["payload"]["user"]["id"] == "bob"
    verdict = await desk.get("explain?user=bob&action=message&room=general")
    assert (verdict["allowed"], verdict["rule"]) == (False, "restriction")
    assert await desk.act("unban", **here)

    lines = (await desk.get("audit?room=general"))["lines"]
    assert [(line["type"], line["actor"]["id"], line["user"]) for line in reversed(lines)] == [
        (f"member.{what}", "op", "bob") for what in ("muted", "unmuted", "kicked", "banned", "unbanned")
    ]
    assert len((await desk.get("audit?actor=op&limit=2"))["lines"]) == 2


async def test_a_visitor_who_is_no_member_can_be_kicked(app: App, live: Live, connect: Connect) -> None:
    chat = operated(app, guests=True)
    desk = Desk(await live())
    guest = await connect()
    await guest.ack("join", room="general")
    user = chat.connections()[0].user.id

    assert await desk.act("kick", room="general", user=user)

    assert (await guest.expect("room.removed"))["payload"]["reason"] == "kicked"
    assert problem(await desk.ask("POST", "api/kick", {"room": "general", "user": "nobody"})) == (
        400,
        "invalid_field",
    )


async def test_acts_on_users_hold_everywhere(app: App, live: Live, connect: Connect) -> None:
    operated(app)
    desk = Desk(await live())
    first = await connect(token=token("ada"))
    await connect(token=token("ada"))
    sessions = [device["session"] for device in (await desk.get("person?user=ada"))["devices"]]

    assert await desk.act("disconnect", user="ada", session=sessions[0])
    await first.closed()
    assert [one["session"] for one in (await desk.get("person?user=ada"))["devices"]] == sessions[1:]
    assert await desk.act("ban-user", user="ada", reason="spam")
    assert (await desk.get("person?user=ada"))["banned"] == {"until": None, "reason": "spam"}
    assert (await connect.refused(token=token("ada"))).status == 403
    assert await desk.act("unban-user", user="ada")
    assert not await desk.act("unban-user", user="ada")
    await connect(token=token("ada"))
    assert await desk.act("revoke", user="ada")
    assert (await connect.refused(token=token("ada", iat=1))).status == 401

    lines = (await desk.get("audit"))["lines"]
    assert [(line["type"], line["reason"]) for line in reversed(lines)] == [
        ("user.disconnected", ""), ("user.banned", "spam"), ("user.unbanned", ""), ("user.revoked", ""),
    ]  # fmt: skip
    assert all((line["room"], line["actor"]["id"], line["user"]) == (None, "op", "ada") for line in lines)
    assert lines[-1]["details"] == {"session": sessions[0]}
    assert (await desk.get("audit?actor=ada"))["lines"] == []


async def test_reports_are_seen_and_closed(app: App, live: Live, connect: Connect) -> None:
    operated(app)
    desk = Desk(await live())
    ada, bob = await connect(token=token("ada")), await connect(token=token("bob"))
    for client in (ada, bob):
        await client.ack("join", room="general")
    said = await ada.ack("message", room="general", payload={"text": "rude"})
    await bob.ack("report", room="general", payload={"msgId": said["msgId"], "reason": "rude"})

    [report] = (await desk.get("reports"))["reports"]
    assert (report["room"], report["reason"], report["by"]["id"]) == ("general", "rude", "bob")
    assert await desk.act("close-report", id=report["id"], outcome="warned")
    assert (await desk.get("reports"))["reports"] == []
    [closed] = (await desk.get("reports?open=false"))["reports"]
    assert closed["outcome"] == "warned"
    [line] = (await desk.get("audit?actor=op"))["lines"]
    assert (line["type"], line["user"]) == ("report.closed", None)
    assert line["details"] == {"id": report["id"], "outcome": "warned"}


async def test_settings_change_for_all(app: App, live: Live, connect: Connect) -> None:
    chat = operated(app)
    desk = Desk(await live())

    assert await desk.act("reconfigure", settings={"max_text": 10})

    lines = {line["name"]: line for line in (await desk.get("settings"))["settings"]}
    assert (lines["max_text"]["value"], lines["max_text"]["configured"], lines["max_text"]["changed"]) == (
        10,
        16_000,
        True,
    )
    assert chat.running().settings.max_text == 10
    assert await desk.act("reconfigure", settings={"max_text": None})
    assert chat.running().settings.max_text == 16_000
    assert [line["details"] for line in (await desk.get("audit"))["lines"]] == [
        {"settings": {"max_text": None}}, {"settings": {"max_text": 10}},
    ]  # fmt: skip


async def test_an_act_is_done_also_while_no_audit_can_tell_of_it(
    app: App, live: Live, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    store = FaultyStore(MemoryStore())
    operated(app, store=store)
    desk = Desk(await live())
    [worker] = (await desk.get("overview"))["workers"]
    store.fail_next(1, "set_fact")

    assert await desk.act("drain", worker=worker["worker"])

    assert (await desk.get("overview"))["workers"][0]["draining"]
    assert (await desk.get("audit"))["lines"] == []
    assert "operator op: the audit does not tell of worker.drained" in caplog.text


@pytest.mark.parametrize(
    "body",
    ['{"self": 1}', '{"settings": 1}', '{"max_text": 1' + "0" * 400 + "}", '{"max_text": ' + "[" * 30_000],
)
async def test_settings_that_are_none_are_refused(app: App, live: Live, body: str) -> None:
    operated(app)
    desk = Desk(await live())

    data = f'{{"settings": {body}}}'.encode()
    refused = await http_request(
        "127.0.0.1", desk.port, "POST", "/chat/admin/api/reconfigure", desk.headers, data
    )

    assert problem(refused) == (400, "invalid_field")


async def test_a_single_process_drains_and_does_not_restart(app: App, live: Live, connect: Connect) -> None:
    operated(app)
    desk = Desk(await live())
    ada = await connect(token=token("ada"))
    [worker] = (await desk.get("overview"))["workers"]

    assert problem(await desk.ask("POST", "api/restart", {"worker": worker["worker"]})) == (409, "conflict")
    assert await desk.act("drain", worker=worker["worker"])

    assert (await ada.expect("closing"))["payload"]["reason"] == "restart"


# ---- several workers ----


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "TELL_EVERY", 0.05)
    monkeypatch.setattr(fleet, "COUNT_EVERY", 0.05)


async def test_workers_of_other_machines_are_heard_of_and_asked(
    app: App, live: Live, connect: Connect, soon: None
) -> None:
    bus, other = MemoryBus(), new_app()
    operated(app, broker=MemoryBroker(bus))
    operated(other, broker=MemoryBroker(bus))
    here, there = await live(), await live(other)
    desk = Desk(here)
    ada = await connect(token=token("ada"), server=there)
    for _ in range(fleet.EACH + 1):  # more than one answer has place for
        await connect(token=token("ada"), server=there)
    await connect(token=token("ada"), server=here)
    await ada.ack("join", room="general")
    await ada.ack("message", room="general", payload={"text": "hi"})

    told = await desk.until(
        "overview",
        lambda told: (total(told, "connections"), total(told, "messages")) == (fleet.EACH + 3, 1),
    )
    [elsewhere] = others(told)
    person = await desk.get("person?user=ada")
    found = Counter(device["worker"] for device in person["devices"])
    assert found == {told["worker"]: 1, elsewhere["worker"]: fleet.EACH + 2}
    assert person["silent"] == []

    assert await desk.act("drain", worker=elsewhere["worker"])
    await ada.expect("closing")
    drained = await desk.until("overview", lambda told: others(told)[0]["draining"])
    assert [worker["draining"] for worker in drained["workers"]].count(True) == 1
    await there.stop()
    await desk.until("overview", lambda told: len(told["workers"]) == 1)
    Sanic.unregister_app(other)


async def test_a_worker_that_says_nothing_more_is_shown_with_its_age_and_named(
    app: App, live: Live, soon: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "ANSWERED", 0.05)
    bus, other = MemoryBus(), new_app()
    operated(app, broker=MemoryBroker(bus))
    cut = FaultyBroker(MemoryBroker(bus))
    operated(other, broker=cut)
    desk, _ = Desk(await live()), await live(other)
    await desk.until("overview", lambda told: len(told["workers"]) == 2)

    cut.down()

    old = await desk.until("overview", lambda told: others(told)[0]["age"] > 0.5)
    person = await desk.get("person?user=ada")
    assert person["silent"] == [others(old)[0]["worker"]]
    Sanic.unregister_app(other)


TWO_WORKERS = f"""
import os
from sanic import Sanic
from sanic_chatrooms import ChatRooms

app = Sanic("operated")
chat = ChatRooms(jwt_secret={SECRET!r}, auto_create=True, admin="write", drain_seconds=1, store="sqlite:///" + os.environ["CHAT_DB"],
    broker=os.environ["CHAT_BROKER"])

@chat.command("test.where")
async def where(ctx, payload):
    return {{"pid": os.getpid()}}

app.blueprint(chat.bp)
"""


def fresh(overview: Any) -> list[Any]:
    return [worker for worker in overview["workers"] if worker["age"] < 5]


async def test_two_workers_are_shown_as_they_are_and_one_is_restarted(
    subprocess_server: SubprocessServer, connect: Connect, tmp_path: Path, valkey_url: str
) -> None:
    file = tmp_path / "app.py"
    file.write_text(TWO_WORKERS)
    env = {"CHAT_DB": str(tmp_path / "chat.db"), "CHAT_BROKER": valkey_url}
    server = await subprocess_server(file, workers=2, env=env)
    desk = Desk(server)
    clients, pids = await on_both(connect, server, "ada", "ada'")
    ada, again = clients["ada"], clients["ada'"]
    for client in (ada, again):
        await client.ack("join", room="general")
    for client, count in ((ada, 11), (again, 6)):
        for _ in range(count):
            await client.ack("message", room="general", payload={"text": "hi"})

    told = await desk.until("overview", lambda told: total(told, "messages") == 11 + 6)
    by_pid = {worker["pid"]: worker for worker in told["workers"]}
    assert set(by_pid) == set(server.workers)
    assert [by_pid[pid]["messages"] for pid in pids] == [11, 6]
    assert [by_pid[pid]["connections"] for pid in pids] == [1, 1]
    assert all(worker["name"] and worker["broker"] for worker in told["workers"])
    person = await desk.get("person?user=ada")
    assert len(person["devices"]) == 2
    assert {device["worker"] for device in person["devices"]} == {
        worker["worker"] for worker in told["workers"]
    }
    assert person["silent"] == []

    assert await desk.act("restart", worker=by_pid[pids[0]]["worker"])

    assert (await ada.expect("closing"))["payload"]["reason"] == "restart"
    restarted = await until_restarted(desk, pids)
    assert len(fresh(restarted)) == 2
    assert total(restarted, "messages") == 17  # what the old one has counted is left
    assert total(restarted, "connections") == 1
    [line] = (await desk.get("audit"))["lines"]  # whichever worker answers
    assert (line["type"], line["details"]) == (
        "worker.restarted",
        {"worker": by_pid[pids[0]]["worker"]},
    )


async def until_restarted(desk: Desk, pids: list[int]) -> Any:
    """While a worker ends, it may have accepted the question."""
    async with asyncio.timeout(WITHIN):
        while True:
            try:
                told = await desk.get("overview")
            except (OSError, asyncio.IncompleteReadError, ValueError):
                continue
            now = {worker["pid"] for worker in fresh(told)}
            if len(now) == 2 and pids[0] not in now and pids[1] in now:
                return told
            await asyncio.sleep(0.05)
