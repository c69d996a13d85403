"""The verbs of an app. They work alike in a request handler, in a task, and in a process without sockets.

The app is trusted: no policy judges its calls. A call with `as_user=` is treated like a command of that user's client.
"""

from .appearing import Appearing
from .auditing import Auditing
from .connections import ConnectionInfo, Connections
from .erasing import Erasing
from .exporting import Exporting
from .following import Following
from .marking import Marking
from .moderating import Moderating
from .reading import History, Reading, SearchPage
from .rooms import Rooms
from .saying import Saying
from .settings import Reconfiguring
from .streaming import MessageStream, Streaming
from .unreads import Receipts, Unreads

__all__ = ["ConnectionInfo", "History", "MessageStream", "Receipts", "SearchPage", "ServerAPI"]


class ServerAPI(
    Auditing,
    Saying,
    Marking,
    Reading,
    Rooms,
    Unreads,
    Moderating,
    Exporting,
    Erasing,
    Connections,
    Reconfiguring,
    Following,
    Appearing,
    Streaming,
):
    """The verbs of an app. Each raises `ConfigError` before the chat has started."""
