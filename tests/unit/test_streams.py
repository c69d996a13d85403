"""The checker of streams finds what it is there to find."""

from __future__ import annotations

import pytest

from sanic_chatrooms.protocol import frame
from tests.support.streams import Frame, Stream, flaws, split_frames


def _event(seq: int, client_msg_id: str = "", msg_id: str = "") -> Frame:
    return {"seq": seq, "msgId": msg_id or f"server-{seq}", "clientMsgId": client_msg_id or f"client-{seq}"}


def _stream(receiver: str, seqs: list[int], **events: Frame) -> Stream:
    stream = Stream(receiver, "r")
    stream.joined({"epoch": "e", "seq": 0, "recovered": False, "messages": []})
    for seq in seqs:
        stream.heard(events.get(f"at{seq}", _event(seq)))
    return stream


ACKED = {f"client-{seq}": ("r", seq) for seq in (1, 2, 3)}


def test_whole_streams_have_no_flaw() -> None:
    assert flaws([_stream("ada", [1, 2, 3]), _stream("bob", [1, 2, 3])], ACKED) == []


@pytest.mark.parametrize(
    ("seqs", "events", "flaw"),
    [
        ([1, 3], {}, "3 after 1"),
        ([1, 2, 2, 3], {}, "2 after 2"),
        ([1, 3, 2], {}, "2 after 3"),
        ([1, 2], {}, "stopped at 2"),
        ([1, 2, 3], {"at2": _event(2, msg_id="other")}, "another event"),
        ([1, 2, 3], {"at3": _event(3, "client-2")}, "one message 2 times"),
        ([1, 2, 3], {"at2": _event(2, "client-9")}, "acked as 2, heard as None"),
    ],
)
def test_a_broken_stream_is_found(seqs: list[int], events: dict[str, Frame], flaw: str) -> None:
    found = flaws([_stream("ada", [1, 2, 3]), _stream("bob", seqs, **events)], ACKED)

    assert any(flaw in line and "bob" in line for line in found), found


def test_recovery_goes_on_where_the_stream_was_cut() -> None:
    stream = _stream("ada", [1])
    stream.joined({"epoch": "e", "seq": 3, "recovered": True, "messages": [_event(2), _event(3)]})

    assert flaws([stream], ACKED) == []


@pytest.mark.parametrize(
    ("recovered", "seqs", "flaw"),
    [(False, [], "not recovered"), (True, [3], "3 after 1"), (True, [2], "the ack says 3")],
)
def test_recovery_that_pretends_is_found(recovered: bool, seqs: list[int], flaw: str) -> None:
    stream = _stream("ada", [1])
    messages = [_event(seq) for seq in seqs]
    stream.joined({"epoch": "e", "seq": 3, "recovered": recovered, "messages": messages})

    assert any(flaw in line for line in flaws([stream], {})), stream.wrong


def test_frames_of_every_length_are_split() -> None:
    values = [{"text": "x" * size} for size in (1, 200, 70_000)]

    data = b"".join(frame(b'{"text":"' + value["text"].encode() + b'"}') for value in values)

    assert split_frames(data) == values
