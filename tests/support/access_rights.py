"""The acts of `access_play` by which others lose and gain rights: moderation, roles, invitations, and what the room is."""

from __future__ import annotations

from sanic_chatrooms.support.clock import now
from sanic_chatrooms.verbs.membership import remove_member
from tests.support.access_model import LEVELS, MEMBER_ROLES, ModelledRoom
from tests.support.access_model import Invite as Invitation
from tests.support.access_stage import SIGNED_IN, USERS, Seated, Stage
from tests.support.model_cast import Frame

__all__ = ["CHANGES_KEPT", "Rights", "granted"]

CHANGES_KEPT = 15
"""A room remembers so many changes of who may read; what it does beyond is not modelled."""
NEEDS = (None, 0, 5, 10, 50, {"roles": ["moderator"]}, {"level": 50, "users": ["u3", "g0"]})
CHANGEABLE = ("join", "history", "search", "message", "message.delete.any", "member.kick", "member.invite")


class Rights(Stage):
    """Each act is one step, by somebody who may do it or not."""

    def _until(self) -> Frame:
        return {"until": round(now() + self.dice.randint(20, 150), 3)} if self.dice.random() < 0.5 else {}

    async def kick(self) -> None:
        room = self._room()
        seat, target = self._actor(room, "member.kick"), self._target(room)
        code = self._refusal(seat, room, "member.kick", target.id)
        if code is None and target.id not in room.members and target.id not in room.invites:
            code = "invalid_field"
        if await self._change(seat, "member.kick", room, {"user": target.id}, code, "member.kicked"):
            self._happened(room, ends=(target.id, "kicked"))
            room.end(target.id)

    async def ban(self) -> None:
        room = self._room()
        seat, target = self._actor(room, "member.ban"), self._target(room)
        payload = {"user": target.id, **self._until()}
        code = self._refusal(seat, room, "member.ban", target.id)
        same = room.is_banned(target.id, now()) and room.bans[target.id] == payload.get("until")
        if await self._change(seat, "member.ban", room, payload, code, None if same else "member.banned"):
            self._happened(room, ends=(target.id, "banned"))
            room.ban(target.id, payload.get("until"))

    async def unban(self) -> None:
        room = self._room()
        seat = self._actor(room, "member.unban")
        target = self.dice.choice(list(room.bans) or [user.id for user in USERS])
        code = self._refusal(seat, room, "member.unban", target)
        event = "member.unbanned" if room.is_banned(target, now()) else None
        if await self._change(seat, "member.unban", room, {"user": target}, code, event):
            del room.bans[target]
            self._happened(room)

    async def mute(self) -> None:
        room = self._room()
        seat, target = self._actor(room, "member.mute"), self._target(room)
        payload = {"user": target.id, **self._until()}
        code = self._refusal(seat, room, "member.mute", target.id)
        same = room.is_muted(target.id, now()) and room.mutes[target.id] == payload.get("until")
        if await self._change(seat, "member.mute", room, payload, code, None if same else "member.muted"):
            room.mutes[target.id] = payload.get("until")
            self._happened(room)

    async def unmute(self) -> None:
        room = self._room()
        seat = self._actor(room, "member.unmute")
        target = self.dice.choice(list(room.mutes) or [user.id for user in USERS])
        code = self._refusal(seat, room, "member.unmute", target)
        event = "member.unmuted" if room.is_muted(target, now()) else None
        if await self._change(seat, "member.unmute", room, {"user": target}, code, event):
            del room.mutes[target]
            self._happened(room)

    # ---- members ----

    def _grant(self, seat: Seated | None, room: ModelledRoom, role: str, code: str | None) -> str | None:
        if code is None and role != "member" and LEVELS[role] >= room.rank(seat.name if seat else None):
            return "forbidden"
        return code

    async def give_role(self) -> None:
        room = self._room()
        seat, target = self._actor(room, "member.role"), self._target(room)
        role = self.dice.choice(MEMBER_ROLES)
        if seat is not None and self.dice.random() < 0.15:
            target = seat.user
        if (
            seat is not None
            and target.id == seat.name
            and target.id in room.members
            and LEVELS[role] < room.rank(target.id)
        ):
            code = None
        else:
            code = self._refusal(seat, room, "member.role", target.id)
            if code is None and seat is not None and LEVELS[role] >= room.rank(seat.name):
                code = "forbidden"
        if code is None and target.id not in room.members:
            code = "invalid_field"
        held = room.members.get(target.id)
        same = held is not None and held.role == role and not (held.creator and seat is not None)
        payload = {"user": target.id, "role": role}
        if await self._change(seat, "member.role", room, payload, code, None if same else "member.role"):
            assert held is not None
            held.role, held.creator = role, False
            self._happened(room)
            self._shut_out(room)

    async def invite(self) -> None:
        room = self._room()
        seat, target = self._actor(room, "member.invite"), self._target(room, guests=False)
        role = self.dice.choice(("member", "member", "moderator", "reader"))
        code = self._refusal(seat, room, "member.invite") or self._refusal(seat, room, "message")
        code = self._grant(seat, room, role, code)  # it puts words before others
        known = room.invites.get(target.id)
        same = target.id in room.members or (known is not None and self._stays(seat, room, known, role))
        if code is None and not same and room.is_banned(target.id, now()):
            code = "forbidden"
        payload = {"user": target.id, "role": role}
        if await self._change(seat, "member.invite", room, payload, code, None if same else "member.invited"):
            began = known.seq if known else room.head
            room.invites[target.id] = Invitation(role, seat.name if seat else None, began)
            self._happened(room)

    def _stays(self, seat: Seated | None, room: ModelledRoom, known: Invitation, role: str) -> bool:
        """It has this role, or a higher one that somebody else gave and that the actor may not grant."""
        if LEVELS[known.role] <= LEVELS[role] or known.by == (None if seat is None else seat.name):
            return known.role == role
        return self._grant(seat, room, known.role, None) is not None

    async def accept(self) -> None:
        room = self._room()
        seat = self._invited(room)
        invite, member = room.invites.get(seat.name), seat.name in room.members
        if seat.user.guest:
            return
        code = self._refusal(seat, room, "member.accept")
        if code is None and not member and invite is None:
            code = "forbidden"
        if await self._change(seat, "member.accept", room, {}, code, None if member else "member.joined"):
            assert invite is not None
            room.begin(seat.name, granted(room, invite), event=True, invited=invite.seq)
            self._happened(room)

    async def decline(self) -> None:
        room = self._room()
        seat = self._invited(room)
        code = self._refusal(seat, room, "member.decline")
        if code is None and seat.name not in room.invites:
            code = "forbidden"
        await self._ask(seat, "member.decline", room, {}, code)
        if code is None:
            room.store("member.declined")
            del room.invites[seat.name]
            self._happened(room)

    def _invited(self, room: ModelledRoom) -> Seated:
        invited = [s for s in self.seats if s.name in room.invites and s.client is not None]
        return self.dice.choice(invited) if invited else self._seat()

    async def add(self) -> None:
        room = self._room()
        seat, target = self._seat(room, able="member.add"), self._target(room, guests=False)
        role = self.dice.choice(("member", "moderator", "reader"))
        code = self._grant(seat, room, role, self._refusal(seat, room, "member.add"))
        same = target.id in room.members
        if code is None and not same and room.is_banned(target.id, now()):
            code = "forbidden"
        payload = {"user": target.id, "role": role}
        if await self._change(seat, "member.add", room, payload, code, None if same else "member.joined"):
            room.begin(target.id, role, event=True)
            self._happened(room)
            if room.refusal(target.id, "join", now()) is None:
                self._put_in(room, target.id)

    async def app_adds(self) -> None:
        room, user = self._room(), self.dice.choice(SIGNED_IN)
        if user.id in room.members or user.id in room.invites or room.is_banned(user.id, now()):
            return
        self.trace.append(f"app adds {user.id} to {room.id}")
        await self._add(room, user, self.dice.choice(("owner", "admin", "moderator", "member")))

    async def app_removes(self) -> None:
        room = self._room()
        user = self._target(room, guests=False)
        if user.id not in room.members:
            return
        self.trace.append(f"app removes {user.id} from {room.id}")
        await remove_member(self.dice.choice(self.workers).chat.core, room.id, user)
        room.store("member.left")
        self._happened(room, ends=(user.id, "left"))
        room.end(user.id)

    # ---- the room ----

    async def update(self) -> None:
        room = self._room()
        seat = self._actor(room, "room.govern")
        properties = self.dice.choice(
            (
                {"visibility": self.dice.choice(("public", "private"))},
                {"historyVisibility": self.dice.choice(("members", "joined", "invited"))},
                {"permissions": {self.dice.choice(CHANGEABLE): self.dice.choice(NEEDS)}},
                {"permissions": {"join": self.dice.choice(NEEDS)}},
                {"permissions": dict.fromkeys(CHANGEABLE)},
            )
        )
        if len(room.changes) >= CHANGES_KEPT and "permissions" not in properties:
            return
        code = self._refusal(seat, room, "room.update") or self._refusal(seat, room, "room.govern")
        if await self._update(room, seat, properties, code):
            self._happened(room)
            self._shut_out(room)

    async def _update(
        self, room: ModelledRoom, seat: Seated | None, properties: Frame, code: str | None
    ) -> bool:
        answer = await self._ask(seat, "room.update", room, properties, code)
        changed = code is None and room.update(properties)
        if code is None:
            assert answer["duplicate"] is not changed, f"room.update: {answer}"
        if changed:
            assert answer["seq"] == room.head, answer
        return changed

    async def time_passes(self) -> None:
        self.trace.append("100 s pass")
        self._move(100.0)


def granted(room: ModelledRoom, invite: Invitation) -> str:
    """The role, if who invited may still grant it."""
    return invite.role if LEVELS[invite.role] < room.rank(invite.by) else "member"
