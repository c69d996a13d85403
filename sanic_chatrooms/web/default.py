"""The instance named `default`, which is made when somebody first asks for it."""

from .chatrooms import ChatRooms

__all__ = ["bp", "default"]

default = ChatRooms()
bp = default.bp
