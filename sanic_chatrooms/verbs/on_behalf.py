"""The context of a command that the app carries out for an operator."""

from ..models import Sender
from .context import Ctx

__all__ = ["OnBehalf"]


class OnBehalf(Ctx):
    """A command of the app on behalf of somebody: it may do everything, and the event says whose act it was."""

    __slots__ = ("by",)

    by: Sender

    @property
    def sender(self) -> Sender | None:
        """Whose act it is."""
        return self.by

    @property
    def hash(self) -> bytes:
        """None of these commands is a repetition."""
        return b""
