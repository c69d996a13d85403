"""One connection's commands: their order, who waits for whom, and what is left of them when it ends."""

from __future__ import annotations

import asyncio
import json

import pytest

from sanic_chatrooms import User
from sanic_chatrooms.access.standing import Standing
from sanic_chatrooms.errors import Forbidden, Unavailable
from sanic_chatrooms.models import Room
from sanic_chatrooms.sessions.seats import Seat
from sanic_chatrooms.sessions.session import Session, State
from sanic_chatrooms.wire.codes import CloseCode
from sanic_chatrooms.wire.decode import Command
from sanic_chatrooms.wire.encode import ack
from sanic_chatrooms.wire.events import AuthExpiring
from tests.support.sessions import Bench

ADA = User("u1", "Ada")


@pytest.fixture
def bench() -> Bench:
    return Bench()


# ---- what cannot be read ----


async def test_malformed_frames_are_answered_and_too_many_in_a_row_close() -> None:
    bench = Bench(max_bad_frames=3)
    for _ in range(2):
        bench.session.receive(b"{")
    bench.send("fast")
    for _ in range(2):
        bench.session.receive(b"[]")
    assert not bench.session.closed

    bench.session.receive(b"")

    assert [frame["payload"]["code"] for frame in bench.connection.frames] == ["bad_frame"] * 5
    assert bench.connection.closed == (4501, "too many malformed frames")
    assert bench.carrier.log == ["fast"]


async def test_a_wrong_field_is_no_malformed_frame() -> None:
    bench = Bench(max_bad_frames=1)

    bench.session.receive(b'{"type":"x","room":"a b"}')

    assert bench.connection.frames[0]["payload"]["code"] == "invalid_field"
    assert bench.connection.closed is None


async def test_before_authentication_a_wrong_field_is_answered_like_all_else(bench: Bench) -> None:
    bench.session.authenticated = False

    bench.session.receive(b'{"type":"x","msgId":"sixteen-letters-x","room":"a b"}')

    assert bench.connection.frames[0]["payload"]["code"] == "unauthenticated"
    assert bench.connection.frames[0]["replyTo"] == "sixteen-letters-x"


@pytest.mark.parametrize(("type", "limit"), [("auth", 16 * 1024), ("ping", 4 * 1024)])
async def test_before_authentication_only_small_frames_are_looked_at(
    bench: Bench, type: str, limit: int
) -> None:
    bench.session.authenticated = False
    empty = len(f'{{"type":"{type}","payload":{{"x":""}}}}')
    frame = f'{{"type":"{type}","payload":{{"x":"%s"}}}}'

    bench.session.receive((frame % ("x" * (limit - empty))).encode())
    bench.session.receive((frame % ("x" * (limit - empty + 1))).encode())
    bench.session.receive(b"x" * 65_536)
    await bench.idle()

    assert bench.carrier.log == [type]
    errors = [frame["payload"] for frame in bench.connection.frames]
    assert [(e["code"], e["limit"], e["size"]) for e in errors] == [
        ("too_large", limit, limit + 1),
        ("too_large", 16 * 1024, 65_536),
    ]


async def test_a_command_without_room_means_the_room_of_the_path(bench: Bench) -> None:
    bench.session.room = "lobby"

    bench.send("message")
    bench.send("message", "other")

    assert bench.carrier.log == ["message lobby", "message other"]


async def test_a_command_that_needs_no_room_does_not_mean_the_room_of_the_path(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str | None] = []

    def note(session: Session, command: Command) -> bool:
        seen.append(command.room)
        return True

    monkeypatch.setattr(bench.carrier, "at_once", note)
    bench.session.room = "lobby"

    bench.send("anywhere")
    bench.send("anywhere", "other")

    assert seen == [None, "other"]


async def test_the_first_frame_after_silence_makes_it_active(bench: Bench) -> None:
    bench.session.state = State.IDLE

    bench.send("fast")

    assert bench.session.state is State.ACTIVE


# ---- the end ----


async def test_closing_ends_what_is_carried_out_and_forgets_what_queues(bench: Bench) -> None:
    bench.send("slow", "1")
    bench.send("slow", "2")
    await bench.idle()

    bench.session.close(CloseCode.DISCONNECTED)
    await bench.idle()
    bench.send("fast")

    assert bench.carrier.log == ["slow 1"]
    assert bench.carrier.ended == ["1"]
    assert bench.connection.closed == (4503, "disconnected by the application")
    assert bench.carrier.gone == 1


async def test_closing_while_commands_wait_for_messages(bench: Bench) -> None:
    bench.send("message", "a")
    bench.send("fast")
    await bench.idle()

    bench.session.close(CloseCode.DISCONNECTED)
    await bench.idle()
    bench.session.queue.ended()

    assert bench.carrier.log == ["message a"]
    assert len(asyncio.all_tasks()) == 1


async def test_closing_while_congested(bench: Bench) -> None:
    bench.connection.congest()
    bench.send("fast")
    await bench.idle()

    bench.session.close(CloseCode.SLOW_CONSUMER)
    await bench.idle()

    assert bench.carrier.log == []
    assert len(asyncio.all_tasks()) == 1


async def test_a_handler_may_close_its_own_session_and_end_by_itself(bench: Bench) -> None:
    bench.carrier.let("1")
    bench.carrier.then = lambda session: session.close(CloseCode.INVALID_TOKEN)
    bench.send("slow", "1")
    bench.send("slow", "2")

    await bench.idle()

    assert bench.carrier.log == ["slow 1", "slow 1 done"]
    assert bench.connection.closed == (4500, "invalid token")


async def test_the_end_is_told_once(bench: Bench) -> None:
    bench.session.close(CloseCode.DISCONNECTED, "enough")
    bench.session.close(CloseCode.NO_HEARTBEAT)
    bench.session.disconnected()

    assert bench.carrier.gone == 1
    assert bench.connection.closed == (4503, "enough")
    assert bench.session.closed


async def test_a_peer_that_is_gone_is_sent_nothing(bench: Bench) -> None:
    bench.session.disconnected()

    bench.session.answer(ack(None, {}))
    bench.session.send(AuthExpiring(1.0))

    assert bench.connection.frames == []
    assert bench.connection.closed is None
    assert bench.carrier.gone == 1


async def test_a_defect_in_the_dispatcher_closes_the_connection_and_is_logged(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(session: Session) -> None:
        raise ZeroDivisionError

    bench.carrier.then = fail
    bench.send("slow", "1")
    await bench.idle()

    assert bench.connection.closed == (1011, "server error")
    assert "failed" in caplog.text


async def test_work_that_a_backend_cannot_do_now_sends_the_client_away_to_come_back(bench: Bench) -> None:
    """What the server does by itself has nobody to answer: a client that reconnects finds out what it missed."""

    async def work() -> None:
        raise Unavailable

    bench.session.queue.do(work)
    await bench.idle()

    assert bench.connection.closed == (4010, "position lost")


async def test_errors_of_ours_travel_and_others_are_logged(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.session.fail(Command("x", "i" * 16, "general"), Forbidden("no"))
    bench.session.fail(Command("x", None, "general"), ZeroDivisionError("secret"))

    first, second = bench.connection.frames
    assert (first["replyTo"], first["room"], first["payload"]["code"]) == ("i" * 16, "general", "forbidden")
    assert second["payload"]["code"] == "internal"
    assert "secret" not in json.dumps(second)
    assert "ZeroDivisionError" in caplog.text


async def test_an_eviction_takes_the_seat(bench: Bench) -> None:
    bench.session.seats["general"] = Seat(Room("general", "e", 0), Standing())

    bench.session.evicted("general")

    assert bench.session.seats == {}
