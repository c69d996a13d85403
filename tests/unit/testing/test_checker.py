"""The checker finds every fault that it is there to find, and none where there is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sanic_chatrooms.models import Draft, Room, Sender, direct_room
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.memory.store import MemoryStore
from sanic_chatrooms.testing import Checker, Witness

Frame = dict[str, Any]
ROOM, EPOCH = "general", "first"
ADA = "u1"


def event(seq: int, **keys: Any) -> Frame:
    return {
        "type": "message",
        "room": ROOM,
        "seq": seq,
        "msgId": f"server-{seq}",
        "timestamp": float(seq),
        "sender": {"id": ADA, "name": "Ada"},
        "clientMsgId": f"client-{seq}",
        "payload": {"text": str(seq)},
        **keys,
    }


def ack(number: int, **keys: Any) -> Frame:
    payload = {
        "msgId": f"server-{number}",
        "seq": number,
        "timestamp": float(number),
        "duplicate": False,
        **keys,
    }
    return {"type": "ack", "replyTo": f"client-{number}", "payload": payload}


def joined(seq: int, messages: list[Frame] | None = None, **keys: Any) -> Frame:
    payload = {
        "room": ROOM,
        "epoch": EPOCH,
        "seq": seq,
        "recovered": False,
        "messages": messages or [],
        **keys,
    }
    return {"type": "ack", "replyTo": "the-join", "payload": payload}


def join(witness: Witness, answer: Frame, **since: Any) -> None:
    payload = {"since": since} if since else {}
    witness.sent({"type": "join", "msgId": "the-join", "room": ROOM, "payload": payload})
    witness.received(answer)


def say(witness: Witness, *seqs: int) -> None:
    for seq in seqs:
        witness.sent(
            {"type": "message", "msgId": f"client-{seq}", "room": ROOM, "payload": {"text": str(seq)}}
        )


def hear(witness: Witness, *seqs: int) -> None:
    for seq in seqs:
        witness.received(event(seq))


class Scene:
    """Ada has said three things that were acknowledged, and heard them; Bob has joined at the start."""

    def __init__(self) -> None:
        self.checker = Checker()
        self.ada = self.checker.witness("ada", user=ADA)
        self.bob = self.checker.witness("bob", user="u2")
        join(self.ada, joined(0))
        join(self.bob, joined(0))
        say(self.ada, 1, 2, 3)
        hear(self.ada, 1, 2, 3)
        for seq in (1, 2, 3):
            self.ada.received(ack(seq))

    def found(self, flaw: str) -> bool:
        """Something was found, and it is this."""
        flaws = self.checker.flaws()
        return bool(flaws) and all(flaw in line for line in flaws)


@pytest.fixture
def scene() -> Scene:
    return Scene()


# ---- nothing to find ----


def test_whole_streams_have_no_flaw(scene: Scene) -> None:
    hear(scene.bob, 1, 2, 3)

    assert (scene.checker.flaws(), scene.checker.gaps()) == ([], [])
    assert (scene.bob.heard(ROOM), scene.checker.head(ROOM)) == (3, 3)


def test_whoever_joins_later_hears_from_there(scene: Scene) -> None:
    hear(scene.bob, 1, 2, 3)
    cid = scene.checker.witness("cid")
    join(cid, joined(2, [event(1), event(2)]))
    hear(cid, 3)

    assert scene.checker.flaws() == []


def test_a_recovery_goes_on_where_the_stream_was_cut(scene: Scene) -> None:
    hear(scene.bob, 1)
    scene.bob.cut()
    join(scene.bob, joined(3, [event(2), event(3)], recovered=True), **scene.bob.since(ROOM) or {})

    assert (scene.checker.flaws(), scene.checker.gaps()) == ([], [])
    assert (scene.bob.heard(ROOM), scene.bob.replays) == (3, 2)


def test_whoever_was_cut_or_left_need_not_be_where_the_others_are(scene: Scene) -> None:
    hear(scene.bob, 1)
    scene.bob.sent({"type": "exit", "msgId": "the-exit", "room": ROOM})
    scene.bob.received({"type": "ack", "replyTo": "the-exit", "payload": {}})
    cid = scene.checker.witness("cid")
    join(cid, joined(1))
    cid.cut()

    assert scene.checker.flaws() == []


def test_a_repetition_is_answered_as_the_first_was(scene: Scene) -> None:
    hear(scene.bob, 1, 2, 3)
    say(scene.ada, 2)
    scene.ada.received(ack(2, duplicate=True))

    assert scene.checker.flaws() == []
    assert scene.checker.repetitions == 1


def test_a_repetition_on_another_connection_may_have_the_first_ack(scene: Scene) -> None:
    scene.bob.cut()
    say(scene.ada, 4)
    scene.ada.cut()  # with its ack
    join(scene.ada, joined(4, [event(4)], recovered=True), epoch=EPOCH, seq=3)
    say(scene.ada, 4)
    scene.ada.received(ack(4, duplicate=True))

    assert scene.checker.flaws() == []


def test_a_message_may_be_known_by_its_ack_before_it_is_heard(scene: Scene) -> None:
    scene.bob.cut()
    say(scene.ada, 4)
    scene.ada.received(ack(4))
    hear(scene.ada, 4)

    assert scene.checker.flaws() == []


def test_an_edited_message_is_still_the_same(scene: Scene) -> None:
    hear(scene.bob, 1)
    scene.bob.cut()
    changed = [event(2, payload={"text": "better"}, changed=9), event(3, payload={}, deleted=True)]
    join(scene.bob, joined(3, changed, recovered=True), epoch=EPOCH, seq=1)

    assert scene.checker.flaws() == []


def test_what_was_said_to_one_user_is_followed_too() -> None:
    checker = Checker()
    ada, room = checker.witness("ada", user=ADA), direct_room(ADA, "u2")
    ada.sent({"type": "direct", "msgId": "client-1", "payload": {"to": "u2", "body": {"text": "1"}}})
    ada.received({"type": "room.added", "payload": {"room": room, "epoch": EPOCH, "seq": 0}})
    ada.received(event(1, room=room))
    ada.received(ack(1, room=room))

    assert checker.flaws() == []
    assert len(checker.acked) == 1


def test_a_client_learns_from_welcome_who_it_is() -> None:
    guest = Checker().witness("guest")

    guest.received({"type": "welcome", "payload": {"user": {"id": "guest-1", "name": "Guest"}}})

    assert guest.user == "guest-1"


# ---- what is told is no flaw, and is counted ----


@pytest.mark.parametrize(
    "told",
    [
        {
            "type": "reset",
            "payload": {"room": ROOM, "epoch": "second", "seq": 9, "reason": "history is gone"},
        },
        joined(3, [event(1), event(3)]),
        joined(9, epoch="second"),
    ],
)
def test_a_gap_that_is_told_is_no_flaw(scene: Scene, told: Frame) -> None:
    hear(scene.bob, 1)
    join(scene.bob, told, epoch=EPOCH, seq=1)

    assert scene.checker.flaws() == []
    assert len(scene.checker.gaps()) == 1


# ---- faults between receivers ----


@pytest.mark.parametrize(
    ("seqs", "flaw"),
    [
        ([1, 3], "3 after 1"),
        ([1, 2, 2, 3], "2 after 2"),
        ([2, 3], "2 after 0"),
        ([1, 2, 3, 1], "1 after 3"),
        ([1, 2], "stopped at 2, others are at 3"),
    ],
)
def test_a_hole_a_double_and_a_stream_that_ends_early_are_found(
    scene: Scene, seqs: list[int], flaw: str
) -> None:
    hear(scene.bob, *seqs)

    assert any(flaw in line and "bob" in line for line in scene.checker.flaws())


def test_another_order_than_others_had_is_found(scene: Scene) -> None:
    hear(scene.bob, 1)
    scene.bob.received({**event(3), "seq": 2})
    scene.bob.received({**event(2), "seq": 3})

    assert any("bob: number 2 of general is" in line for line in scene.checker.flaws())


@pytest.mark.parametrize(
    "other",
    [{"msgId": "other"}, {"sender": {"id": "u9", "name": "X"}}, {"timestamp": 9.0}, {"type": "notice"}],
)
def test_another_event_under_the_same_number_is_found(scene: Scene, other: Frame) -> None:
    hear(scene.bob, 1)
    scene.bob.received(event(2, **other))
    hear(scene.bob, 3)

    assert scene.found("bob: number 2 of general is")


def test_another_text_is_found(scene: Scene) -> None:
    hear(scene.bob, 1)
    scene.bob.received(event(2, payload={"text": "torn"}))
    hear(scene.bob, 3)

    assert scene.found("bob: number 2 of general says")


def test_an_event_of_a_room_that_this_client_is_not_in_is_found(scene: Scene) -> None:
    hear(scene.bob, 1)
    scene.bob.cut()
    hear(scene.bob, 2)

    assert scene.found("bob: number 2 of general came while this client was not in it")


def test_an_event_after_a_reset_is_found(scene: Scene) -> None:
    scene.bob.received({"type": "reset", "payload": {"room": ROOM, "epoch": EPOCH, "seq": 3, "reason": "x"}})
    hear(scene.bob, 1)

    assert scene.found("came while this client was not in it")


def test_a_message_that_nobody_sent_is_found(scene: Scene) -> None:
    scene.bob.cut()
    scene.ada.received(event(4))

    assert scene.found("was never sent")


def test_a_message_that_is_stored_twice_is_found(scene: Scene) -> None:
    scene.bob.cut()
    scene.ada.received(event(4, clientMsgId="client-2"))

    assert scene.found("is stored twice, as 2 and as 4")


# ---- faults of acks ----


def test_an_acked_message_that_nobody_saw_is_found(scene: Scene) -> None:
    hear(scene.bob, 1, 2, 3)
    say(scene.ada, 4)
    scene.ada.received(ack(4))

    assert scene.found("was acked as 4: lost")


@pytest.mark.parametrize("other", [{"msgId": "other"}, {"timestamp": 9.0}, {"seq": 2}])
def test_an_ack_that_names_another_event_is_found(scene: Scene, other: Frame) -> None:
    scene.bob.cut()
    say(scene.ada, 4)
    hear(scene.ada, 4)
    scene.ada.received(ack(4, **other))

    assert scene.found("is another event")


@pytest.mark.parametrize("other", [{"msgId": "other"}, {"seq": 4}, {"timestamp": 9.0}])
def test_a_repetition_that_is_answered_otherwise_is_found(scene: Scene, other: Frame) -> None:
    hear(scene.bob, 1, 2, 3)
    say(scene.ada, 2)
    scene.ada.received(ack(2, duplicate=True, **other))

    assert scene.found("was acked as")


def test_two_acks_as_if_for_the_first_time_are_found(scene: Scene) -> None:
    hear(scene.bob, 1, 2, 3)
    say(scene.ada, 2)
    scene.ada.received(ack(2))

    assert scene.found("acked twice as if for the first time")


def test_an_ack_of_what_was_not_sent_is_found(scene: Scene) -> None:
    hear(scene.bob, 1, 2, 3)
    scene.bob.received(ack(2))

    assert scene.found("which this connection did not send")


# ---- recoveries that pretend ----


@pytest.mark.parametrize(
    ("messages", "keys", "since"),
    [
        ([3], {}, 1),
        ([2], {}, 1),
        ([], {}, 1),
        ([2, 3, 3], {}, 1),
        ([3, 2], {}, 1),
        ([1, 2, 3], {}, 1),
        ([2, 3], {"epoch": "second"}, 1),
        ([], {}, 4),
    ],
    ids=["hole", "end missing", "nothing", "double", "order", "too much", "another epoch", "from the future"],
)
def test_a_recovery_that_pretends_is_found(
    scene: Scene, messages: list[int], keys: Frame, since: int
) -> None:
    scene.bob.cut()
    answer = joined(3, [event(seq) for seq in messages], recovered=True, **keys)
    join(scene.bob, answer, epoch=EPOCH, seq=since)

    assert any("bob: recovered general" in line for line in scene.checker.flaws())


def test_a_recovery_that_nobody_asked_for_is_found(scene: Scene) -> None:
    scene.bob.cut()
    join(scene.bob, joined(3, recovered=True))

    assert scene.found("bob: recovered general in first at 3, asked for None")


@pytest.mark.parametrize("messages", [[2, 1], [1, 1], [3, 4]])
def test_a_page_that_is_no_page_is_found(scene: Scene, messages: list[int]) -> None:
    scene.bob.cut()
    say(scene.ada, 4)
    join(scene.bob, joined(3, [event(seq) for seq in messages]))

    assert any("bob: a page of general up to 3 has" in line for line in scene.checker.flaws())


# ---- beside the store ----


async def store_with(*texts: int, bounds: Bounds | None = None) -> MemoryStore:
    store = MemoryStore()
    await store.start("test", bounds or Bounds())
    await store.create_room(Room(ROOM, "", 0))
    store._rooms[ROOM].epoch = EPOCH
    for n in texts:
        payload = b'{"text":"%d"}' % n
        key = (ADA, f"client-{n}")
        await store.append(
            [Draft(ROOM, "message", payload, f"server-{n}", float(n), Sender(ADA, "Ada"), key)]
        )
    return store


async def test_a_store_that_has_what_was_heard_has_no_flaw(scene: Scene) -> None:
    hear(scene.bob, 1, 2, 3)

    await scene.checker.read(await store_with(1, 2, 3), ROOM)

    assert scene.checker.flaws() == []


async def test_what_was_trimmed_is_not_lost() -> None:
    checker = Checker()
    ada = checker.witness("ada", user=ADA)
    say(ada, 1)
    ada.received(ack(1))

    await checker.read(await store_with(*range(1, 30), bounds=Bounds(history_max=2)), ROOM)

    assert not [flaw for flaw in checker.flaws() if "lost" in flaw]


async def lost_its_end(store: MemoryStore) -> None:
    del store._rooms[ROOM].events[2:]
    store._rooms[ROOM].seq = 2


async def has_a_hole(store: MemoryStore) -> None:
    del store._rooms[ROOM].events[1]


async def is_another_past(store: MemoryStore) -> None:
    await store.renew_epoch(ROOM, EPOCH)


@pytest.mark.parametrize(
    ("harm", "flaw"),
    [
        (lost_its_end, "was acked as 3: lost"),
        (lost_its_end, "3 was shown in general, the store ends at 2"),
        (has_a_hole, "the store has 3 after 1"),
        (is_another_past, "an epoch that the store no longer has"),
    ],
)
async def test_a_store_that_lost_something_is_found(
    scene: Scene, harm: Callable[[MemoryStore], Any], flaw: str
) -> None:
    hear(scene.bob, 1, 2, 3)
    store = await store_with(1, 2, 3)
    await harm(store)

    await scene.checker.read(store, ROOM)

    assert any(flaw in line for line in scene.checker.flaws()), scene.checker.flaws()


async def test_a_store_that_ends_before_its_head_is_found(scene: Scene) -> None:
    store = await store_with(1, 2, 3)
    store._rooms[ROOM].seq = 5

    await scene.checker.read(store, ROOM)

    assert any("ends at 3 in general, its head is 5" in line for line in scene.checker.flaws())
