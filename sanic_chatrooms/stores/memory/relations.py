"""Toggles and replies of one room in memory."""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from ...models import Collected, Event, Toggle
from ..base import Holding

__all__ = ["Relations"]


class Relations:
    """By the numbers of messages. Entries of trimmed messages stay until the next `trim`."""

    __slots__ = ("parents", "replies", "toggles")

    def __init__(self) -> None:
        self.toggles: dict[int, dict[str, dict[str, Holding]]] = {}  # of a message: key, then owner
        self.replies: dict[int, list[int]] = {}  # ascending
        self.parents: dict[int, int] = {}  # the message that a reply belongs to

    def __bool__(self) -> bool:
        return bool(self.toggles or self.replies)

    def holding(self, target: int, key: str, owner: str) -> Holding | None:
        """The owner's holding; None if it is off."""
        return self.toggles.get(target, {}).get(key, {}).get(owner)

    def is_full(self, target: int, key: str, most: int) -> bool:
        """Would this key be one more than `most` with an owner at the message?"""
        keys = self.toggles.get(target, {})
        return key not in keys and sum("" not in owners for owners in keys.values()) >= most

    def turn_on(self, holding: Holding) -> int:
        """Turn a key on for its owner; -> how many hold it then."""
        owners = self.toggles.setdefault(holding.target, {}).setdefault(holding.key, {})
        owners[holding.owner] = holding
        return len(owners)

    def turn_off(self, target: int, key: str | None = None, owner: str = "") -> int:
        """Turn a key off for one owner, or without a key everything; -> how many hold the key then."""
        keys = self.toggles[target] if key is not None else {}
        owners = keys.get(key or "", {})
        owners.pop(owner, None)
        if not owners:
            keys.pop(key or "", None)
        if not keys:
            self.toggles.pop(target, None)
        return len(owners)

    def forget_user(self, target: int, user: str) -> None:
        """Turn off what a user holds at a message, and forget that they turned on what others hold."""
        for key, owners in list(self.toggles.get(target, {}).items()):
            for owner, holding in list(owners.items()):
                if holding.by is not None and holding.by.id == user:
                    owners[owner] = replace(holding, by=None)
            if user in owners:
                self.turn_off(target, key, user)

    def collect(self, parent: int, reply: int) -> None:
        """Add a reply, which comes after all others."""
        self.replies.setdefault(parent, []).append(reply)
        self.parents[reply] = parent

    def replies_to(self, parent: int, floor: int) -> list[int]:
        """The numbers of its replies above `floor`."""
        return [reply for reply in self.replies.get(parent, ()) if reply > floor]

    def toggled(self, target: int, reader: str | None) -> dict[str, Toggle]:
        """What is on at a message, by key."""
        return {key: _toggle(owners, reader) for key, owners in self.toggles.get(target, {}).items()}

    @staticmethod
    def collected(replies: Sequence[Event]) -> Collected | None:
        """How many of these replies are not deleted, and the newest of them."""
        there = [reply for reply in replies if not reply.deleted]
        if not there:
            return None
        assert there[-1].seq is not None
        return Collected(len(there), there[-1].seq, there[-1].timestamp, there[-1].sender)

    def holdings(self, key: str | None, target: int | None, floor: int) -> list[Holding]:
        """What is on at messages above `floor`, newest first; without a key only what has an owner."""
        found = [
            holding
            for holding in self._all(target)
            if holding.target > floor and (holding.key == key or (key is None and holding.owner))
        ]
        return sorted(found, key=lambda holding: -holding.seq)

    def _all(self, target: int | None) -> Iterator[Holding]:
        for keys in self.toggles.values() if target is None else [self.toggles.get(target, {})]:
            for owners in keys.values():
                yield from owners.values()

    def trim(self, floor: int) -> None:
        """Forget what belongs to messages up to this number."""
        if not self:
            return
        self.toggles = {target: keys for target, keys in self.toggles.items() if target > floor}
        self.parents = {reply: parent for reply, parent in self.parents.items() if reply > floor}
        left = {parent: self.replies_to(parent, floor) for parent in self.replies}
        self.replies = {parent: replies for parent, replies in left.items() if replies}


def _toggle(owners: dict[str, Holding], reader: str | None) -> Toggle:
    newest = max(owners.values(), key=lambda holding: holding.seq)
    return Toggle(len(owners), newest.seq, newest.at, newest.by, reader is not None and reader in owners)
