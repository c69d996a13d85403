"""Users who are in rooms on this worker, and what the backend is known to have of them."""

from collections.abc import Sequence

import msgspec

from ..models import Sender
from ..presence.base import Entry, Presence

__all__ = ["Here", "remove", "unanswered"]


class Here(msgspec.Struct, gc=False):
    """One user in one room."""

    user: Sender
    sessions: int = 0
    leaves_at: float = 0.0
    known: bool = False
    """The backend has said whether the user came by this entry."""
    doubtful: bool = False
    """It may have carried out the last change, since it did not answer."""

    def came(self) -> bool:
        """The backend has this entry; -> whether the user may have come by an earlier change that it did not answer."""
        may = self.doubtful and not self.known
        self.known, self.doubtful = True, False
        return may


async def remove(
    presence: Presence, entries: Sequence[Entry], those: Sequence[Here]
) -> Sequence[bool | None]:
    """See `Presence.drop`: whether the user was nowhere else, also where an earlier removal was not answered. Raises `Unavailable`."""
    again = [entry for entry, here in zip(entries, those, strict=True) if here.doubtful and here.known]
    if again:  # an entry that is removed already would not be the user's last
        await presence.touch(again)
    return await presence.drop(entries) if entries else []


def unanswered(keys: Sequence[tuple[str, str]], answers: Sequence[bool | None]) -> set[tuple[str, str]]:
    """Those about which the backend has said nothing, while it did about others."""
    if None not in answers:
        return set()
    return {key for key, answer in zip(keys, answers, strict=True) if answer is None}
