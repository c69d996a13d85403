"""The embedded servers of an app: started before anything needs them, ended after everything that did.

They belong to the main process; where the app runs in a single process, to that one.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...config.settings import Settings
from ...drivers.redis.embedded import EmbeddedServer
from ...support.survivor import Survivor

__all__ = ["start_embedded", "stop_embedded"]


class _Shared:
    """A server and the instances that use it."""

    def __init__(self, directory: Path, survivor: Survivor) -> None:
        self.server = EmbeddedServer(directory, survivor)
        self.users: set[str] = set()


def _servers(app: Any) -> dict[Path, _Shared]:
    if not hasattr(app.ctx, "_chatrooms_embedded"):
        app.ctx._chatrooms_embedded = {}
    servers: dict[Path, _Shared] = app.ctx._chatrooms_embedded
    return servers


def start_embedded(app: Any, settings: Settings, survivor: Callable[[], Survivor]) -> None:
    """Start the server that this instance needs, unless it needs none, or another one has. Raises `ConfigError`."""
    if not settings.embedded or settings.embedded_dir is None:
        return
    directory, servers = Path(settings.embedded_dir), _servers(app)
    if directory not in servers:
        shared = _Shared(directory, survivor())
        shared.server.start()
        servers[directory] = shared
    servers[directory].users.add(settings.instance)


def stop_embedded(app: Any, instance: str) -> None:
    """This instance needs it no more; the last one ends the server."""
    servers = _servers(app)
    for directory, shared in list(servers.items()):
        shared.users.discard(instance)
        if not shared.users:
            shared.server.stop()
            del servers[directory]
