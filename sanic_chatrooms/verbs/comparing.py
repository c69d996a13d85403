"""Compares messages with a query, for `search`. Texts that take long are compared in a thread, a portion at a time."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from ..models import Event
from ..stores.search import SearchIndex
from ..support.words import WIDEST, Query, Text

__all__ = ["Matching", "Said", "matching", "portions", "texts_of"]

AT_ONCE = 12_500
"""Characters that are compared in the event loop; more are in a thread."""
PORTION = 65_536
"""Characters that are compared before others have their turn, about."""
HIGHLIGHTS = 100
"""Places that are shown in one message."""
Said = tuple[Event, str]
"""A message, and its text."""
Matching = tuple[Event, list[tuple[int, int]]]
"""A message that matches, and where."""


class _Body(msgspec.Struct):
    text: Any = None


_body = msgspec.json.Decoder(_Body)


def texts_of(events: Iterable[Event]) -> list[Said]:
    """Those that are messages with a text."""
    return [(event, text) for event in events if (text := _text(event)) is not None]


def _text(event: Event) -> str | None:
    if event.type != "message" or event.deleted:
        return None
    text = _body.decode(event.payload).text
    return text if isinstance(text, str) else None


def portions(said: Iterable[Said]) -> Iterator[list[Said]]:
    """Some of them at a time."""
    some, length = list[Said](), 0
    for event, text in said:
        some.append((event, text))
        length += len(text)
        if length >= PORTION:
            yield some
            some, length = [], 0
    if some:
        yield some


async def matching(
    query: Query, said: list[Said], index: SearchIndex, turn: asyncio.Semaphore
) -> list[Matching]:
    """Those that match, with their highlights. `turn` limits how many texts are compared in threads at once."""
    if sum(len(text) if text.isascii() else len(text) * WIDEST for _, text in said) < AT_ONCE:
        texts, words = _folded(said)
        return _find(query, texts, await index.stems(words.union(query.words)))
    async with turn:
        texts, words = await asyncio.to_thread(_folded, said)
    stems = await index.stems(words.union(query.words))
    async with turn:
        return await asyncio.to_thread(_find, query, texts, stems)


def _folded(said: list[Said]) -> tuple[list[tuple[Event, Text]], set[str]]:
    """-> and the words that they have."""
    texts = [(event, Text(text)) for event, text in said]
    return texts, set[str]().union(*(text.words for _, text in texts))


def _find(query: Query, texts: list[tuple[Event, Text]], stems: Mapping[str, str] | None) -> list[Matching]:
    found = [(event, query.find(text, stems, HIGHLIGHTS)) for event, text in texts]
    return [(event, highlights) for event, highlights in found if highlights is not None]
