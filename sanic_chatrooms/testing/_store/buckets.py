"""The store suite: token buckets that all processes share."""

import asyncio

from .hooks import StoreHooks


class BucketTests(StoreHooks):
    """`take`."""

    async def test_of_a_full_bucket_burst_tokens_are_there_at_once_and_then_one_each_interval(self) -> None:
        async with self.two_processes() as (one, other):
            slow = (0.001, 3)  # a token in 1,000 seconds
            taken = [await store.take("a", *slow) for store in (one, other, one)]
            waits = [await store.take("a", *slow) for store in (one, other)]

            assert taken == [0.0, 0.0, 0.0]
            assert all(900.0 < wait <= 1_000.0 for wait in waits), "a refusal takes nothing"
            assert await one.take("A", *slow) == await one.take("a ", *slow) == 0.0, "other keys"

    async def test_tokens_come_back_with_time_up_to_burst(self) -> None:
        async with self.two_processes() as (one, other):
            assert [await one.take("a", 1.0, 2) for _ in range(2)] == [0.0, 0.0]
            assert await other.take("a", 1.0, 2) > 0.0
            await self.pass_time(1.1)
            assert await other.take("a", 1.0, 2) == 0.0
            assert 0.0 < await one.take("a", 1.0, 2) <= 1.0
            await self.pass_time(3.0)
            assert [await one.take("a", 1.0, 2) > 0 for _ in range(3)] == [False, False, True]

    async def test_of_many_who_take_at_once_only_burst_get_a_token(self) -> None:
        async with self.two_processes() as (one, other):
            waits = await asyncio.gather(*(store.take("a", 0.001, 5) for store in (one, other) * 10))

            assert sum(not wait for wait in waits) == 5
