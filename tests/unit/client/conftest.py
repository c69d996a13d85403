"""What the tests of the Python client share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.fake_chat import FakeChat, fake_chat


@pytest.fixture
async def chat() -> AsyncIterator[FakeChat]:
    async with fake_chat() as chat:
        yield chat
