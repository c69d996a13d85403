"""A door reads few requests in each turn of the event loop, and lets what is not for the chat pass at once."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any
from unittest.mock import Mock

import pytest

from sanic_chatrooms.web.socket.door import Door
from sanic_chatrooms.web.socket.turns import READ_AT_ONCE, Turns, turns_to_read

UPGRADE = b"GET /chat/ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n"
PAGE = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Street:
    """Doors of one server, and what becomes of what is said at them."""

    def __init__(self) -> None:
        self.reading = turns_to_read()
        self.read: list[bytes] = []
        self.doorway = Mock(connections=set())
        self.doorway.request_in.side_effect = self._read
        self.sanic = self.doorway.make.return_value
        self.way = Mock()
        self.ours = True

    def _read(self, data: bytes, transport: Any) -> Any:
        self.read.append(data)
        return ((self.way, Mock(), Mock()), len(data)) if self.ours else None

    def knock(self, data: bytes) -> Mock:
        door, transport = Door(self.doorway, self.reading), Mock()
        transport.is_closing.return_value = False
        door.connection_made(transport)
        door.data_received(data)
        return transport


@pytest.fixture
async def street() -> AsyncIterator[Street]:
    street = Street()
    yield street
    for door in set(street.doorway.connections):
        door.connection_lost(None)


async def test_few_are_read_in_a_turn(street: Street) -> None:
    for _ in range(3 * READ_AT_ONCE):
        street.knock(UPGRADE)

    read = [len(street.read)]
    while len(street.read) < 3 * READ_AT_ONCE:
        await asyncio.sleep(0)
        read.append(len(street.read))

    assert read[0] == 1  # nobody was before the first
    assert all(now - before <= READ_AT_ONCE for before, now in itertools.pairwise(read))
    assert street.way.arrive.call_count == 3 * READ_AT_ONCE


async def test_what_is_no_upgrade_waits_for_nobody(street: Street) -> None:
    for _ in range(2):
        street.knock(UPGRADE)

    street.knock(PAGE)

    street.sanic.data_received.assert_called_once_with(PAGE)


async def test_what_was_read_and_is_not_for_us_is_handed_over_and_goes_on(street: Street) -> None:
    street.ours = False
    street.knock(UPGRADE)
    transport = street.knock(UPGRADE)
    transport.resume_reading.assert_not_called()

    await asyncio.sleep(0)

    assert street.sanic.data_received.call_count == 2
    transport.resume_reading.assert_called_once_with()


async def test_who_has_gone_is_not_read(street: Street) -> None:
    street.knock(UPGRADE)
    street.knock(UPGRADE).is_closing.return_value = True

    await asyncio.sleep(0)

    assert len(street.read) == 1


async def test_where_reading_fails_nobody_waits_for_it_without_end(street: Street) -> None:
    """Its peer would, since nothing is read from it any more."""
    street.knock(UPGRADE)
    street.doorway.request_in.side_effect = [LookupError("a defect"), ((street.way, Mock(), Mock()), 0)]
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context["exception"]))

    first, _ = street.knock(UPGRADE), street.knock(UPGRADE)
    for _ in range(2):
        await asyncio.sleep(0)

    first.abort.assert_called_once_with()
    assert [type(failure) for failure in failures] == [LookupError]
    assert street.way.arrive.call_count == 2


async def test_where_too_many_wait_to_begin_the_last_ones_are_refused(street: Street) -> None:
    beginning, taken = Turns(0, most=30), list[bool]()  # nobody begins
    street.way.arrive.side_effect = lambda mounted, request, door: taken.append(beginning.take(Mock()))

    for _ in range(60):
        street.knock(UPGRADE)
    for _ in range(60 // READ_AT_ONCE):
        await asyncio.sleep(0)

    assert taken == [True] * 30 + [False] * 30
