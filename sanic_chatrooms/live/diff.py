"""What has changed in who is in a room, until the room is told."""

import msgspec

from ..models import Sender

__all__ = ["NAMES_LIMIT", "Diff", "merged", "parts"]

NAMES_LIMIT = 200
"""With more users than this, rooms are told only the number."""


class Diff(msgspec.Struct, omit_defaults=True):
    """Who came, went and changed their name since a room was told, and how many are there now."""

    joined: list[Sender] = []
    left: list[Sender] = []
    renamed: list[Sender] = []
    online: int = 0


def parts(diff: Diff | None, online: int) -> list[Diff]:
    """Pieces of a bounded size. One without names where many are online, or more names waited than are shown (None); no piece where
    nothing has changed."""
    if diff is None or online > NAMES_LIMIT:
        return [Diff(online=online)]
    most = max(len(diff.joined), len(diff.left), len(diff.renamed))
    if 0 < most <= NAMES_LIMIT:
        return [Diff(diff.joined, diff.left, diff.renamed, online)]
    found = []
    for low in range(0, most, NAMES_LIMIT):
        names = slice(low, low + NAMES_LIMIT)
        found.append(Diff(diff.joined[names], diff.left[names], diff.renamed[names], online))
    return found


def merged(diff: Diff, new: Diff) -> Diff:
    """Both as one change."""
    joined = {u.id: u for u in (*diff.joined, *new.joined)}
    if not (diff.left or new.left or diff.renamed or new.renamed):  # as nearly always while a crowd comes
        return Diff(list(joined.values()), online=new.online)
    left = {u.id: u for u in diff.left} | {u.id: u for u in new.left}
    renamed = {u.id: u for u in diff.renamed}
    for user in new.joined:
        left.pop(user.id, None)
    for user in new.left:
        joined.pop(user.id, None)
        renamed.pop(user.id, None)
    for user in new.renamed:
        (joined if user.id in joined else renamed)[user.id] = user
    return Diff(list(joined.values()), list(left.values()), list(renamed.values()), new.online)
