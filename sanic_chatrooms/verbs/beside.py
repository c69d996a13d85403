"""What a message shows beside its payload: what later events made of it. Each feature's file says it for its own relations.

@beside("pinned")
def pinned(related: Related) -> Pinned | None:
    ...  # None: nothing to show

History, joins and recovery show it with the message.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from ..models import Event, Related
from ..wire.encode import encode, encode_event

__all__ = ["beside", "encode_as_now"]

Show = Callable[[Related], Any]
S = TypeVar("S", bound=Show)

_shows: dict[str, Show] = {}


def beside(name: str) -> Callable[[S], S]:
    """Decorator: the function returns what stands under `name` beside `payload`, or None. `name` is the key on the wire."""

    def add(show: S) -> S:
        if name in _shows:
            raise ValueError(f"two functions show {name}: {_shows[name]} and {show}")
        _shows[name] = show
        return show

    return add


def encode_as_now(event: Event, related: Related | None) -> bytes:
    """An event as pages show it: as it was stored, with what its message shows beside its payload."""
    encoded = encode_event(event)
    if related is None:
        return encoded
    shown = {name: value for name, show in _shows.items() if (value := show(related)) is not None}
    if event.edited is not None:
        shown.pop("ended", None)  # how its stream ended matters no more
    return encoded[:-1] + b"," + encode(shown)[1:] if shown else encoded
