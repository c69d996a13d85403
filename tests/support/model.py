"""A chat of two workers against a model of it: what everybody sees is what was said, whatever happens in between.

The model knows the members and the log of each room. Clients come, say, repeat, edit, delete, vanish and come back, on
either worker; envelopes are lost, the store fails for a moment or does not say what it did, workers start again, rooms are made anew or
get another epoch. After that the view of each client (what its join showed, and the events since) is what a client sees
that joins afresh, both are what the model says, and the checker has found nothing.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, ClassVar, TypeVar
from unittest.mock import patch

from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from sanic_chatrooms import User
from sanic_chatrooms.brokers.memory import MemoryBus
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.hub import journal, repair
from sanic_chatrooms.models import PRIVATE, PUBLIC, Scope
from sanic_chatrooms.presence.memory import MemoryBoard
from sanic_chatrooms.stores.base import Bounds, Store
from sanic_chatrooms.support.ids import new_id
from sanic_chatrooms.testing import Checker
from sanic_chatrooms.verbs.membership import add_member, remove_member
from sanic_chatrooms.verbs.rooms import create, delete
from tests.support.model_cast import Client, Frame, ModelRoom, Worker, again

__all__ = ["ChatModel", "explore"]

T = TypeVar("T")

USERS = [User(f"u{n}", f"User {n}") for n in range(3)]
QUIET, LOUD, CLOSED = "quiet", "loud", "closed"
"""A public room, one that announces who joins and leaves, and a private one."""
READS = ("heads", "history", "room", "rooms_about", "fact", "about_each", "set_fact")

picks = st.integers(0, 1000)
workers = st.integers(0, 1)
users = st.sampled_from(USERS)
rooms = st.sampled_from((QUIET, LOUD, CLOSED))


class ChatModel(RuleBasedStateMachine):
    """See the module. A subclass sets `make`."""

    make: ClassVar[Callable[[], Store]]
    """A store that was not started. Those of one run are those of several processes over the same data."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=asyncio.SelectorEventLoop)
        self.run: Callable[[Coroutine[Any, Any, Any]], Any] = self.runner.run
        self.checker = Checker()
        self.rooms = {room: ModelRoom(announced=room != QUIET) for room in (QUIET, LOUD, CLOSED)}
        # Five clients of three users: two of them have two connections.
        self.clients = [
            Client(user, self.checker.witness(f"client {n}", user=user.id))
            for n, user in enumerate((USERS * 2)[:5])
        ]
        self.excused = False
        """An epoch ended, so some were told of a gap."""

    # ---- the stage ----

    @initialize()
    def begin(self) -> None:
        self.run(self._begin())

    async def _begin(self) -> None:
        self.instance = f"model_{secrets.token_hex(8)}"
        self.bus, self.board = MemoryBus(), MemoryBoard()
        self.store = type(self).make()
        if self.store.scope is not Scope.PROCESS:
            await self.store.start(self.instance, Bounds())  # the model's own look at what is stored
        self.workers = [await self._new_worker() for _ in range(2)]
        core = self.workers[0].chat.core
        await create(core, None, QUIET)
        await create(core, None, LOUD, announce=True)
        await create(core, None, CLOSED, visibility=PRIVATE)
        for client, worker in zip(self.clients, [0, 1, 0, 1, 0], strict=True):
            await client.connect(self.workers[worker])
            await self._join(client, QUIET)
            await self._join(client, LOUD)

    async def _new_worker(self) -> Worker:
        store = self.store if self.store.scope is Scope.PROCESS else type(self).make()
        worker = Worker(self.instance, store, self.bus, self.board)
        await worker.start()
        return worker

    def teardown(self) -> None:
        if hasattr(self, "workers"):
            try:
                self.run(self._compare())
            finally:
                self.run(self._end())
        self.runner.close()

    async def _end(self) -> None:
        for worker in self.workers:
            worker.store.mend()
            await worker.stop()
        if self.store.scope is not Scope.PROCESS:
            await self.store.stop()

    # ---- whom a rule picks ----

    def _seats(self) -> list[tuple[Client, str]]:
        return [(client, room) for client in self.clients for room in self.rooms if client.is_in(room)]

    def _doors(self) -> list[tuple[Client, str]]:
        return [(c, room) for c in self.clients if c.connected for room in self.rooms if not c.is_in(room)]

    def _absent(self) -> list[Client]:
        return [client for client in self.clients if not client.connected]

    # ---- coming and going ----

    @rule(pick=picks, w=workers)
    def come_back(self, pick: int, w: int) -> None:
        for client in _picked(self._absent(), pick):
            self.run(self._come_back(client, self.workers[w]))

    async def _come_back(self, client: Client, worker: Worker) -> None:
        """To every room where it was, from where it was."""
        await client.connect(worker)
        for room in self.rooms:
            if client.witness.since(room):
                await self._join(client, room)

    @rule(pick=picks, history=st.sampled_from((0, 2, 200)), fresh=st.booleans())
    def join(self, pick: int, history: int, fresh: bool) -> None:
        for client, room in _picked(self._doors(), pick):
            self.run(self._join(client, room, history=history, fresh=fresh))

    @rule(pick=picks, history=st.sampled_from((0, 2, 200)), fresh=st.booleans())
    def joinagain(self, pick: int, history: int, fresh: bool) -> None:
        for client, room in _picked(self._seats(), pick):
            self.run(self._join(client, room, history=history, fresh=fresh))

    async def _join(self, client: Client, room: str, *, history: int = 200, fresh: bool = False) -> None:
        model = self.rooms[room]
        since = None if fresh else client.witness.since(room)
        head = (await self.store.heads([room]))[room]
        payload = {"history": history, **({"since": since} if since else {})}
        answer = await client.ask("join", room=room, payload=payload)
        if room == CLOSED and client.user.id not in model.members:
            assert answer["payload"]["code"] == "room_not_found", answer
            return
        before = len(model.log)
        model.joined(client.user.id)
        ack = answer["payload"]
        assert answer["type"] == "ack", answer
        assert before <= ack["seq"] <= len(model.log)
        assert ack["epoch"] == head.epoch
        assert ack["recovered"] is (since is not None and since["epoch"] == head.epoch)

    @rule(pick=picks)
    def exit(self, pick: int) -> None:
        for client, room in _picked(self._seats(), pick):
            assert self.run(client.ask("exit", room=room))["type"] == "ack"

    @rule(pick=picks)
    def leave(self, pick: int) -> None:
        for client, room in _picked(self._seats(), pick):
            answer = self.run(client.ask("leave", room=room))
            # Repeated where it was not known to be done, and it was: to a private room that is like any stranger's.
            assert answer["type"] == "ack" or (
                room == CLOSED and answer["payload"]["code"] == "room_not_found"
            )
            self.rooms[room].left(client.user.id)
            self.run(self._see_out(client.user.id, room))

    async def _see_out(self, user: str, room: str) -> None:
        """Every connection of the user is taken out of the room."""
        await self._level()
        assert not [c.witness.name for c in self.clients if c.user.id == user and c.is_in(room)]

    @rule(pick=picks)
    def vanish(self, pick: int) -> None:
        for client, _ in _picked(self._seats(), pick):
            self.run(self._vanish(client))

    async def _vanish(self, client: Client) -> None:
        client.look()
        assert client.connection is not None
        client.connection.disconnect()

    @rule(pick=picks, w=workers, turns=st.integers(0, 3))
    def vanish_while_saying(self, pick: int, w: int, turns: int) -> None:
        for client, room in _picked(self._seats(), pick):
            self.run(self._vanish_while_saying(client, room, self.workers[w], turns))

    async def _vanish_while_saying(self, client: Client, room: str, worker: Worker, turns: int) -> None:
        assert client.connection is not None
        msg_id = client.connection.send("message", room=room, payload={"text": "did it arrive?"})
        for _ in range(turns):
            await asyncio.sleep(0)
        client.look()
        client.connection.disconnect()
        await client.connect(worker)
        # Its message may be stored before, during or after the join: only the repetition tells.
        answer = await client.ask("join", room=room, payload={"since": client.witness.since(room)})
        assert answer["payload"].get("recovered"), answer
        await self._say(client, room, "did it arrive?", msg_id=msg_id)

    # ---- saying ----

    @rule(pick=picks, text=st.sampled_from("abc"))
    def say(self, pick: int, text: str) -> None:
        for client, room in _picked(self._seats(), pick):
            self.run(self._say(client, room, text))

    async def _say(self, client: Client, room: str, text: str, *, msg_id: str | None = None) -> None:
        msg_id = msg_id or new_id()
        answer = await client.ask("message", room=room, payload={"text": text}, msg_id=msg_id)
        self._was_said(client, room, text, answer)

    def _was_said(self, client: Client, room: str, text: str, answer: Frame) -> None:
        model = self.rooms[room]
        assert answer["type"] == "ack", answer
        model.log.append(("message", client.user.id, text))
        assert answer["payload"]["seq"] == len(model.log)
        model.said.append((client.user.id, answer["replyTo"], text, len(model.log)))
        model.ids[len(model.log)] = answer["payload"]["msgId"]

    @rule(pick=picks, times=st.integers(1, 3), fresh=st.booleans())
    def all_others_say_while_one_joins(self, pick: int, times: int, fresh: bool) -> None:
        for joiner, room in _picked(self._seats(), pick):
            self.run(self._say_while_one_joins(joiner, room, times, fresh))

    async def _say_while_one_joins(self, joiner: Client, room: str, times: int, fresh: bool) -> None:
        speakers = [client for client in self.clients if client.is_in(room) and client is not joiner] * times
        since = None if fresh else joiner.witness.since(room)
        _, *answers = await asyncio.gather(
            joiner.ask("join", room=room, payload={"since": since} if since else {}),
            *(
                client.ask("message", room=room, payload={"text": str(n)})
                for n, client in enumerate(speakers)
            ),
        )
        said = zip(answers, range(len(speakers)), speakers, strict=True)
        for answer, n, client in sorted(said, key=lambda one: one[0]["payload"]["seq"]):
            self._was_said(client, room, str(n), answer)

    @rule(pick=picks, which=picks)
    def repeat(self, pick: int, which: int) -> None:
        for client, room in _picked(self._seats(), pick):
            said = [one for one in self.rooms[room].said if one[0] == client.user.id]
            for _, msg_id, text, seq in _picked(said, which):
                answer = self.run(client.ask("message", room=room, payload={"text": text}, msg_id=msg_id))
                assert (answer["payload"]["seq"], answer["payload"]["duplicate"]) == (seq, True)

    # ---- changing ----

    @rule(pick=picks, which=picks, text=st.sampled_from("xyz"))
    def edit(self, pick: int, which: int, text: str) -> None:
        for client, room in _picked(self._seats(), pick):
            for seq, id in _picked(self._own(client, room), which):
                self._changes(client, room, seq, "edit", {"msgId": id, "body": {"text": text}}, text)

    @rule(pick=picks, which=picks)
    def delete(self, pick: int, which: int) -> None:
        for client, room in _picked(self._seats(), pick):
            for seq, id in _picked(self._own(client, room), which):
                self._changes(client, room, seq, "delete", {"msgId": id}, "")
                del self.rooms[room].ids[seq]

    def _own(self, client: Client, room: str) -> list[tuple[int, str]]:
        model = self.rooms[room]
        return [(seq, id) for seq, id in model.ids.items() if model.log[seq - 1][1] == client.user.id]

    def _changes(self, client: Client, room: str, seq: int, verb: str, payload: Frame, text: str) -> None:
        model = self.rooms[room]
        answer = self.run(client.ask(f"message.{verb}", room=room, payload=payload))
        assert answer["type"] == "ack", answer
        model.log[seq - 1] = ("message", client.user.id, text)
        model.log.append((f"message.{verb}", client.user.id, ""))
        assert answer["payload"]["seq"] == len(model.log)

    # ---- the app ----

    @rule(user=users, w=workers)
    def app_adds(self, user: User, w: int) -> None:
        core = self.workers[w].chat.core
        self.run(again(lambda: add_member(core, CLOSED, user)))
        self.rooms[CLOSED].joined(user.id)

    @rule(user=users, w=workers, room=rooms)
    def app_removes(self, user: User, w: int, room: str) -> None:
        core = self.workers[w].chat.core
        self.run(again(lambda: remove_member(core, room, user)))
        self.rooms[room].left(user.id, removed=True)
        self.run(self._see_out(user.id, room))

    @rule(w=workers)
    def room_is_made_anew(self, w: int) -> None:
        self.run(self._make_anew(self.workers[w].chat))

    async def _make_anew(self, chat: Chat) -> None:
        await self._compare()
        for key in [key for key in self.checker.acked if key.room == QUIET]:
            del self.checker.acked[key]  # it was kept until now, and goes with its room
        await again(lambda: delete(chat.core, QUIET))
        await again(lambda: create(chat.core, None, QUIET, visibility=PUBLIC))
        await self._level()
        self.rooms[QUIET] = ModelRoom(announced=False)
        self.excused = True

    # ---- faults ----

    @rule(w=workers, count=st.integers(1, 3))
    def envelopes_are_lost(self, w: int, count: int) -> None:
        self.workers[w].broker.lose_next(count)

    @rule(w=workers, verb=st.sampled_from(READS), count=st.integers(1, 2))
    def store_fails(self, w: int, verb: str, count: int) -> None:
        self.workers[w].store.fail_next(count, verb)

    @rule(w=workers)
    def store_does_not_say_what_it_did(self, w: int) -> None:
        self.workers[w].store.unknown_outcome_next()

    @rule(w=workers)
    def worker_startsagain(self, w: int) -> None:
        self.run(self._startagain(w))

    async def _startagain(self, w: int) -> None:
        self._look()
        self.workers[w].store.mend()
        await self.workers[w].stop()
        self.workers[w] = await self._new_worker()

    @rule(room=rooms)
    def epoch_is_renewed(self, room: str) -> None:
        self.run(self._renew(room))

    async def _renew(self, room: str) -> None:
        await self._level()
        await self.store.renew_epoch(room, (await self.store.heads([room]))[room].epoch)
        await self._level()
        self._look()
        assert not [client.witness.name for client in self.clients if client.is_in(room)]
        self.excused = True

    # ---- verdicts ----

    @rule()
    def compare(self) -> None:
        self.run(self._compare())

    async def _compare(self) -> None:
        await self._level()
        self._look()
        for client in self.clients:
            for room in self.rooms:
                if client.is_in(room):
                    await self._compare_view(client, room)
        for room in self.rooms:
            # What was acked may have been seen by nobody: all may have gone before they heard of it.
            await self.checker.read(self.store, room)
        assert self.checker.flaws() == [], self.checker.flaws()
        assert self.excused or self.checker.gaps() == [], self.checker.gaps()

    async def _compare_view(self, client: Client, room: str) -> None:
        """What this client shows is what one sees that joins afresh, on the other worker, and what was said."""
        fresh = Client(client.user, Checker().witness("fresh"))
        await fresh.connect(self.workers[1])
        await fresh.ask("join", room=room, payload={"history": 200})
        fresh.look()
        view, anew = client.views[room], fresh.views[room]
        assert anew.lines == self.rooms[room].timeline
        assert view.lines == {seq: line for seq, line in anew.lines.items() if seq >= view.first}
        assert fresh.connection is not None
        fresh.connection.disconnect()

    async def _level(self) -> None:
        for worker in self.workers:
            await worker.level()
        for client in self.clients:
            if client.connected and client.connection is not None:
                await client.connection.settle()

    def _look(self) -> None:
        for client in self.clients:
            if client.connection is not None:
                client.look()


def _picked(things: Sequence[T], pick: int) -> Sequence[T]:
    """One of them, or none. No precondition: what there is depends on time, and hypothesis must not."""
    return [things[pick % len(things)]] if things else []


def explore(machine: type[ChatModel], *, examples: int, steps: int, number: int | None = None) -> None:
    """Let hypothesis drive it. What never comes by itself here is waited for shortly.

    All that is chosen follows from one number: `number`, else the variable MODEL_SEED, else any. A failure tells it, and
    with it the same run fails again.
    """
    number = number or int(os.environ.get("MODEL_SEED") or secrets.randbelow(2**32) or 1)
    with (
        patch.object(repair, "GAP_WAIT", 0.001),
        patch.object(repair, "RETRY_LONGEST", 0.001),
        patch.object(journal, "RETRY_WAIT", 0.001),
    ):
        try:
            run_state_machine_as_test(
                seed(number)(machine),
                settings=settings(
                    max_examples=examples,
                    stateful_step_count=steps,
                    deadline=None,
                    database=None,  # what failed before is no part of what the number says
                    suppress_health_check=list(HealthCheck),
                ),
            )
        except BaseException as failure:
            failure.add_note(f"the same again: MODEL_SEED={number}")
            raise
