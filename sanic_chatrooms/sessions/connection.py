"""What a session needs of the edge that holds its socket."""

from collections.abc import Callable
from typing import Protocol

from ..hub.room import Codec

__all__ = ["Connection"]


class Connection(Protocol):
    """What the edge offers: bytes out, and a tap for bytes in. `codec`, `write` and `check_every` as in `room.Receiver`."""

    @property
    def codec(self) -> Codec:
        """Encodes events and replies for this kind of connection."""

    @property
    def check_every(self) -> int:
        """Bytes that may be written before `push` has to check that they are read."""

    @property
    def write(self) -> Callable[[bytes], None]:
        """Write bytes, and check nothing."""

    def push(self, data: bytes, replies: bytes = b"") -> None:
        """Write replies and room events at once; a connection that is too far behind closes itself with 4008."""

    def reply(self, data: bytes) -> None:
        """Write what is for this connection alone; never closes it."""

    def ping(self) -> None:
        """Send a WebSocket ping."""

    def close(self, code: int, reason: str) -> None:
        """Send a close frame and take no more input; the edge sees to the rest."""

    def pause(self) -> None:
        """Stop reading."""

    def resume(self) -> None:
        """Read again."""

    def congested(self) -> bool:
        """Whether so much waits to be written that no more commands should be carried out."""

    def owing(self) -> bool:
        """Whether so much waits that none should whose answer may be large."""

    async def drained(self) -> None:
        """Return when neither is so, or when the connection is gone."""

    def behind(self) -> int:
        """Bytes that wait to be written."""

    def cut(self) -> None:
        """After `close`: end it at once, and throw away what waits to be written."""
