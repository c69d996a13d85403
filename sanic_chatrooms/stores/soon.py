"""Appending without a task, where a store can do that: one in this process at once, one on a server when its reply is read."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from ..errors import ChatError
from ..models import Appended, Draft

__all__ = ["AppendsSoon", "Heard"]

Heard: TypeAlias = Callable[[int, list[Appended | ChatError] | None], None]
"""Gets the place of a list of drafts and their results, or None if these are not known."""


class AppendsSoon:
    """The part of a store's contract that the journal's fast path uses. A store need not have it."""

    appends_soon: bool = False
    """`append_soon` does something."""

    def append_soon(self, batch: Sequence[Sequence[Draft]], heard: Heard) -> bool:
        """Begin to append drafts without effects, each list of one room, and return at once. A store that never `waits` gets drafts of all
        kinds and rooms in one list, and calls `heard` before it returns.

        True: `heard` is called once per list. If the results are not known, it is safe to `append` the same drafts again.
        False: nothing was done; use `append`.
        """
        return False

    def append_now(self, drafts: Sequence[Draft]) -> list[Appended | ChatError]:
        """The same for a store that never `waits`: the results of one list, at once."""
        results: list[Appended | ChatError] = []
        self.append_soon([drafts], lambda _, found: results.extend(found or ()))
        return results
