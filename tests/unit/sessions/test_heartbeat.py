"""Signs of life, with clocks that a test moves by hand."""

from __future__ import annotations

from typing import Any, cast

import pytest
from msgspec.structs import replace

from sanic_chatrooms.config.load import load
from sanic_chatrooms.config.settings import Settings
from sanic_chatrooms.models import User
from sanic_chatrooms.sessions.heartbeat import EXPIRY_WARNING, Heartbeat
from sanic_chatrooms.sessions.liveness import Liveness
from sanic_chatrooms.sessions.session import Session, State
from sanic_chatrooms.testing import Clock, MemoryConnection
from sanic_chatrooms.wire.events import AuthExpiring, LiveEvent

SETTINGS = load("test", {}, {}, {"guests": True}, debug=False, instances=("test",))
INTERVAL, TIMEOUT = SETTINGS.heartbeat_interval, SETTINGS.heartbeat_timeout


class Peer:
    """As much of a session as the heartbeat looks at; counts the looks."""

    def __init__(self, now: float, settings: Settings = SETTINGS) -> None:
        self.settings = settings
        self.connection = MemoryConnection()
        self.user = User("u1", "Ada")
        self.authenticated = True
        self.state = State.ACTIVE
        self.liveness = Liveness(settings.heartbeat_interval, settings.heartbeat_timeout)
        self.liveness.opened_at = self.liveness.heard_at = now
        self.looks = 0
        self.sent: list[LiveEvent] = []

    @property
    def closed(self) -> bool:
        self.looks += 1
        return self.state is State.CLOSED

    def fell_silent(self) -> None:
        self.state = State.IDLE if self.authenticated else State.CONNECTING

    def close(self, code: int) -> None:
        self.state = State.CLOSED
        self.connection.close(code, "")

    def send(self, event: LiveEvent) -> None:
        self.sent.append(event)

    def code(self) -> int | None:
        return self.connection.closed[0] if self.connection.closed is not None else None


class Wheel:
    """A heartbeat that is swept once a second, and peers on it."""

    def __init__(self) -> None:
        self.clock, self.wall = Clock(1_000.0), Clock()
        self.heartbeat = Heartbeat(self.clock, self.wall)

    def peer(self, *, authenticated: bool = True, expires_in: float | None = None, **settings: Any) -> Peer:
        peer = Peer(self.clock.now, replace(SETTINGS, **settings))
        peer.authenticated = authenticated
        self.heartbeat.add(cast(Session, peer))
        if expires_in is not None:
            self.renew(peer, expires_in)
        return peer

    def renew(self, peer: Peer, expires_in: float) -> None:
        """A token that is good for so long."""
        peer.user = replace(peer.user, expires_at=self.wall.now + expires_in)
        peer.liveness.shown(expires_in)
        self.reconsider(peer)

    def reconsider(self, peer: Peer) -> None:
        self.heartbeat.reconsider(cast(Session, peer))

    def hear(self, *peers: Peer) -> None:
        for peer in peers:
            peer.liveness.heard_at = self.clock.now

    def pass_time(self, seconds: float, *alive: Peer) -> None:
        """Let time pass, with a sweep every second; `alive` answer pings."""
        for _ in range(int(seconds)):
            self.clock.advance(1)
            self.wall.advance(1)
            before = [peer.connection.pings for peer in alive]
            self.heartbeat.sweep()
            self.hear(
                *(peer for peer, pings in zip(alive, before, strict=True) if peer.connection.pings > pings)
            )


@pytest.fixture
def wheel() -> Wheel:
    return Wheel()


# ---- silence ----


def test_a_silent_connection_is_pinged_after_the_interval_and_closed_after_the_timeout(wheel: Wheel) -> None:
    peer = wheel.peer()

    wheel.pass_time(INTERVAL - 1)
    assert peer.connection.pings == 0
    wheel.pass_time(2)
    assert peer.connection.pings == 1
    assert peer.state is State.IDLE
    wheel.pass_time(TIMEOUT - INTERVAL - 2)
    assert peer.code() is None
    wheel.pass_time(2)

    assert peer.code() == 4012


def test_a_silent_connection_is_pinged_once_an_interval(wheel: Wheel) -> None:
    peer = wheel.peer()

    wheel.pass_time(TIMEOUT - 1)

    assert peer.connection.pings == 2


def test_whoever_answers_pings_stays(wheel: Wheel) -> None:
    peer = wheel.peer()

    wheel.pass_time(20 * TIMEOUT, peer)

    assert peer.code() is None
    assert 20 * TIMEOUT / INTERVAL * 0.9 < peer.connection.pings <= 20 * TIMEOUT / INTERVAL


def test_whoever_is_heard_is_not_pinged(wheel: Wheel) -> None:
    peer = wheel.peer()

    for _ in range(40):
        wheel.pass_time(INTERVAL - 5)
        wheel.hear(peer)

    assert peer.connection.pings == 0
    assert peer.state is State.ACTIVE


def test_a_longer_interval_is_kept(wheel: Wheel) -> None:
    peer = wheel.peer()
    peer.liveness.stretch(4 * INTERVAL, 4 * TIMEOUT)
    wheel.reconsider(peer)

    wheel.pass_time(4 * INTERVAL - 1)
    assert peer.connection.pings == 0
    wheel.pass_time(4 * (TIMEOUT - INTERVAL) - 2)
    assert peer.connection.pings == 2
    assert peer.code() is None
    wheel.pass_time(5)

    assert peer.code() == 4012


def test_an_interval_that_is_made_shorter_again_holds_at_once(wheel: Wheel) -> None:
    peer = wheel.peer()
    peer.liveness.stretch(4 * INTERVAL, 4 * TIMEOUT)
    wheel.reconsider(peer)
    wheel.pass_time(INTERVAL + 1)
    wheel.hear(peer)

    peer.liveness.stretch(INTERVAL, TIMEOUT)
    wheel.reconsider(peer)
    wheel.pass_time(INTERVAL + 1)

    assert peer.connection.pings == 1


# ---- authentication ----


def test_whoever_does_not_authenticate_in_time_is_closed(wheel: Wheel) -> None:
    peer = wheel.peer(authenticated=False)
    peer.state = State.CONNECTING

    wheel.pass_time(SETTINGS.auth_timeout - 1)
    wheel.hear(peer)
    assert peer.code() is None
    wheel.pass_time(2)

    assert peer.code() == 4502


def test_whoever_authenticates_in_time_stays(wheel: Wheel) -> None:
    peer = wheel.peer(authenticated=False)
    wheel.pass_time(SETTINGS.auth_timeout - 1)

    peer.authenticated = True
    wheel.pass_time(5)

    assert peer.code() is None


def test_somebody_silent_without_identity_is_still_connecting(wheel: Wheel) -> None:
    peer = wheel.peer(authenticated=False, auth_timeout=300.0)
    peer.state = State.CONNECTING

    wheel.pass_time(INTERVAL + 1)

    assert peer.connection.pings == 1
    assert peer.state is State.CONNECTING


# ---- tokens that end ----


def test_a_token_that_ends_is_announced_once_and_closes_when_it_ended(wheel: Wheel) -> None:
    peer = wheel.peer(expires_in=600.0)
    end = peer.user.expires_at
    assert end is not None

    wheel.pass_time(600 - EXPIRY_WARNING - 2, peer)
    assert peer.sent == []
    wheel.pass_time(3, peer)
    assert peer.sent == [AuthExpiring(end)]
    wheel.pass_time(EXPIRY_WARNING - 3, peer)
    assert peer.code() is None
    wheel.pass_time(4, peer)

    assert peer.code() == 4001
    assert len(peer.sent) == 1


def test_a_short_token_is_announced_when_a_third_is_left(wheel: Wheel) -> None:
    peer = wheel.peer(expires_in=30.0)

    wheel.pass_time(17)
    assert peer.sent == []
    wheel.pass_time(5)
    assert len(peer.sent) == 1
    assert peer.code() is None
    wheel.pass_time(10)

    assert peer.code() == 4001


def test_a_new_token_is_announced_again(wheel: Wheel) -> None:
    peer = wheel.peer(expires_in=30.0)
    wheel.pass_time(25)

    wheel.renew(peer, 600.0)
    wheel.pass_time(300, peer)
    assert (len(peer.sent), peer.code()) == (1, None)
    wheel.pass_time(310, peer)

    assert (len(peer.sent), peer.code()) == (2, 4001)


def test_a_token_is_watched_also_while_its_owner_talks_without_pause(wheel: Wheel) -> None:
    peer = wheel.peer(expires_in=20.0)

    for _ in range(25):
        wheel.hear(peer)
        wheel.pass_time(1)

    assert peer.code() == 4001


def test_a_wall_clock_that_is_put_back_does_not_disturb_pings(wheel: Wheel) -> None:
    peer = wheel.peer()

    wheel.wall.advance(-86_400)
    wheel.pass_time(INTERVAL + 1)

    assert (peer.connection.pings, peer.code()) == (1, None)


# ---- the wheel ----


def test_a_connection_that_is_removed_is_not_looked_at_again(wheel: Wheel) -> None:
    peer = wheel.peer()

    wheel.heartbeat.remove(cast(Session, peer))
    wheel.heartbeat.remove(cast(Session, peer))
    wheel.reconsider(peer)
    wheel.pass_time(2 * TIMEOUT)

    assert (peer.looks, peer.code()) == (0, None)


def test_a_sweep_that_comes_late_does_what_it_missed(wheel: Wheel) -> None:
    peers = [wheel.peer() for _ in range(50)]

    wheel.clock.advance(10 * TIMEOUT)
    wheel.heartbeat.sweep()

    assert {peer.code() for peer in peers} == {4012}


def test_a_clock_between_two_seconds_loses_nobody(wheel: Wheel) -> None:
    wheel.clock.advance(0.999)
    peer = wheel.peer(auth_timeout=0.1, authenticated=False)

    wheel.heartbeat.sweep()
    wheel.clock.advance(0.002)
    wheel.heartbeat.sweep()
    wheel.clock.advance(1.0)
    wheel.heartbeat.sweep()

    assert peer.code() == 4502


def test_a_thousand_quiet_connections_cost_one_look_each_per_interval(wheel: Wheel) -> None:
    peers = [wheel.peer() for _ in range(1_000)]
    most, before = 0, 0

    for _ in range(10):
        wheel.pass_time(INTERVAL, *peers)
        looks = sum(peer.looks for peer in peers)
        most, before = max(most, looks - before), looks

    assert all(peer.code() is None for peer in peers)
    assert most <= 1.1 * len(peers)


def test_first_pings_are_spread_over_half_an_interval(wheel: Wheel) -> None:
    for _ in range(1_000):
        wheel.peer()

    places = set(wheel.heartbeat._places.values())

    assert len(places) > INTERVAL / 2 - 3
    assert max(map(len, wheel.heartbeat._buckets.values())) < 200
