"""`reconfigure`: settings of a running chat."""

from typing import Any, Unpack

from ..config.keywords import RunTimeSettings
from .base import Verbs

__all__ = ["Reconfiguring"]


class Reconfiguring(Verbs):
    """Settings of a running chat."""

    async def reconfigure(self, /, **settings: Unpack[RunTimeSettings]) -> dict[str, Any]:
        """Change settings on all workers; -> all settings that can change, as they are now on this one.

        Other workers follow within a moment, and those that start later have the same. What is changed here overrides
        the configuration until it is changed again, also after a restart, as long as the store keeps it. None restores
        what is configured. A limit or a rate that may be None is switched off by "none". A route that has a value of its
        own keeps it. Without settings, nothing changes. Raises `ConfigError` for a value that is not allowed, and for a
        setting that only a restart can change, and `Unavailable`.
        """
        chat = self.running()
        if settings:
            await chat.reconfigure(dict(settings))
        return chat.settings.at_run_time
