"""What an app does with a chat: the same in a request handler, in a task, and in a process without sockets.

The app is trusted: its calls pass no policy, unless it says `as_user=`. Such a call is a client's command in every respect.
"""

from .connections import ConnectionInfo, Connections
from .reading import History, Reading
from .rooms import Rooms
from .saying import Saying

__all__ = ["ConnectionInfo", "History", "ServerAPI"]


class ServerAPI(Saying, Reading, Rooms, Connections):
    """The verbs of an app. Each raises `ConfigError` before the chat has started."""
