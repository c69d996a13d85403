"""What a session needs of the edge that holds its socket."""

from collections.abc import Callable
from typing import Protocol

from ..hub.room import Codec

__all__ = ["Connection"]


class Connection(Protocol):
    """The interface of an edge. `codec`, `write` and `check_every` are those of `room.Receiver`."""

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
        """Write replies and room events. A connection that is too far behind closes itself with 4008."""

    def reply(self, data: bytes) -> None:
        """Write replies. Never closes the connection."""

    def ping(self) -> None:
        """Send a WebSocket ping."""

    def close(self, code: int, reason: str) -> None:
        """Send a close frame and take no more input; the edge does the rest."""

    def pause(self) -> None:
        """Stop reading."""

    def resume(self) -> None:
        """Read on."""

    def congested(self) -> bool:
        """Whether so many bytes are unread that no command should run."""

    def owing(self) -> bool:
        """Whether so many bytes are unread that no command with a large answer should run."""

    async def drained(self) -> None:
        """Wait until neither is true, or the connection is gone."""

    def behind(self) -> int:
        """Bytes that are not yet written to the network."""

    def cut(self) -> None:
        """After `close`: end the connection at once, and drop unwritten bytes."""
