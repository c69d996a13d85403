"""Keeps tokens and tickets in URLs out of Sanic's logs, the access log and the error log."""

import logging
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote_plus

__all__ = ["Redaction", "redact_logs"]

LOGGERS = ("sanic.access", "sanic.error", "sanic.root", "sanic.server", "sanic.websockets")
ALWAYS = frozenset(("token", "access_token", "ticket"))
"""Query parameters that are never shown: a client may send them whatever the settings say."""

_PARAMETER = re.compile(r"""([?&])([^=&#\s'"]+)=([^&#\s'"]+)""")
_FORMATTER = logging.Formatter()


class Redaction(logging.Filter):
    """A filter that removes the values of some query parameters from log records, and drops no record."""

    def __init__(self) -> None:
        super().__init__()
        self.names = set(ALWAYS)

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record before any handler sees it."""
        record.msg = self._shown(record.msg)
        if isinstance(record.args, tuple):
            record.args = tuple(map(self._shown, record.args))
        request: Any = getattr(record, "request", None)  # where Sanic's access log has method and URL
        if request is not None:
            record.request = self._shown(request)
        if record.exc_info and not record.exc_text:
            text = _FORMATTER.formatException(record.exc_info)
            if (shown := self._shown(text)) != text:
                record.exc_text = shown
        return True

    def _shown(self, value: Any) -> Any:
        return _PARAMETER.sub(self._without, value) if isinstance(value, str) else value

    def _without(self, found: re.Match[str]) -> str:
        # Servers decode percent-encoded names, too.
        if unquote_plus(found[2]).lower() in self.names:
            return f"{found[1]}{found[2]}=***"
        return found[0]


_redaction = Redaction()


def redact_logs(names: Iterable[str | None]) -> None:
    """Keep the values of these query parameters out of the logs of this process from now on."""
    _redaction.names |= {name.lower() for name in names if name}
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_redaction)
