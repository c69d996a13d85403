"""What a session needs of the edge that holds its socket."""

from typing import Protocol

from ..hub.room import Writer

__all__ = ["Connection"]


class Connection(Writer, Protocol):
    """The interface of an edge: the hub writes to it, and a session also closes and pauses it."""

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
