"""All workers of an instance, as one of them knows them.

Those of the same app show each other their counts in a file in memory (`observe/board`), so their figures are there also while the
broker is not. Those on other machines tell theirs by the broker, once a second, while an operator anywhere looks. Every figure has
its age. What only a worker itself knows (a user's connections) it is asked, and whoever does not answer in time is named.
"""

import asyncio
import os
import platform
import time
from collections import Counter
from collections.abc import Callable
from itertools import chain
from typing import Any

import msgspec

from ...chat import Chat
from ...errors import Conflict, InvalidField
from ...models import EVERYONE, OPERATOR, Envelope
from ...observe.board import FRESH
from ...observe.counting import merged
from ...support.ids import new_id
from ...support.tasks import end, keep_on
from ..metrics import Metrics
from .devices import Device, devices_of
from .figures import NOBODY, About, Figures, figures_of

__all__ = ["BUSIEST", "Fleet", "Seen"]

TELL_EVERY = 1.0
"""Seconds."""
LOOKS = 10.0
"""Seconds for which an operator looks who has asked for something."""
COUNT_EVERY, BUSIEST = 2.0, 10
"""Seconds from one count of the connections in rooms to the next, and how many rooms are told: counting takes 50 ns for each."""
FORGOTTEN = 60.0
"""Seconds after which a worker of another app counts as gone that says nothing more."""
MOST = 1_000
"""Workers of other apps that are remembered."""
ANSWERED = 1.0
"""Seconds to wait for answers."""
EACH = 5
"""Devices in one envelope: some brokers take 8,000 bytes."""
MOST_DEVICES = 200
"""Devices of one user that a worker tells of."""


class _Looking(msgspec.Struct, tag="looking"):
    """An operator looks at figures at the worker `by`."""

    by: str


class _Telling(msgspec.Struct, tag="telling"):
    """A worker's figures."""

    figures: Figures


class _Gone(msgspec.Struct, tag="gone"):
    """A worker ends."""

    by: str


class _Asking(msgspec.Struct, tag="asking"):
    """A question: which connections does the user have to you?"""

    id: str
    by: str
    user: str


class _Answering(msgspec.Struct, tag="answering"):
    """A part of an answer. `last`: the worker has told everything."""

    id: str
    by: str
    devices: list[Device]
    last: bool


class _Ordering(msgspec.Struct, tag="ordering"):
    """What a worker has to do: `drain` or `restart`."""

    worker: str
    what: str


_Message = _Looking | _Telling | _Gone | _Asking | _Answering | _Ordering
_decode = msgspec.json.Decoder(_Message).decode
_encode = msgspec.json.Encoder().encode
_about = msgspec.json.Decoder(About).decode


class Seen(msgspec.Struct):
    """A worker's figures, and how old they are, in seconds."""

    age: float
    figures: Figures


class _Question(msgspec.Struct):
    unheard: set[str]
    answered: Any
    devices: list[Device] = []


class Fleet:
    """One per worker. `drain` drains this one, `restart` restarts one of its app by its name; None: nothing would replace it."""

    def __init__(
        self,
        chat: Chat,
        metrics: Metrics,
        name: str,
        drain: Callable[[], None],
        restart: Callable[[str], None] | None,
    ) -> None:
        self._chat = chat
        self._metrics = metrics
        self._drain = drain
        self._restart = restart
        self._heard: dict[str, tuple[float, Figures]] = {}
        self._questions: dict[str, _Question] = {}
        self._looks_until = self._told_at = float("-inf")
        self._telling: asyncio.Task[None] | None = None
        machine = platform.node() or "this machine"
        app = f"{machine} {os.getppid()}" if name else f"{machine} {os.getpid()}"
        self._me = About(chat.node, name, app, machine, os.getpid(), time.time(), draining=False, busiest={})
        self._counted_at = float("-inf")

    def start(self) -> None:
        """Show this worker to the others, and hear of them."""
        self._metrics.about = lambda: _encode(self._about()).decode()
        self._chat.hub.handle(OPERATOR, self.receive)
        self._telling = asyncio.ensure_future(keep_on(self._tell, "telling operators of this worker"))

    async def stop(self) -> None:
        """Say that this worker ends."""
        self._metrics.about = lambda: ""
        if self._telling is not None:
            await end(self._telling)
        if self._looked_at():
            self._publish(_Gone(self._me.worker))

    @property
    def me(self) -> str:
        """The name of this worker."""
        return self._me.worker

    # ---- figures ----

    async def workers(self) -> list[Seen]:
        """All workers with their newest figures, by machine and name."""
        return (await self.overview())[0]

    async def overview(self) -> tuple[list[Seen], Figures]:
        """The same, and what workers of this app have counted that ended."""
        self._look()
        shown, left = await asyncio.to_thread(self._shown)
        found = {one.figures.worker: one for one in [*self._elsewhere(), *shown, Seen(0.0, self._figures())]}
        return sorted(found.values(), key=_place), left

    def _shown(self) -> tuple[list[Seen], Figures]:
        found, left = [], []
        for one in self._metrics.shown():
            try:
                found.append(Seen(one.age, figures_of(_about(one.about), one.counts)))
            except msgspec.DecodeError:  # it has ended and says nothing more, or has another version
                left.append(one.counts)
        return found, figures_of(NOBODY, merged(left))

    def _elsewhere(self) -> list[Seen]:
        now = time.monotonic()
        self._heard = {worker: one for worker, one in self._heard.items() if now - one[0] < FORGOTTEN}
        return [Seen(now - at, figures) for at, figures in self._heard.values()]

    def _figures(self) -> Figures:
        return figures_of(self._about(), self._metrics.meter.counts())

    def _about(self) -> About:
        now = time.monotonic()
        if now - self._counted_at >= COUNT_EVERY:
            self._counted_at = now
            self._me.busiest = self._busiest() if self._looked_at() else {}
        return msgspec.structs.replace(self._me, draining=self._chat.draining)

    def _busiest(self) -> dict[str, int]:
        seats = chain.from_iterable(session.seats for session in self._chat.sessions)
        return dict(Counter(seats).most_common(BUSIEST))

    def _look(self) -> None:
        now = time.monotonic()
        self._looks_until = now + LOOKS
        if now - self._told_at >= TELL_EVERY:
            self._told_at = now
            self._publish(_Looking(self._me.worker))

    def _looked_at(self) -> bool:
        return time.monotonic() < self._looks_until

    async def _tell(self) -> None:
        await asyncio.sleep(TELL_EVERY)
        if self._looked_at():
            self._publish(_Telling(self._figures()))

    # ---- a user's connections ----

    async def devices(self, user: str) -> tuple[list[Device], list[str]]:
        """The connections of a user to all workers, and the names of the workers that have not answered."""
        unheard = {one.figures.worker for one in await self.workers() if one.age < FRESH} - {self.me}
        question, id = _Question(unheard, asyncio.get_running_loop().create_future()), new_id()
        self._questions[id] = question
        try:
            if unheard:
                self._publish(_Asking(id, self.me, user))
                await asyncio.wait((question.answered,), timeout=ANSWERED)
        finally:
            del self._questions[id]
        return [*self._own_devices(user), *question.devices], sorted(question.unheard)

    def _own_devices(self, user: str) -> list[Device]:
        return devices_of(self._chat, self._me.worker, user)[:MOST_DEVICES]

    def _answer(self, asked: _Asking) -> None:
        devices = self._own_devices(asked.user)
        for at in range(0, max(len(devices), 1), EACH):
            last = at + EACH >= len(devices)
            self._publish(_Answering(asked.id, self.me, devices[at : at + EACH], last))

    def _hear(self, answer: _Answering) -> None:
        question = self._questions.get(answer.id)
        if question is None or answer.by not in question.unheard:
            return
        question.devices = [*question.devices, *answer.devices]
        if answer.last:
            question.unheard.discard(answer.by)
        if not question.unheard and not question.answered.done():
            question.answered.set_result(None)

    # ---- orders ----

    async def order(self, worker: str, what: str) -> None:
        """Have a worker drain or restart. Raises `InvalidField`, and `Conflict` where nothing would replace it."""
        known = {one.figures.worker: one.figures for one in await self.workers()}
        if worker not in known:
            raise InvalidField("is no worker that is known", field="worker")
        if what == "restart" and not known[worker].name:
            raise Conflict("this app runs in a single process: nothing would start it again")
        if what == "restart" and known[worker].app == self._me.app and self._restart is not None:
            self._restart(
                known[worker].name
            )  # the main process does it, also where the broker or the worker does nothing
        elif worker == self.me:
            self._obey(what)
        else:
            self._publish(_Ordering(worker, what))

    def _obey(self, what: str) -> None:
        if what == "drain":
            self._drain()
        elif what == "restart" and self._restart is not None:
            self._restart(self._me.name)

    # ---- between workers ----

    def _publish(self, message: _Message) -> None:
        self._chat.journal.publish(Envelope(EVERYONE, "", 0, OPERATOR, _encode(message)))

    def receive(self, envelope: Envelope) -> None:
        """Take what another worker says. Raises `msgspec.DecodeError`."""
        message = _decode(envelope.data)
        if isinstance(message, _Looking):
            self._looks_until = time.monotonic() + LOOKS
        elif isinstance(message, _Telling):
            self._note(message.figures)
        elif isinstance(message, _Gone):
            self._heard.pop(message.by, None)
        elif isinstance(message, _Asking):
            if message.by != self.me:
                self._answer(message)
        elif isinstance(message, _Answering):
            self._hear(message)
        elif message.worker == self.me:
            self._obey(message.what)

    def _note(self, figures: Figures) -> None:
        mine = figures.app == self._me.app and self._metrics.shared  # the file knows better
        if (
            not mine
            and figures.worker != self.me
            and (figures.worker in self._heard or len(self._heard) < MOST)
        ):
            self._heard[figures.worker] = time.monotonic(), figures


def _place(one: Seen) -> tuple[str, str, int, str]:
    """Always the same order, whoever answers: charts give each place a colour."""
    figures = one.figures
    return figures.machine, figures.name, figures.pid, figures.worker
