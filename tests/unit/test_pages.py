from __future__ import annotations

import msgspec

from sanic_chatrooms.models import Event, Page
from sanic_chatrooms.pages import PAGE_BYTES, Messages, cut


def page(*sizes: int, more: bool = False) -> Page:
    """Events 1, 2, … with payloads of these sizes."""
    events = [
        Event("m", 1.0, "message", msgspec.Raw(b'{"text":"%s"}' % (b"x" * size)), "general", seq)
        for seq, size in enumerate(sizes, 1)
    ]
    return Page(events, more, "e", 99)


def seqs(messages: Messages) -> list[int]:
    return [msgspec.json.decode(bytes(message))["seq"] for message in messages.messages]


def test_a_small_page_is_whole() -> None:
    for newest in (True, False):
        messages = cut(page(1, 2, 3), newest=newest)

        assert seqs(messages) == [1, 2, 3]
        assert (messages.more, messages.epoch, messages.seq) == (False, "e", 99)


def test_what_the_store_has_more_of_is_said() -> None:
    assert cut(page(1, more=True), newest=True).more


def test_too_large_a_page_loses_its_far_end() -> None:
    third = PAGE_BYTES // 3

    newest, oldest = (cut(page(third, third, third), newest=newest) for newest in (True, False))

    assert (seqs(newest), newest.more) == ([2, 3], True)
    assert (seqs(oldest), oldest.more) == ([1, 2], True)


def test_one_event_always_fits() -> None:
    huge = PAGE_BYTES + 1

    assert seqs(cut(page(1, huge), newest=True)) == [2]
    assert seqs(cut(page(huge, 1), newest=False)) == [1]
    assert not cut(page(huge), newest=True).more


def test_an_empty_page() -> None:
    assert cut(page(), newest=True).messages == []
