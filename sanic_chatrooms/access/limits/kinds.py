"""What is limited: the classes of actions, each with a rate of its own."""

import enum

__all__ = ["KINDS", "Kind"]


class Kind(enum.IntEnum):
    """A class of actions with a rate of its own. `label` is its name in errors, in metrics, and in `RATE_<NAME>`."""

    MESSAGE = 0
    """Messages, to rooms and to users."""
    CHANGE = 1
    """Edits, deletions, reactions, pins, moderation: everything that changes something."""
    LIVE = 2
    """What nobody stores: typing."""
    READ = 3
    """Questions."""
    JOIN = 4
    """Joining and leaving rooms."""
    CREATE = 5
    """Making rooms."""
    NEW_PEOPLE = 6
    """The first direct message to somebody, invitations, adding members."""
    AUTH = 7
    """Proofs of identity that failed."""
    BYTES = 8
    """Bytes of frames."""

    @property
    def label(self) -> str:
        """Its name in lower case."""
        return self.name.lower()


KINDS = len(Kind)
