"""The store suite: whatever comes, a store answers as the store in memory does."""

from collections.abc import Collection
from random import Random
from secrets import token_hex
from typing import Any

import msgspec
from msgspec.structs import replace

from ...errors import ChatError
from ...models import PRIVATE, Appended, Draft, Event, Fact, Fold, Relation, Sender
from ...stores.base import Bounds, Store
from ...stores.erasing import Erased
from ...stores.members import BY_USER, MEMBER
from ...stores.memory.store import MemoryStore
from ...stores.unread import PREFS, READ
from .hooks import StoreHooks, fresh

__all__ = ["AgainstMemoryTests"]

USERS = ("u1", "u2", "u3")
KEYS = ("👍", "🎉", "pin")
KINDS = ("member", "invite", "ban", "read")
OWN = (READ, PREFS)
NAMES = (*USERS, "@room", "@admin", "@member")
ROOMS = ("r", "s")
STEPS = 60


class AgainstMemoryTests(StoreHooks):
    """All sentences together."""

    seeds: Collection[int] = range(1)
    """Each is a history of its own, and the same at every run."""

    async def test_a_store_answers_as_the_store_in_memory_does(self) -> None:
        for seed in self.seeds:
            random = Random(seed)  # noqa: S311 - repeatable, not secret
            bounds = Bounds(history_max=40)
            memory = MemoryStore(clock=self.now)
            await memory.start(fresh("suite"), bounds)
            async with self.started(bounds) as store:
                for each in (store, memory):
                    await self.create(each, "r")
                    await self.create(each, "s", visibility=PRIVATE)
                drafted: list[Draft] = []
                for step in range(STEPS):
                    batch = [self._any(random, drafted) for _ in range(random.randrange(1, 8))]
                    drafted += batch

                    answers = [
                        [_told(answer) for answer in await each.append(batch)] for each in (store, memory)
                    ]
                    assert answers[0] == answers[1], (seed, step)
                    if random.random() < 0.3:
                        room, fact = random.choice(ROOMS), _fact(random, own=random.random() < 0.5)
                        assert await store.set_fact(room, fact) == await memory.set_fact(room, fact)
                    if random.random() < 0.3:
                        await _erase(random, store, memory)
                    if step % 10:
                        continue
                    shown = [await _shown(each, Random(step), drafted) for each in (store, memory)]  # noqa: S311
                    assert shown[0] == shown[1], (seed, step)

    def _any(self, random: Random, drafted: list[Draft]) -> Draft:
        keyed = [draft for draft in drafted if draft.key is not None]
        if keyed and random.random() < 0.1:
            return replace(random.choice(keyed), msg_id=token_hex(16))
        room, user = random.choice(ROOMS), random.choice(USERS)
        about = _relation(random, room, drafted)
        relates = about is not None and about.fold is not Fold.COLLECT
        type = "message.changed" if relates else random.choice(("message", "message", "message", "poll.vote"))
        key = f"k{random.randrange(200)}" if random.random() < 0.5 else None
        if_changed = random.random() < 0.5
        return replace(
            self.draft(room, str(random.randrange(2**16)), user=user, type=type, key=key),
            sender=Sender(user, user.upper()),
            about=about,
            facts=_facts(random),
            judged=random.choice((None, None, random.randrange(300))),
            restricts=random.random() < 0.03,
            only_if_changed=if_changed,
            spaced=0 if if_changed else random.choice((0, 0, 0.002)),  # nothing is both
            mentions=tuple(random.sample(NAMES, random.choice((0, 0, 0, 1, 2)))),
        )


async def _erase(random: Random, *stores: Store) -> None:
    """Empty some of the last events of a room, and change others, in all stores."""
    room, user = random.choice(ROOMS), random.choice(USERS)
    page = await stores[0].history(room, before=2**50, limit=random.randrange(1, 50))
    erased = []
    for event in random.sample(page.events, min(len(page.events), random.randrange(1, 4))):
        was = bytes(event.payload) if random.random() < 0.8 else b'{"text":"never"}'
        # Nobody gives a text to a message that is deleted.
        now = random.choice((None, was) if event.deleted else (None, was, b'{"text":"erased"}'))
        erased.append(Erased(event.seq or 0, was, now))
    for store in stores if erased else ():  # without events it is the end of an erasure
        await store.erase(room, user, erased)


def _relation(random: Random, room: str, drafted: list[Draft]) -> Relation | None:
    likely = [draft for draft in drafted[-60:] if draft.room == room and draft.type == "message"]
    if not likely or random.random() < 0.3:
        return None
    target = random.choice(likely if random.random() < 0.9 else drafted).msg_id
    fold = random.choices(list(Fold), weights=(3, 1, 8, 1, 3))[0]
    if fold is Fold.TOGGLE:
        key = random.choice(KEYS)
        owner = "" if key == "pin" else random.choice(USERS)
        return Relation(target, fold, key, owner, random.random() < 0.7, most=random.choice((0, 1, 2)))
    if fold is Fold.CLOSE:
        return Relation(target, fold, random.choice(("", "ended")), value=b'{"text":"closed"}')
    if fold is Fold.REPLACE:
        return Relation(target, fold, value=b'{"text":"%d"}' % random.randrange(2**16))
    return Relation(target, fold)


def _facts(random: Random) -> tuple[Fact, ...]:
    facts = [_fact(random) for _ in range(random.choice((0, 0, 0, 1, 2)))]
    return tuple({(fact.kind, fact.key): fact for fact in facts}.values())


def _fact(random: Random, *, own: bool = False) -> Fact:
    kind, key = random.choice(OWN if own else KINDS), random.choice(USERS)
    if random.random() < 0.2:
        return Fact(kind, key, None, was=random.choice((None, None, b"1")))
    if kind == MEMBER:
        return Fact(kind, key, b'{"name":"","role":"%s"}' % random.choice((b"member", b"admin")))
    if kind == READ:
        return Fact(kind, key, b"%d" % random.randrange(400), random.choice(("max", "set")))
    value = b"%d" % random.randrange(3)
    was = random.choice((None, None, None, b"", b"1"))
    return Fact(kind, key, value, "max" if kind == "read" and random.random() < 0.7 else "set", was=was)


def _told(answer: Appended | ChatError) -> Any:
    if isinstance(answer, ChatError):
        return type(answer).__name__, answer.fields
    payload = None if answer.payload is None else msgspec.json.decode(answer.payload)
    return replace(answer, epoch="", payload=None), payload


async def _shown(store: Store, random: Random, drafted: list[Draft]) -> list[Any]:
    """What there is to see of one room, with all lists read page by page."""
    room, reader, limit = random.choice(ROOMS), random.choice((None, *USERS)), random.randrange(1, 9)
    head = (await store.heads([room]))[room].seq
    place: dict[str, Any] = {random.choice(("after", "before")): max(head - random.randrange(60), 0)}
    views: tuple[dict[str, Any], ...] = (
        {},
        {"timeline": True},
        {"timeline": True, "replies": False},
        {"parent": max(head - random.randrange(50), 1)},
    )
    pages = [await store.history(room, limit=limit, reader=reader, **place, **view) for view in views]
    shown: list[Any] = [(replace(page, epoch="", events=[]), *map(_said, page.events)) for page in pages]
    seqs = range(max(head - 50, 0), head + 2)
    shown.append(await store.related(room, seqs, reader=reader))
    shown.append({seq: _said(event) for seq, event in (await store.events(room, seqs)).items()})
    message = await store.message(room, random.choice(drafted).msg_id)
    shown.append(message and _said(message))
    shown += [await _toggles(store, room, limit, **which) for which in ({"key": "pin"}, {"key": "👍"})]
    shown.append(await _toggles(store, room, limit, target=max(head - random.randrange(30), 1)))
    shown += [(await store.facts(room, kind)).facts for kind in KINDS]
    shown.append((await store.all_facts(room, limit=limit)).facts)
    shown += [(await store.facts_of(kind, user)).facts for kind in sorted(BY_USER) for user in USERS]
    shown += [await store.facts_about(room, user) for user in USERS]
    shown += [await store.unread(user, ROOMS, limit) for user in USERS]
    ranges = {room: [(1, head // 3), (head // 3 + 5, head // 2), (head - 3, head + 9)]}
    shown += [await store.unread(user, ROOMS, seen=ranges) for user in USERS]
    shown += [await store.unread(user, ROOMS, blocked=random.sample(USERS, 2)) for user in USERS]
    found = await store.room(room)
    assert found is not None
    return [*shown, found.restricted, found.seq]


def _said(event: Event) -> Any:
    """An event by what its payload says: a store may write a whole number of seconds as 5 or as 5.0."""
    return replace(event, payload=msgspec.Raw()), msgspec.json.decode(event.payload)


async def _toggles(store: Store, room: str, limit: int, **which: Any) -> list[Any]:
    rows: list[Any] = []
    cursor: str | None = None
    while True:
        page = await store.toggles(room, cursor=cursor, limit=limit, **which)
        rows += page.rows
        cursor = page.cursor
        if cursor is None:
            assert page.total == len(rows)
            return rows
