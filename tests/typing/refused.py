"""Mistakes that apps make, as a type checker sees them: each is refused.

`make check` fails where one is not, for then its `type: ignore` has nothing to ignore. Nothing of this runs.
"""

from __future__ import annotations

from typing import Any

import sanic_chatrooms as chatrooms
from sanic_chatrooms import (
    Appended,
    Authenticator,
    ChatRooms,
    Context,
    Credentials,
    Handshake,
    Policy,
    Room,
    Standing,
    User,
)
from sanic_chatrooms.testing import FaultyStore, StoreSuite

chat = ChatRooms("refused")

# ---- declaring ----

chatrooms.ChatRoom  # type: ignore[attr-defined]  # noqa: B018 - a name that is not there
ChatRooms("typos", guest=True)  # type: ignore[call-arg]
ChatRooms("kinds", guests="yes")  # type: ignore[arg-type]
ChatRooms("numbers", max_frame="4 KiB")  # type: ignore[arg-type]
ChatRooms("policies", policy=Policy)  # type: ignore[arg-type]
chat.add_route("/ws", max_rooms=3)  # type: ignore[call-arg] # a setting of the instance, not of a connection
chat.add_route(room="general")  # type: ignore[call-arg]


class OldPolicy(Policy):
    def require(self, user: User, action: str, room: Room | None) -> None:  # type: ignore[override]
        """Without the standing."""


class Strict(Policy):
    def require(self, user: User, action: str, room: Room, standing: Standing) -> None:  # type: ignore[override]
        """There may be no room."""


class Names(Authenticator):
    async def authenticate(self, credentials: Credentials, handshake: Handshake) -> str:  # type: ignore[override]
        return "u1"


class Blocking(Authenticator):
    def authenticate(self, credentials: Credentials, handshake: Handshake) -> User:  # type: ignore[override]
        return User("u1", "Ada")


class Nothing(Authenticator):
    async def authenticate(self, credentials: Credentials, handshake: Handshake) -> User | None:  # type: ignore[override]
        return None


class Empty(StoreSuite):
    async def make(self) -> str:  # type: ignore[override]
        return "memory:"


@chat.middleware("message")  # type: ignore[arg-type]
def forgets_to_wait(ctx: Context, call_next: Any) -> dict[str, Any]:
    return {}


@chat.middleware("message")  # type: ignore[arg-type]
async def without_next(ctx: Context) -> None:
    return None


# ---- at run time ----


async def verbs(ada: User) -> None:
    await chat.publish("general", {"text": "hi"})  # type: ignore[call-overload]
    await chat.publish("general", "message", "hi")  # type: ignore[call-overload]
    await chat.publish("general", "message", {}, sender="u1")  # type: ignore[call-overload] # an id says no name
    await chat.publish("general", "message", {}, as_user="u1")  # type: ignore[call-overload]
    await chat.add_member("general", "u1")  # type: ignore[arg-type]
    await chat.history("general", 7)  # type: ignore[call-arg]
    await chat.notify(7, "update", {})  # type: ignore[arg-type]
    await chat.reconfigure(max_frame=4096)  # type: ignore[call-arg] # only a restart changes it
    await chat.reconfigure(max_text="long")  # type: ignore[arg-type]
    await chat.online(["u1"])  # type: ignore[arg-type]
    stored: Appended = chat.publish("general", "message", {})  # type: ignore[assignment] # not awaited
    room: Room = await chat.room("general")  # type: ignore[assignment] # there may be none
    assert stored.seq
    assert room.id


async def values(ada: User, room: Room) -> None:
    ada.name = "Bob"  # type: ignore[misc] # values are frozen
    room.title = "Other"  # type: ignore[misc]
    User("u1")  # type: ignore[call-arg]
    User("u1", "Ada", scope=("staff",))  # type: ignore[call-arg]
    FaultyStore("memory:")  # type: ignore[arg-type]
