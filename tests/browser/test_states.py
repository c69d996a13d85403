"""Every state of the pages, wide and on a phone, light and dark: axe finds nothing moderate or worse in it, nor does our own audit."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
import pytest_asyncio
from sanic import Sanic

from tests.browser.acts import CUTTABLE
from tests.browser.conftest import Pages
from tests.browser.served import ServedApp
from tests.browser.test_looks import DESKTOP, PHONE
from tests.browser.walks import TABLE, WALKS, Walk, a_site
from tests.support.fixtures import Live
from tests.support.thorough import unless_thorough

SIZES = {"wide": DESKTOP, "phone": PHONE}
WIDE, SMALL = ("wide", "light"), ("phone", "dark")
TWICE = [(name, *look) for name in TABLE for look in (WIDE, SMALL)]
ONCE = [("accounts", *SMALL), ("guests", *WIDE), ("talk", *WIDE), ("rooms", *SMALL), ("element", *WIDE)]


@pytest_asyncio.fixture(loop_scope="session")
async def served(app: Sanic[Any, Any], live: Live, tmp_path: Path, often: None) -> ServedApp:
    return a_site(app, live, tmp_path)


def test_there_are_many_states_and_each_has_one_name() -> None:
    assert sum(map(len, TABLE.values())) >= 60
    for states in TABLE.values():
        assert len(set(states)) == len(states)


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize(
    ("name", "size", "scheme"),
    [
        pytest.param(*look, marks=[pytest.mark.whole_browser] if look[0] == "talk" else [])
        for look in unless_thorough(ONCE, TWICE)
    ],
)
async def test_nothing_is_wrong_with_any_state(
    served: ServedApp, new_page: Pages, name: str, size: str, scheme: Literal["light", "dark"]
) -> None:
    await served.open("news", "quiet")
    page = await new_page(**SIZES[size], color_scheme=scheme, reduced_motion="reduce")
    await page.add_init_script(CUTTABLE)
    walk = Walk(served, new_page, page, size, scheme, host="chat-room" if name == "element" else None)

    await WALKS[name](walk)

    assert not walk.found, "\n".join(walk.found)
    assert sorted(walk.seen) == sorted(TABLE[name])
