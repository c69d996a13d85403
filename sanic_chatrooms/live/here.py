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
    # An entry that is removed already would not be the user's last, so it is put back before.
    again = [n for n, here in enumerate(those) if here.doubtful and here.known]
    there = await presence.touch([entries[n] for n in again]) if again else ()
    silent = {n for n, answer in zip(again, there, strict=True) if answer is None}
    some = [entry for n, entry in enumerate(entries) if n not in silent]
    gone = iter(await presence.drop(some) if some else ())
    return [None if n in silent else next(gone) for n in range(len(entries))]


def unanswered(keys: Sequence[tuple[str, str]], answers: Sequence[bool | None]) -> set[tuple[str, str]]:
    """Those about which the backend has said nothing, while it did about others."""
    if None not in answers:
        return set()
    return {key for key, answer in zip(keys, answers, strict=True) if answer is None}
