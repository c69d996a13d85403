"""What `sqlite_kill` looks for, it finds."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from msgspec.structs import replace

from sanic_chatrooms.models import Event, Sender
from tests.soak.runs import Verdict
from tests.soak.sqlite_kill import Person, compare

ADA = Sender("ada", "ada")


def whole() -> tuple[Person, list[Event]]:
    events = [Event(f"m{n}", 1.0, "message", msgspec.Raw(b"{}"), "r", n, ADA, f"key{n}") for n in range(1, 6)]
    person = Person("ada", [])
    person.acked = {f"key{n}": (n, f"m{n}") for n in range(1, 6)}
    person.seen = [(n, f"m{n}") for n in range(1, 6)]
    person.position = ("epoch", 5)
    return person, events


Change = Callable[[Person, list[Event]], object]
FAULTS: dict[str, tuple[Change, str]] = {
    "lost at the end": (lambda person, events: events.pop(), "acked and not stored"),
    "lost in the middle": (lambda person, events: events.pop(2), "have a hole"),
    "another in its place": (
        lambda person, events: events.__setitem__(4, replace(events[4], msg_id="other")),
        "acked and not stored",
    ),
    "stored twice": (
        lambda person, events: events.append(replace(events[4], seq=6, msg_id="m6")),
        "stored 2 times",
    ),
    "not shown": (lambda person, events: person.seen.pop(), "is not what is stored"),
    "shown otherwise": (
        lambda person, events: person.seen.__setitem__(0, (1, "other")),
        "is not what is stored",
    ),
    "never acked": (lambda person, events: person.unacked.update(key6="text"), "never acked"),
}


def test_what_is_whole_passes() -> None:
    person, events = whole()
    verdict = Verdict()

    compare([person], events, verdict)

    assert verdict.wrong == []


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_is_found(name: str) -> None:
    fault, said = FAULTS[name]
    person, events = whole()
    fault(person, events)
    verdict = Verdict()

    compare([person], events, verdict)

    assert any(said in finding for finding in verdict.wrong), verdict.wrong
