"""Spans of OpenTelemetry, where the setting `TRACING` is on: command → journal → store → broker → delivery, over workers.

The parts of a chat that have spans are replaced by those of this module; without the setting, nothing of it is loaded. The app
chooses provider, sampler and exporter, as for all its spans. Spans that are not sampled are carried nowhere.

A worker tells the others of a span by a live envelope of its own, before that of the event: so all brokers carry it, and
workers without tracing pass it by. With tracing, no store publishes in the broker's place, and none appends before the journal does.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import msgspec

try:
    from opentelemetry import propagate, trace
    from opentelemetry.context import Context, attach, detach
    from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
except ImportError as missing:  # the extra `tracing`
    _missing: ImportError | None = missing
else:
    _missing = None

from .errors import ChatError, ConfigError
from .hub.entry import Done, Entry
from .hub.hub import Hub
from .hub.journal import Journal
from .hub.publisher import Publisher
from .models import TRACE, Appended, Draft, Envelope
from .sessions.session import Session
from .stores.base import Store
from .stores.wrapped import WrappedStore
from .verbs.acting import Acting
from .verbs.dispatch import Commands
from .verbs.table import Row
from .wire.decode import Command

__all__ = [
    "TracedCommands",
    "TracedHub",
    "TracedJournal",
    "TracedStore",
    "begin",
    "below",
]

T = TypeVar("T")
NOTED = 10_000
"""Spans of other workers that may wait here for their events; beyond that, the oldest are forgotten."""
PARENT = "traceparent"
_RESULT, _TYPE, _SEQ, _SIZE = (f"chatrooms.{name}" for name in ("result", "type", "seq", "size"))


class _Spans:
    # Finding a tracer costs more than a span that is not sampled. It goes on to the provider that the app sets later.
    tracer: Any = None


def begin() -> None:
    """Call it before the parts of a chat are made. Raises `ConfigError` where opentelemetry-api is not installed."""
    if _missing is not None:
        raise ConfigError(
            "TRACING needs opentelemetry-api: pip install 'sanic-chatrooms[tracing]'"
        ) from _missing
    _Spans.tracer = trace.get_tracer("sanic_chatrooms")


def _start(name: str, parent: "Context | None" = None, **how: Any) -> "Span":
    return cast("Span", _Spans.tracer.start_span(f"chatrooms.{name}", parent, **how))


@contextmanager
def _inside(span: "Span") -> "Iterator[Span]":
    """What happens here belongs to the span, which ends with it."""
    with trace.use_span(span, end_on_exit=True):
        yield span


@contextmanager
def below(headers: Mapping[str, str]) -> Iterator[None]:
    """What happens here belongs to the trace of a request, unless the app has a span for it."""
    if PARENT not in headers or trace.get_current_span().get_span_context().is_valid:
        yield
        return
    token = attach(propagate.extract(headers))
    try:
        yield
    finally:
        detach(token)


def _child_of(parents: "Iterable[Span]") -> dict[str, Any]:
    """One span for what several have caused: a child of the first, linked with the others."""
    first, *others = parents
    links = [Link(other.get_span_context()) for other in others]
    return {"parent": trace.set_span_in_context(first, Context()), "links": links}


class _TracedDraft(Draft, frozen=True, gc=False, kw_only=True):
    """A draft with the span that ends when it is answered."""

    span: Any


class _Note(msgspec.Struct):
    """Which span an event belongs to."""

    seq: int
    parent: str


_encode_note = msgspec.json.Encoder().encode
_decode_note = msgspec.json.Decoder(_Note).decode


def _context(parent: str) -> "Context":
    return propagate.extract({PARENT: parent}, Context())


def _parent(span: "Span") -> str:
    its = span.get_span_context()
    return f"00-{its.trace_id:032x}-{its.span_id:016x}-{its.trace_flags:02x}"


class TracedCommands(Commands):
    """A span for each command, below that of the handshake, or of the app's request."""

    def at_once(self, session: Session, command: Command) -> bool:
        """See `Commands.at_once`."""
        span = _start("command", _caller(session), kind=SpanKind.SERVER, attributes=_about(command))
        if not span.is_recording():
            return super().at_once(session, command)
        with trace.use_span(span, end_on_exit=False):
            done = super().at_once(session, command)
        if done:  # else `carry_out` does it, with a span of its own
            span.end()
        return done

    async def carry_out(self, session: Session, command: Command) -> None:
        """See `Commands.carry_out`."""
        with _inside(_start("command", _caller(session), kind=SpanKind.SERVER, attributes=_about(command))):
            await super().carry_out(session, command)

    async def request(self, acting: Acting, command: Command, row: Row | None = None) -> Any:
        """See `Commands.request`."""
        with _inside(_start("command", attributes=_about(command))):
            return await super().request(acting, command, row)

    def count(self, type: str, result: str) -> None:
        """See `Commands.count`."""
        trace.get_current_span().set_attribute(_RESULT, result)
        super().count(type, result)


def _caller(session: Session) -> "Context":
    headers: Mapping[str, str] = session.handshake.headers
    return propagate.extract(headers, Context()) if PARENT in headers else Context()


def _about(command: Command) -> dict[str, str]:
    return {_TYPE: command.type[:64]}


class TracedPublisher(Publisher):
    """A span for each batch that goes to the broker."""

    async def _hand_over(self, batch: list[Envelope]) -> None:
        notes = [_decode_note(envelope.data).parent for envelope in batch if envelope.type == TRACE]
        if not notes:
            await super()._hand_over(batch)
            return
        spans = [trace.get_current_span(_context(note)) for note in notes]
        how = {"kind": SpanKind.PRODUCER, "attributes": {_SIZE: len(batch) - len(notes)}, **_child_of(spans)}
        with _inside(_start("publish", **how)):
            await super()._hand_over(batch)


class TracedJournal(Journal):
    """A span for each draft, from its command to its answer, and one for each batch."""

    publisher = TracedPublisher

    def submit(self, draft: Draft, done: Done, source: object = None, *, within: bool = True) -> None:
        """See `Journal.submit`."""
        if trace.get_current_span().is_recording():
            span = _start("journal", attributes={_TYPE: draft.type})
            draft = _TracedDraft(**msgspec.structs.asdict(draft), span=span)
        super().submit(draft, done, source, within=within)

    async def _append(self, batch: list[Entry]) -> list[Appended | ChatError]:
        spans = [entry.draft.span for entry in batch if isinstance(entry.draft, _TracedDraft)]
        if not spans:
            return await super()._append(batch)
        with _inside(_start("append", attributes={_SIZE: len(batch)}, **_child_of(spans))):
            return await super()._append(batch)

    def _answer(self, batch: list[Entry], results: list[Appended | ChatError]) -> None:
        super()._answer(batch, results)
        for entry, result in zip(batch, results, strict=True):
            if isinstance(entry.draft, _TracedDraft):
                if isinstance(result, ChatError):
                    entry.draft.span.set_status(Status(StatusCode.ERROR, result.code))
                entry.draft.span.end()

    def tell(self, draft: Draft, result: Appended) -> None:
        """See `Journal.tell`."""
        if not isinstance(draft, _TracedDraft):
            super().tell(draft, result)
            return
        draft.span.set_attribute(_SEQ, result.seq)
        if not self._alone:
            note = _encode_note(_Note(result.seq, _parent(draft.span)))
            self.publish(Envelope(draft.room, "", 0, TRACE, note))
        with trace.use_span(draft.span, end_on_exit=False):
            super().tell(draft, result)


class TracedHub(Hub):
    """A span for each delivery of a traced event: on the worker that stored it, and on others."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._noted: OrderedDict[tuple[str, int], str] = OrderedDict()
        self.handle(TRACE, self._note)

    def _note(self, envelope: Envelope) -> None:
        note = _decode_note(envelope.data)
        self._noted[envelope.room, note.seq] = note.parent
        if len(self._noted) > NOTED:
            self._noted.popitem(last=False)

    def deliver(self, envelope: Envelope) -> None:
        """See `Hub.deliver`."""
        parent = self._noted.pop((envelope.room, envelope.seq), None) if envelope.seq else None
        about: Mapping[str, Any] = {_TYPE: envelope.type, _SEQ: envelope.seq}
        if parent is not None:
            with _inside(_start("deliver", _context(parent), kind=SpanKind.CONSUMER, attributes=about)):
                super().deliver(envelope)
        elif envelope.seq and trace.get_current_span().is_recording():
            with _inside(_start("deliver", attributes=about)):
                super().deliver(envelope)
        else:
            super().deliver(envelope)


class TracedStore(WrappedStore):
    """A span for each question to the store that a traced command asks."""

    def __init__(self, inner: Store) -> None:
        inner.publishes_as = None
        super().__init__(inner)
        self.waits = inner.waits  # type: ignore[misc]

    async def around(self, verb: str, ask: Callable[[], Awaitable[T]]) -> T:
        """See `WrappedStore.around`."""
        if not trace.get_current_span().is_recording():
            return await ask()
        with _inside(_start(f"store.{verb}", kind=SpanKind.CLIENT)):
            return await ask()
