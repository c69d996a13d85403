"""What clients page through: events as they travel, cut to what fits into one answer."""

import msgspec

from . import protocol
from .models import Page

__all__ = ["PAGE_BYTES", "Messages", "cut"]

PAGE_BYTES = 256 * 1024
"""A page ends here, or at its limit, whichever is first; it holds at least one event."""


class Messages(msgspec.Struct):
    """The answer to `history`, and part of that to `join`."""

    messages: list[msgspec.Raw]
    more: bool
    epoch: str
    seq: int


def cut(page: Page, *, newest: bool) -> Messages:
    """A page of the store -> what travels. What does not fit is dropped at the far end: the oldest where `newest`."""
    encoded: list[msgspec.Raw] = []
    size = 0
    for event in reversed(page.events) if newest else page.events:
        one = protocol.encode_event(event)
        size += len(one)
        if size > PAGE_BYTES and encoded:
            break
        encoded.append(msgspec.Raw(one))
    if newest:
        encoded.reverse()
    return Messages(encoded, page.more or len(encoded) < len(page.events), page.epoch, page.seq)
