"""Records what clients send and receive, and checks the promises of the protocol (Delivery).

    checker = Checker()
    ada = checker.witness("ada", user="u1")
    ada.sent({"type": "join", "msgId": …, "room": "general", "payload": {"since": ada.since("general")}})
    ada.received({"type": "ack", …})             # every frame of every connection, in the order of its arrival
    ada.cut()                                    # the connection is gone; the next one carries on
    await checker.read(store, "general")         # optional: hold what the store shows beside it
    assert checker.flaws() == []

It proves that no acknowledged message is lost and none is stored twice, that a repetition is answered as the first
was, that all receivers of a room hear one order without a hole, and that a recovery is whole. It knows nothing of
servers: frames may come from any client, over any network, from any number of processes. It needs memory for each
event once, not for each receiver.
"""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..models import Event, direct_room
from ..stores.base import Store
from ..wire.encode import encode_event

__all__ = ["Checker", "Witness"]

Frame = dict[str, Any]
PAGE = 200


class _Seen(NamedTuple):
    """An event, as the first client received it."""

    msg_id: str
    type: str
    timestamp: float
    sender: str
    client_msg_id: str
    payload: str
    """Empty where a later edit or deletion may have changed it."""


class _Key(NamedTuple):
    """Identifies a command and its repetitions."""

    room: str
    user: str
    msg_id: str


class _Kept(NamedTuple):
    """The part of a room that the store has: everything above `floor`, up to `head`."""

    epoch: str
    floor: int
    head: int


class _Stream:
    """One receiver in one room, from a join on."""

    __slots__ = ("epoch", "heard", "open", "seq")

    def __init__(self, epoch: str, seq: int) -> None:
        self.epoch = epoch
        self.seq = seq
        self.heard = 0
        self.open = True


class Checker:
    """Compares the records of all witnesses with the promises of the protocol."""

    def __init__(self) -> None:
        self.witnesses: list[Witness] = []
        self.acked: dict[_Key, Frame] = {}
        """The first ack of each command: its payload, without `duplicate`."""
        self.repetitions = 0
        """The number of acks with `duplicate`."""
        self._found: list[str] = []
        self._told: list[str] = []
        self._sent: set[_Key] = set()
        self._firsts: set[_Key] = set()
        self._seen: dict[tuple[str, str], dict[int, _Seen]] = {}
        self._spoken: dict[tuple[str, str, str, str], int] = {}
        self._stored: dict[str, _Kept] = {}

    def witness(self, name: str, *, user: str | None = None) -> "Witness":
        """Add a client. `user`: the id of its user; by default the one in `welcome`."""
        witness = Witness(self, name, user)
        self.witnesses.append(witness)
        return witness

    async def read(self, store: Store, room: str) -> None:
        """Read a room from the store. Everything that was acknowledged must be there, unless it was trimmed."""
        page = await store.history(room, after=0, limit=PAGE)
        epoch, floor, last = page.epoch, page.floor, page.floor
        while True:
            for event in page.events:
                if event.seq != last + 1:
                    self.found(f"the store has {event.seq} after {last} in {room}")
                last = event.seq or 0
                self.saw("the store", room, epoch, _frame(event))
            if not page.more:
                break
            page = await store.history(room, after=last, limit=PAGE)
        if last != page.seq:
            self.found(f"the store ends at {last} in {room}, its head is {page.seq}")
        self._stored[room] = _Kept(epoch, floor, page.seq)

    # ---- verdicts ----

    def flaws(self) -> list[str]:
        """Everything that breaks the protocol's promises, as sentences. An empty list means that all is well.

        Call this when all commands are answered: all clients that are still in a room must then be at the same position.
        """
        return [*self._found, *self._lost(), *self._unstored(), *self._behind()]

    def gaps(self) -> list[str]:
        """Where a client was told that it may have missed events: `reset`, or `recovered: false`.

        A gap is not a flaw, because the client knows of it. But without trimming, restores and deletions there should be none.
        """
        return list(self._told)

    def head(self, room: str) -> int:
        """The highest number that any client saw of this room."""
        return max((max(seen, default=0) for (of, _), seen in self._seen.items() if of == room), default=0)

    def _lost(self) -> Iterator[str]:
        for key, ack in self.acked.items():
            seen = self._find(key.room, ack["seq"])
            if not seen:
                if not self._trimmed(key.room, ack["seq"]):
                    yield f"{_said(key)} was acked as {ack['seq']}: lost, nobody saw it"
            elif not any(_answers(ack, key, one) for one in seen):
                yield f"{_said(key)} was acked as {ack}, number {ack['seq']} is another event: {seen}"

    def _unstored(self) -> Iterator[str]:
        for room, kept in self._stored.items():
            shown = max(self._seen.get((room, kept.epoch), ()), default=0)
            if shown > kept.head:
                yield f"{shown} was shown in {room}, the store ends at {kept.head}"

    def _find(self, room: str, seq: int) -> list[_Seen]:
        kept = self._stored.get(room)
        if kept is not None and seq > kept.head:
            return []
        epochs = [epoch for of, epoch in self._seen if of == room] if kept is None else [kept.epoch]
        return [self._seen[room, epoch][seq] for epoch in epochs if seq in self._seen.get((room, epoch), ())]

    def _trimmed(self, room: str, seq: int) -> bool:
        return room in self._stored and seq <= self._stored[room].floor

    def _behind(self) -> Iterator[str]:
        heads = {at: max(seen) for at, seen in self._seen.items() if seen}
        for witness in self.witnesses:
            for room, stream in witness.streams.items():
                if not stream.open:
                    continue
                head = heads.get((room, stream.epoch), 0)
                if stream.seq < head:
                    yield f"{witness.name} in {room}: stopped at {stream.seq}, others are at {head}"
                if room in self._stored and stream.epoch != self._stored[room].epoch:
                    yield f"{witness.name} in {room}: is in an epoch that the store no longer has"

    # ---- what witnesses say ----

    def found(self, flaw: str) -> None:
        """Record a flaw."""
        self._found.append(flaw)

    def gap(self, told: str) -> None:
        """Record that a client was told of a gap."""
        self._told.append(told)

    def said(self, room: str, user: str, msg_id: str) -> None:
        """Record a durable command that was sent, for the first time or again."""
        self._sent.add(_Key(room, user, msg_id))

    def answered(self, who: str, room: str, user: str, msg_id: str, payload: Frame) -> None:
        """Record its ack: {"seq": …, "duplicate": …, …}."""
        key = _Key(room, user, msg_id)
        ack = {name: value for name, value in payload.items() if name != "duplicate"}
        if key not in self._sent:
            self.found(f"{who}: {_said(key)} was acked and never sent")
        first = self.acked.setdefault(key, ack)
        if first != ack:
            self.found(f"{who}: {_said(key)} was acked as {first}, then as {ack}")
        if payload.get("duplicate"):
            self.repetitions += 1
        elif key in self._firsts:
            self.found(f"{who}: {_said(key)} was acked twice as if for the first time")
        else:
            self._firsts.add(key)

    def saw(self, who: str, room: str, epoch: str, event: Frame) -> None:
        """Record a durable event that a client received."""
        seen = self._seen.setdefault((room, epoch), {})
        seq, new = event["seq"], _seen(event)
        old = seen.setdefault(seq, new)
        if old is new:
            self._check_new(who, room, epoch, seq, new)
        elif old[:5] != new[:5]:
            self.found(f"{who}: number {seq} of {room} is {new[:5]}, elsewhere it is {old[:5]}")
        elif old.payload and new.payload and old.payload != new.payload:
            self.found(f"{who}: number {seq} of {room} says {new.payload}, elsewhere {old.payload}")

    def _check_new(self, who: str, room: str, epoch: str, seq: int, event: _Seen) -> None:
        if not event.client_msg_id:
            return
        key = _Key(room, event.sender, event.client_msg_id)
        before = self._spoken.setdefault((epoch, *key), seq)
        if before != seq:
            self.found(f"{who}: {_said(key)} is stored twice, as {before} and as {seq}")
        if key not in self._sent and any(one.user == event.sender for one in self.witnesses):
            self.found(f"{who}: number {seq} of {room} was never sent: {event}")


class Witness:
    """Records one client: its commands and what it received, over all its connections.

    Commands without a `msgId` are ignored, because their acks cannot be identified.
    """

    def __init__(self, checker: Checker, name: str, user: str | None) -> None:
        self.name = name
        self.user = user
        self.streams: dict[str, _Stream] = {}
        self.errors: list[Frame] = []
        """All `error` frames that were received."""
        self.replays = 0
        """The number of events that came by recovery."""
        self._checker = checker
        self._commands: dict[str, Frame] = {}

    def since(self, room: str) -> Frame | None:
        """The position for the next join of the room: {"epoch": …, "seq": …}; None before the first join."""
        stream = self.streams.get(room)
        return None if stream is None else {"epoch": stream.epoch, "seq": stream.seq}

    def heard(self, room: str) -> int:
        """The number of durable events of the room since the first join."""
        stream = self.streams.get(room)
        return 0 if stream is None else stream.heard

    def was_at(self, room: str, epoch: str, seq: int) -> None:
        """Set the position of a client that has been in the room before. The next join may start from there."""
        self._begin(room, epoch, seq)
        self._end(room)

    def sent(self, frame: Frame) -> None:
        """Record a command, and record it again when it is repeated. Call this before the answer can arrive."""
        if "msgId" in frame:
            self._commands[frame["msgId"]] = frame
            self._checker.said(self._room_of(frame), self.user or "", frame["msgId"])

    def received(self, frame: Frame) -> None:
        """Record a frame that was received."""
        type, payload = frame["type"], frame["payload"]
        if "seq" in frame:
            self._hear(frame["room"], frame)
        elif type == "ack":
            self._acked(frame.get("replyTo", ""), payload)
        elif type == "error":
            self.errors.append(frame)
        elif type == "welcome" and self.user is None:
            self.user = payload["user"]["id"]
        elif type == "room.added":
            self._begin(payload["room"], payload["epoch"], payload["seq"])
        elif type in ("reset", "room.removed"):
            self._end(payload["room"])
            if type == "reset":
                self._gap(payload["room"], f"reset: {payload['reason']}")

    def cut(self) -> None:
        """Record the end of the connection. Commands without an answer stay unanswered."""
        self._commands.clear()
        for stream in self.streams.values():
            stream.open = False

    def _room_of(self, command: Frame) -> str:
        if command["type"] == "direct":
            return direct_room(self.user or "", command["payload"]["to"])
        return str(command.get("room", ""))

    # ---- acks ----

    def _acked(self, msg_id: str, payload: Frame) -> None:
        command = self._commands.get(msg_id)
        if "recovered" in payload:
            since = (command or {}).get("payload", {}).get("since")
            self._joined(payload, since)
        elif command is not None and command["type"] in ("exit", "leave"):
            self._end(self._room_of(command))
        elif "duplicate" in payload and "seq" in payload:
            self._stored(msg_id, command, payload)

    def _stored(self, msg_id: str, command: Frame | None, payload: Frame) -> None:
        if command is None:
            if msg_id:
                self._flaw(f"an ack of {msg_id}, which this connection did not send: {payload}")
            return
        self._checker.answered(self.name, self._room_of(command), self.user or "", msg_id, payload)

    def _joined(self, ack: Frame, since: Frame | None) -> None:
        room, old = ack["room"], self.streams.get(ack["room"])
        if ack["recovered"]:
            if since is None or since["epoch"] != ack["epoch"]:
                self._flaw(f"recovered {room} in {ack['epoch']} at {ack['seq']}, asked for {since}")
                since = {"epoch": ack["epoch"], "seq": ack["seq"]}
            self._recover(room, ack, since["seq"])
        else:
            if since is not None:
                self._gap(room, f"not recovered from {since} at {ack['epoch']}, {ack['seq']}")
            self._show(room, ack)
        self._begin(room, ack["epoch"], ack["seq"])
        if old is not None and old.epoch == ack["epoch"]:
            self.streams[room].heard += old.heard

    def _recover(self, room: str, ack: Frame, since: int) -> None:
        numbers = [event.get("seq") for event in ack["messages"]]
        if since > ack["seq"] or numbers != list(range(since + 1, ack["seq"] + 1)):
            self._flaw(f"recovered {room} from {since} to {ack['seq']}, with {numbers}")
        old = self.streams.get(room)
        for event in ack["messages"]:
            self._checker.saw(self.name, room, ack["epoch"], event)
            if old is not None:
                old.heard += event["seq"] > old.seq
        self.replays += len(numbers)

    def _show(self, room: str, ack: Frame) -> None:
        numbers = [event["seq"] for event in ack["messages"]]
        if numbers != sorted(set(numbers)) or any(number > ack["seq"] for number in numbers):
            self._flaw(f"a page of {room} up to {ack['seq']} has {numbers}")
        for event in ack["messages"]:
            self._checker.saw(self.name, room, ack["epoch"], event)

    # ---- events ----

    def _begin(self, room: str, epoch: str, seq: int) -> None:
        self.streams[room] = _Stream(epoch, seq)

    def _end(self, room: str) -> None:
        stream = self.streams.get(room)
        if stream is not None:
            stream.open = False

    def _hear(self, room: str, event: Frame) -> None:
        stream = self.streams.get(room)
        if stream is None or not stream.open:
            self._flaw(f"number {event['seq']} of {room} came while this client was not in it")
            return
        if event["seq"] != stream.seq + 1:
            self._flaw(f"{event['seq']} after {stream.seq} in {room}")
        stream.seq = event["seq"]
        stream.heard += 1
        self._checker.saw(self.name, room, stream.epoch, event)

    def _flaw(self, what: str) -> None:
        self._checker.found(f"{self.name}: {what}")

    def _gap(self, room: str, what: str) -> None:
        self._checker.gap(f"{self.name} in {room}: {what}")


def _frame(event: Event) -> Frame:
    frame: Frame = json.loads(encode_event(event))
    return frame


def _seen(event: Frame) -> _Seen:
    changed = event["type"].startswith("message.") or not event.keys().isdisjoint({"changed", "deleted"})
    return _Seen(
        event["msgId"],
        event["type"],
        event["timestamp"],
        event.get("sender", {}).get("id", ""),
        event.get("clientMsgId", ""),
        "" if changed else json.dumps(event["payload"]),
    )


def _answers(ack: Frame, key: _Key, event: _Seen) -> bool:
    same = (
        ack.get("msgId", event.msg_id) == event.msg_id
        and ack.get("timestamp", event.timestamp) == event.timestamp
    )
    return same and (event.sender, event.client_msg_id) == (key.user, key.msg_id)


def _said(key: _Key) -> str:
    return f"{key.msg_id} of {key.user} in {key.room}"
