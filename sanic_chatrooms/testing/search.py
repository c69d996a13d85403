"""Tests of the contract `sanic_chatrooms.stores.search.SearchIndex`, to run on your store.

    from sanic_chatrooms.testing import SearchSuite
    from mystore import MyStore

    class TestSearchOverMyStore(SearchSuite):
        async def make(self) -> MyStore:
            return MyStore("mystore://localhost")

The hooks are those of `StoreSuite`. The number in a test's name is that of the sentence in the contract.
"""

# ruff: noqa: D102 - a test's name is its sentence

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from ..models import PRIVATE, RESERVED, Draft, Fold, Member, Relation, Sender
from ..stores import members
from ..stores.base import Bounds, Store
from ..stores.search import Hits, SearchIndex
from ..support.words import Query, Text
from ._store.hooks import StoreHooks, result

__all__ = ["SearchSuite"]

LATEST = 2**60
VOCABULARY = (
    "lamp", "Lamps", "über", "Ubertragung", "cafe\\u0301", "CAFÉ", "日本語", "本日", "ねこ", "서울에서", "שלום", "مرحبا",
    "🎉", "👩‍💻", "straße", "STRASSE", "a", "ab", "x1y2", "don't", "ﬁne", "नमस्ते",
)  # fmt: skip
QUERIES = (
    "lamp", "LAMPS", "uber", "café", "strasse", "日本", "本", "서울", "שלום", "مرحبا", "🎉", "fine", "a", "lamp 日本", "ab x1y2",
    "nothing of it", "नमस्ते",
)  # fmt: skip
HOSTILE = ('"', "'", "*", "lamp*", "NEAR(a b)", "a AND", "(((", "col:x", "-lamp", "^a", "a\\0b", "%", "_", "!!!", "&|!:<->", "\ud800", "x" * 10_000, "🎉" * 5_000)  # fmt: skip


class SearchSuite(StoreHooks):
    """Tests of the contract of a search index. Derive a test class from it and implement `make`."""

    async def test_1_every_message_that_matches_is_found_and_none_that_does_not(self) -> None:
        async with self.room() as store:
            said = [
                " ".join(VOCABULARY[n * step % len(VOCABULARY)] for step in (1, 3, 5, 7)) for n in range(150)
            ]
            await self.tell(store, said)
            await caught_up(store)
            for query in QUERIES:
                assert await found(store, query) == naive(said, query), query

    async def test_1_messages_above_indexed_are_not_among_the_hits(self) -> None:
        async with self.room() as store:
            await self.tell(store, ["lamp"] * 30)
            await index(store).index(["r"], most=10)

            hits = await index(store).find_in("r", Query("lamp"), before=LATEST)

            assert 0 < hits.indexed < 30
            assert [hit.seq for hit in hits.hits] == list(range(hits.indexed, 0, -1))

    async def test_1_an_edit_is_found_at_once_by_what_it_says_now(self) -> None:
        async with self.room() as store:
            drafts = await self.tell(store, ["lamp", "chair"])
            await caught_up(store)

            await result(store, self.change(drafts[1], Fold.REPLACE, "table"))

            assert await found(store, "table") == [2]
            assert await found(store, "chair") == []
            await caught_up(store)
            assert await found(store, "table") == [2]
            assert await found(store, "chair") == []
            assert [hit.seq for hit in (await look(store, "table")).hits] == [2]
            assert (await look(store, "chair")).hits == []

    async def test_1_other_types_are_not_found(self) -> None:
        async with self.room() as store:
            await result(store, self.draft(text="lamp", type="shop.order"))
            await self.tell(store, ["lamp"])
            await caught_up(store)
            assert await found(store, "lamp") == [2]

    async def test_1_payloads_without_a_text_do_no_harm(self) -> None:
        async with self.room() as store:
            for payload in (b"{}", b'{"text":7}', b'{"text":null}', b'{"text":["lamp"]}', b'{"text":""}'):
                await result(store, msgspec.structs.replace(self.draft(), payload=payload))
            await self.tell(store, ["lamp"])
            await caught_up(store)
            assert await found(store, "lamp") == [6]

    async def test_2_pages_lead_through_all_hits_in_a_room(self) -> None:
        async with self.room() as store:
            await self.tell(store, [f"lamp {n % 3}" for n in range(100)])
            await caught_up(store)

            pages = await every_page(
                lambda at: index(store).find_in("r", Query("lamp 1"), before=at, limit=7)
            )

            assert [hit.seq for hit in pages] == [n + 1 for n in range(99, -1, -1) if n % 3 == 1]

    async def test_2_hits_lie_between_the_bounds(self) -> None:
        async with self.room() as store:
            await self.tell(store, ["lamp"] * 20)
            await caught_up(store)
            hits = await index(store).find_in("r", Query("lamp"), before=15, after=10)
            assert [hit.seq for hit in hits.hits] == [14, 13, 12, 11]
            assert hits.resume is None

    async def test_2_pages_lead_through_the_rooms_of_a_user_by_time(self) -> None:
        async with self.room() as store:
            await self.create(store, "s", visibility=PRIVATE)
            await self.create(store, "other")
            for room in ("r", "s"):
                await members.put(store, room, Member("u1", "Ada"))
            expected = await self.take_turns(store, ("r", "s", "other"))
            await caught_up(store)

            pages = await every_page(lambda at: index(store).find_of("u1", Query("lamp"), before=at, limit=4))

            assert [(hit.room, hit.seq) for hit in pages] == [one for one in expected if one[0] != "other"]
            everywhere = await every_page(lambda at: index(store).find_of(None, Query("lamp"), before=at))
            assert [(hit.room, hit.seq) for hit in everywhere] == expected

    async def test_2_reserved_rooms_are_found_by_nobody(self) -> None:
        async with self.started() as store:
            await self.create(store, "~user.1", visibility=RESERVED)
            await result(store, self.draft("~user.1", "lamp"))
            await caught_up(store)
            assert (await index(store).find_of(None, Query("lamp"), before=LATEST)).hits == []

    async def test_2_a_search_in_own_rooms_indexes_what_is_new_first(self) -> None:
        async with self.room() as store:
            await members.put(store, "r", Member("u1", "Ada"))
            await self.tell(store, ["lamp"])
            hits = await index(store).find_of("u1", Query("lamp"), before=LATEST)
            assert [hit.seq for hit in hits.hits] == [1]

    async def test_3_and_4_two_processes_index_each_message_once(self) -> None:
        async with self.two_processes() as (one, other):
            await self.tell(one, ["lamp"] * 100)

            async def index_all(store: Store) -> None:
                while (await look(store, "lamp")).indexed < 100:
                    await index(store).index(["r"], most=7)
                    await asyncio.sleep(0)

            await asyncio.gather(index_all(one), index_all(other))

            assert await found(other, "lamp") == list(range(100, 0, -1))
            assert [hit.seq for hit in (await look(one, "lamp")).hits] == list(range(100, 0, -1))

    async def test_5_what_was_deleted_or_replaced_is_no_hit_any_more(self) -> None:
        async with self.room() as store:
            drafts = await self.tell(store, ["lamp one", "lamp two", "lamp three"])
            await caught_up(store)

            await result(store, self.change(drafts[0], Fold.ERASE))
            await result(store, self.change(drafts[1], Fold.REPLACE, "chair"))
            await caught_up(store)

            assert [hit.seq for hit in (await look(store, "lamp")).hits] == [3]

    async def test_5_a_deletion_while_the_message_is_being_indexed_leaves_nothing(self) -> None:
        async with self.room() as store:
            drafts = await self.tell(store, [f"lamp {n}" for n in range(40)])

            async def delete_all() -> None:
                for draft in drafts:
                    await result(store, self.change(draft, Fold.ERASE))

            async def index_all() -> None:
                while (await look(store, "lamp")).indexed < 40:
                    await index(store).index(["r"], most=3)

            await asyncio.gather(delete_all(), index_all())
            await caught_up(store)

            assert (await look(store, "lamp")).hits == []

    async def test_6_a_room_that_is_made_again_finds_nothing_of_the_old_one(self) -> None:
        async with self.room() as store:
            await self.tell(store, ["lamp"])
            await caught_up(store)
            await store.delete_room("r")
            await self.create(store, "r")
            await self.tell(store, ["chair", "chair"])
            await caught_up(store)
            assert (await look(store, "lamp")).hits == []
            assert (await index(store).find_of(None, Query("lamp"), before=LATEST)).hits == []

    async def test_6_what_was_trimmed_is_not_found(self) -> None:
        async with self.room(Bounds(history_max=10)) as store:
            await self.tell(store, ["lamp"] * 30)
            await caught_up(store)
            assert await found(store, "lamp") == list(range(30, 20, -1))

    async def test_7_no_query_is_an_error(self) -> None:
        async with self.room() as store:
            await members.put(store, "r", Member("u1", "Ada"))
            await self.tell(store, ["lamp", *HOSTILE[:10]])
            await caught_up(store)
            for query in HOSTILE:
                await index(store).find_in("r", Query(query), before=LATEST)
                await index(store).find_of("u1", Query(query), before=LATEST)

    # ---- ways to say it ----

    async def tell(self, store: Store, said: Sequence[str], room: str = "r") -> list[Draft]:
        """Append messages with these texts, as one batch."""
        drafts = [self.saying(text, room) for text in said]
        await store.append(drafts)
        return drafts

    def saying(self, text: str, room: str = "r") -> Draft:
        """A draft with any text."""
        try:
            payload = msgspec.json.encode({"text": text})
        except UnicodeEncodeError:  # a lone surrogate, which no client can send
            payload = b"{}"
        return msgspec.structs.replace(self.draft(room), payload=payload)

    def change(self, of: Draft, fold: Fold, text: str = "") -> Draft:
        """An edit or a deletion of a message."""
        value = msgspec.json.encode({"text": text}) if fold is Fold.REPLACE else b""
        return self.draft(of.room, type="message.changed", about=Relation(of.msg_id, fold, value=value))

    async def take_turns(self, store: Store, rooms: Sequence[str]) -> list[tuple[str, int]]:
        """Messages in several rooms, a second apart. -> their rooms and numbers, newest first."""
        at = self.now() - 1_000
        said = []
        for n in range(12):
            room = rooms[n % len(rooms)]
            draft = msgspec.structs.replace(
                self.saying("lamp", room), timestamp=at + n, sender=Sender("u2", "Bob")
            )
            said.append((room, (await result(store, draft)).seq))
        return said[::-1]


def index(store: Store) -> SearchIndex:
    """The store as an index."""
    assert isinstance(store, SearchIndex)
    assert store.searches, "this store cannot have an index"
    return store


async def caught_up(store: Store) -> None:
    """Index everything."""
    rooms = [room.id for room in (await store.rooms(limit=200)).rooms]
    while await index(store).index() or await index(store).index(rooms):
        pass


async def look(store: Store, query: str, room: str = "r") -> Hits:
    """The newest hits in a room."""
    return await index(store).find_in(room, Query(query), before=LATEST)


async def found(store: Store, query: str, room: str = "r") -> list[int]:
    """The numbers of the messages that match, newest first."""
    hits = await every_page(lambda at: index(store).find_in(room, Query(query), before=at, limit=40))
    events = await store.events(room, [hit.seq for hit in hits])
    return [hit.seq for hit in hits if hit.seq in events and _matches(bytes(events[hit.seq].payload), query)]


def _matches(payload: bytes, query: str) -> bool:
    text = msgspec.json.decode(payload).get("text")
    return isinstance(text, str) and Query(query).find(Text(text)) is not None


async def every_page(page: Callable[[int], Awaitable[Hits]]) -> list:  # type: ignore[type-arg]
    """All hits, page by page."""
    hits, at = [], LATEST
    while True:
        found = await page(at)
        hits += found.hits
        if found.resume is None:
            return hits
        assert found.resume < at, "a page leads further"
        at = found.resume


def naive(said: Sequence[str], query: str) -> list[int]:
    """The numbers of the texts that match, newest first, without any index."""
    asked = Query(query)
    return [n for n in range(len(said), 0, -1) if asked.find(Text(said[n - 1])) is not None]
