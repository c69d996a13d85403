"""What receivers heard of rooms, and whether it is what the protocol promises ("Delivery" 1 to 4)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["Stream", "flaws", "split_frames"]

Frame = dict[str, Any]


class Stream:
    """What one receiver heard of one room since it first entered it, over all its connections."""

    def __init__(self, receiver: str, room: str) -> None:
        self.receiver = receiver
        self.room = room
        self.epoch: str | None = None
        self.first = 0
        self.seq = 0
        """Up to where the receiver has everything."""
        self.events: list[Frame] = []
        self.wrong: list[str] = []

    @property
    def since(self) -> Frame | None:
        """The payload's `since` for the next join; None before the first."""
        return None if self.epoch is None else {"epoch": self.epoch, "seq": self.seq}

    def joined(self, ack: Frame) -> None:
        """An `ack` of join: the first, or a recovery."""
        if self.epoch is None:
            self.epoch, self.first, self.seq = ack["epoch"], ack["seq"], ack["seq"]
        elif not ack["recovered"]:
            self.wrong.append(f"not recovered from {self.seq} at {ack['seq']}")
        else:
            for event in ack["messages"]:
                self.heard(event)
            if self.seq != ack["seq"]:
                self.wrong.append(f"recovered up to {self.seq}, the ack says {ack['seq']}")

    def heard(self, event: Frame) -> None:
        """A durable event, by recovery or live."""
        if event["seq"] != self.seq + 1:
            self.wrong.append(f"{event['seq']} after {self.seq}")
        self.seq = event["seq"]
        self.events.append(event)


def flaws(streams: Iterable[Stream], acked: Mapping[str, tuple[str, int]]) -> list[str]:
    """What is wrong, in words; nothing: every receiver of a room heard the same, whole, and every acked message once.

    `acked`: the clientMsgId of each acknowledged message -> its room and seq.
    """
    found: list[str] = []
    told: dict[tuple[str, int], str] = {}
    heads: dict[str, int] = {}
    streams = list(streams)
    for stream in streams:
        heads[stream.room] = max(heads.get(stream.room, 0), stream.seq)
    for stream in streams:
        who = f"{stream.receiver} in {stream.room}"
        found += [f"{who}: {wrong}" for wrong in stream.wrong]
        if stream.seq != heads[stream.room]:
            found.append(f"{who}: stopped at {stream.seq}, others are at {heads[stream.room]}")
        for event in stream.events:
            other = told.setdefault((stream.room, event["seq"]), event["msgId"])
            if other != event["msgId"]:
                found.append(f"{who}: number {event['seq']} is another event than elsewhere")
        found += [f"{who}: {wrong}" for wrong in _unkept(stream, acked)]
    return found


def _unkept(stream: Stream, acked: Mapping[str, tuple[str, int]]) -> list[str]:
    found = []
    times: dict[str, list[int]] = {}
    for event in stream.events:
        times.setdefault(event.get("clientMsgId", ""), []).append(event["seq"])
    for msg_id, (room, seq) in acked.items():
        if room == stream.room and seq > stream.first and times.get(msg_id) != [seq]:
            found.append(f"acked as {seq}, heard as {times.get(msg_id)}")
    for msg_id, seqs in times.items():
        if msg_id and len(seqs) > 1:
            found.append(f"one message {len(seqs)} times: {seqs}")
    return found


def split_frames(data: bytes) -> list[Frame]:
    """Bytes as a server writes them -> the JSON of each text frame."""
    frames, at = [], 0
    while at < len(data):
        assert data[at] == 0x81, f"no text frame at {at}: {data[at : at + 20]!r}"
        size, at = data[at + 1], at + 2
        if size >= 126:
            width = 2 if size == 126 else 8
            size, at = int.from_bytes(data[at : at + width], "big"), at + width
        frames.append(json.loads(data[at : at + size]))
        at += size
    return frames
