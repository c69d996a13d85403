"""Verbs of your staff: reports."""

from ..verbs.reports import Asked, Close, ReportList
from .base import Verbs

__all__ = ["Moderating"]


class Moderating(Verbs):
    """Verbs of your staff: reports."""

    async def reports(
        self, room: str | None = None, *, open: bool = True, cursor: str | None = None, limit: int = 50
    ) -> ReportList:
        """A page of the reports of a room, or of all rooms, direct ones too: in the order of the rooms. `open`: only those that
        are not closed. `cursor` is that of the page before. A page may be short and still have a cursor.

        Raises `RoomNotFound`, `InvalidCursor`, `Unavailable`.
        """
        page: ReportList = await self.running().commands.give(
            "reports", Asked(open, cursor, limit), room=room
        )
        return page

    async def close_report(self, id: str, outcome: str) -> None:
        """Close a report with what was decided (500 characters at most). It is kept for another 30 days.

        Raises `RoomNotFound`, `InvalidField` if there is no such report, `TooLarge`, `Unavailable`.
        """
        await self.running().commands.give("report.close", Close(id, outcome))
