from __future__ import annotations

import asyncio

import pytest

from sanic_chatrooms.access.access import Access, permit
from sanic_chatrooms.access.policy import Policy, RoomPolicy
from sanic_chatrooms.access.scopes import Scopes
from sanic_chatrooms.access.standing import Standing
from sanic_chatrooms.errors import Forbidden, RoomNotFound
from sanic_chatrooms.models import PRIVATE, RESERVED, Member, Room, User
from sanic_chatrooms.stores import members
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.memory.store import MemoryStore

ROOM = Room("general", "e", 0)


class Actor:
    def __init__(self, policy: Policy, id: str = "u1") -> None:
        self.user = User(id, "Ada")
        self.policy = policy
        self.scopes: Scopes | None = None


class Slow(Policy):
    async def require(self, user: User, action: str, room: Room | None, standing: Standing) -> None:
        if action == "message":
            raise Forbidden("quiet hours")
        if action == "history":
            raise ZeroDivisionError


class Broken(Policy):
    def require(self, user: User, action: str, room: Room | None, standing: Standing) -> None:
        raise KeyError("secret")


async def test_a_policy_may_take_its_time() -> None:
    await permit(Actor(Slow()), "join", ROOM, Standing())
    with pytest.raises(Forbidden, match="quiet hours"):
        await permit(Actor(Slow()), "message", ROOM, Standing())


class GivenUp(Policy):
    """Waits for something that somebody cancels."""

    async def require(self, user: User, action: str, room: Room | None, standing: Standing) -> None:
        waited = asyncio.get_running_loop().create_future()
        waited.cancel()
        await waited


@pytest.mark.parametrize(
    ("policy", "action"), [(Slow(), "history"), (Broken(), "join"), (GivenUp(), "message")]
)
async def test_a_policy_that_fails_refuses_and_is_logged(
    policy: Policy, action: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Forbidden) as refusal:
        await permit(Actor(policy), action, ROOM, Standing())

    assert "secret" not in str(refusal.value)
    assert f"the policy failed on {action}" in caplog.text


async def test_a_policy_is_left_when_the_task_that_asks_it_is_to_end() -> None:
    class Endless(Policy):
        async def require(self, user: User, action: str, room: Room | None, standing: Standing) -> None:
            await asyncio.Event().wait()

    asking = asyncio.ensure_future(permit(Actor(Endless()), "join", ROOM, Standing()))
    await asyncio.sleep(0)
    asking.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asking


@pytest.fixture
async def access() -> Access:
    store = MemoryStore()
    await store.start("test", Bounds())
    await store.create_room(Room("general", "", 0))
    await store.create_room(
        Room("secret", "", 0, visibility=PRIVATE), facts=(members.member_fact(Member("u1", "Ada", "owner")),)
    )
    await store.create_room(Room("~user.x", "", 0, visibility=RESERVED))
    return Access(store)


async def test_looking_at_a_room_finds_what_the_actor_is_there(access: Access) -> None:
    room, standing = await access.look(Actor(RoomPolicy()), "join", "secret")

    assert room.id == "secret"
    assert (standing.role, standing.level, standing.joined_seq, standing.name) == ("owner", 100, 0, "Ada")


@pytest.mark.parametrize("room", ["secret", "nowhere", "~user.x"])
async def test_hidden_and_missing_rooms_answer_alike(access: Access, room: str) -> None:
    with pytest.raises(RoomNotFound) as refusal:
        await access.look(Actor(RoomPolicy(), "u2"), "join", room)

    assert refusal.value.payload() == RoomNotFound().payload()


async def test_the_app_sees_every_room_but_reserved_ones(access: Access) -> None:
    assert (await access.find(None, "secret"))[0].id == "secret"
    for room in ("nowhere", "~user.x"):
        with pytest.raises(RoomNotFound):
            await access.find(None, room)
