from __future__ import annotations

from sanic_chatrooms.access.standing import Standing
from sanic_chatrooms.models import Room
from sanic_chatrooms.sessions.seats import Seat, Seats


def test_a_change_concerns_the_seat_in_that_room_and_is_counted() -> None:
    seats = Seats()
    for room in ("a", "b"):
        seats[room] = Seat(Room(room, "e", 0), Standing())

    seats.changed("a")
    seats.changed("nowhere")

    assert (seats["a"].fresh, seats["b"].fresh, seats.changes) == (False, True, 2)
