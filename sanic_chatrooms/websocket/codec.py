"""What connections of `chatrooms.v1` get: each event, and each reply, is one text frame."""

from ..models import Envelope
from .frames import frame

__all__ = ["FRAMES", "Frames"]


class Frames:
    """A codec of the hub's. An event is framed once for all."""

    def event(self, envelope: Envelope) -> bytes:
        """The event as one frame."""
        return frame(envelope.data)

    reply = staticmethod(frame)


FRAMES = Frames()
