"""Messages that code of the app writes, piece by piece, while everybody in the room watches."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any

from ..chat import Chat
from ..errors import InvalidField, InvalidText, RoomNotFound, TooLarge, Unavailable
from ..live.writing import Writing
from ..models import Appended, Fold, Relation, Sender, User, is_reserved
from ..stores import streams as kept
from ..support.ids import new_stream_id
from ..support.user_ids import is_unicode
from ..verbs.attachments import files_in
from ..verbs.closing import INTERRUPTED
from ..verbs.drafts import draft
from ..wire.encode import encode_object
from .base import Verbs, sender_of

__all__ = ["MessageStream", "Streaming"]


class MessageStream:
    """A message that is being written, from `async with chat.stream(…)`. Leaving the block closes it."""

    def __init__(
        self, chat: Callable[[], Chat], room: str, sender: Sender | None, body: bytes, parent: str | None
    ) -> None:
        self._running = chat
        self._room = room
        self._sender = sender
        self._body = body
        self._parent = parent
        self._writing: Writing | None = None
        self._task: asyncio.Task[Any] | None = None
        self._stopped = False
        self.cancelled_by: Sender | None = None
        """Who wants it to stop; None: nobody, or the message is gone."""

    @property
    def msg_id(self) -> str:
        """The message's id."""
        return self._open.msg_id

    @property
    def seq(self) -> int:
        """The number of its `message` in the room."""
        return self._open.seq

    @property
    def text(self) -> str:
        """What was written so far."""
        return self._open.text

    @property
    def _open(self) -> Writing:
        if self._writing is None:
            raise RuntimeError("write inside of the block: async with chat.stream(…) as out")
        return self._writing

    def write(self, text: str) -> None:
        """Add a piece. It goes out soon, and is never waited for. Raises `TooLarge` above `MAX_STREAM`, `InvalidText`, and
        `Conflict` where the message is closed."""
        chat, writing = self._running(), self._open
        if not isinstance(text, str):
            raise InvalidField(f"must be text, and not {type(text).__name__}", field="text")
        if "\0" in text or (not text.isascii() and not is_unicode(text)):
            raise InvalidText
        chat.streams.write(writing, len(writing.text), text, chat.settings.max_stream)

    async def flush(self) -> None:
        """Let what was written go out now, and let other tasks run: for code that writes faster than anybody can read."""
        self._running().streams.flush(self._open)
        await asyncio.sleep(0)

    async def __aenter__(self) -> "MessageStream":
        chat, room = self._running(), self._room
        if is_reserved(room):
            raise RoomNotFound
        msg_id = new_stream_id()
        facts = kept.opening(msg_id, self._sender, self._body, app=True)
        about = None if self._parent is None else Relation(self._parent, Fold.COLLECT)
        await chat.streams.prepare(room)
        try:
            item = draft(
                room,
                "message",
                self._body,
                self._sender,
                msg_id=msg_id,
                facts=facts,
                about=about,
                files=files_in(self._body),
            )
            stored = await chat.journal.append(item, late=partial(self._abandon, chat))
            self._task = asyncio.current_task()
            self._writing = writing = self._begin(chat, stored)
            writing.stop = self._stop
        finally:
            chat.streams.release(room)
        return self

    def _begin(self, chat: Chat, stored: Appended) -> Writing:
        msg_id, seq = stored.msg_id, stored.seq
        return chat.streams.begin(self._room, msg_id, seq, self._sender, self._body, app=True)

    def _abandon(self, chat: Chat, stored: Appended) -> None:
        """It was opened, but the task had been cancelled meanwhile."""
        chat.streams.in_background(chat.closing.interrupt(self._begin(chat, stored)))

    def _stop(self, by: Sender | None) -> None:
        if not self._stopped and self._task is not None:
            self._stopped, self.cancelled_by = True, by
            self._task.cancel()

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> bool:
        writing = self._open
        writing.stop = None
        if self._stopped and kind is None:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)  # the block may have ended before the cancellation came
        cancelled = kind is not None and issubclass(kind, asyncio.CancelledError)
        left = self._task.uncancel() if self._stopped and self._task is not None else 1
        ended = (
            "cancelled"
            if self._stopped
            else INTERRUPTED
            if cancelled
            else "error"
            if kind is not None
            else None
        )
        try:
            await self._running().closing.end(writing, ended)
        except Unavailable:
            if kind is None:
                raise  # else what happened before matters more; the server closes it when the store is back
        return cancelled and self._stopped and not left


class Streaming(Verbs):
    """Verbs that write messages piece by piece."""

    def stream(
        self,
        room: str,
        *,
        sender: User | Sender | None = None,
        parent: str | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> MessageStream:
        """Write a message piece by piece: `async with chat.stream("support", sender=BOT) as out: out.write("…")`.

        Everybody in the room sees it grow; at the end of the block it is closed. `parent` is the id of the message that it
        answers, `body` what else it has: {"model": "x"}. If somebody cancels it, `asyncio.CancelledError` is raised inside,
        `out.cancelled_by` says who, and the code behind the block goes on. After any other exception it has ended with `error`,
        and the exception goes on. It keeps its lease by itself. Limits for the number of messages do not apply.

        Raises `InvalidField`, `InvalidText`, `TooLarge`; and on entering, `RoomNotFound`, `Unavailable`, and `InvalidField`
        (`parent`) where there is no such message.
        """
        whole: dict[str, Any] = {"text": "", **(body or {})}
        if not isinstance(whole["text"], str):
            raise InvalidField("must be text", field="body.text")
        if parent is not None:
            whole["parent"] = parent
        data, limit = encode_object(whole, "body"), self.running().settings.max_publish
        if len(data) > limit:
            raise TooLarge("body in bytes of JSON", limit=limit, size=len(data))
        who = None if sender is None else sender_of(sender, "sender")
        return MessageStream(self.running, room, who, data, parent)
