from __future__ import annotations

import asyncio

import click
import pytest

from sanic_chatrooms.client import NoAnswer
from sanic_chatrooms.command_line.source import Source, addresses, patiently, split
from sanic_chatrooms.errors import RateLimited
from tests.support.process import free_port


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://a.example", ["wss://a.example/chat/ws", "wss://a.example/ws"]),
        ("http://a.example:8000/", ["ws://a.example:8000/chat/ws", "ws://a.example:8000/ws"]),
        ("https://a.example/support/", ["wss://a.example/support/ws", "wss://a.example/support"]),
        ("wss://a.example/chat/ws?x=1#top", ["wss://a.example/chat/ws?x=1"]),
        ("ws://[::1]:8000/chat/ws/general", ["ws://[::1]:8000/chat/ws/general"]),
    ],
)
def test_the_socket_is_below_the_prefix_or_it_is_what_was_given(url: str, found: list[str]) -> None:
    assert addresses(url) == found


@pytest.mark.parametrize(
    "url", ["sqlite:///chat.db", "https://", "https://a:b/", "http://[::1/", "https://me@a/"]
)
def test_what_is_no_address_of_a_server_is_refused(url: str) -> None:
    with pytest.raises(click.UsageError, match="is no address of a server"):
        addresses(url)


def test_the_url_comes_first_or_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATROOMS_URL", "redis://h")

    assert split(["https://a.example", "general", "see https://b.example"]) == (
        "https://a.example", ["general", "see https://b.example"],
    )  # fmt: skip
    assert split(["general", "https://b.example"]) == ("redis://h", ["general", "https://b.example"])
    assert split([]) == ("redis://h", [])


async def test_where_nobody_answers_no_password_and_no_token_of_the_url_is_shown() -> None:
    source = Source(f"http://me:sesame@127.0.0.1:{free_port()}/chat?token=sesame", timeout=0.1)

    with pytest.raises(NoAnswer) as refused:
        async with source.client():
            pass

    assert "within 0.1 s" in str(refused.value)
    assert "sesame" not in str(refused.value)


@pytest.mark.parametrize(("token", "is_guest"), [(None, True), ("t", False)])
async def test_where_nobody_answers_who_shows_no_token_learns_that_guests_may_be_off(
    token: str | None, is_guest: bool
) -> None:
    source = Source(f"http://127.0.0.1:{free_port()}/chat", token=token, timeout=0.1)

    with pytest.raises(NoAnswer) as refused:
        async with source.client():
            pass

    assert ("give --token" in str(refused.value)) == is_guest


async def test_where_the_server_is_asked_too_fast_it_is_asked_again_later() -> None:
    asked: list[float] = []

    async def ask() -> str:
        asked.append(asyncio.get_running_loop().time())
        if len(asked) < 3:
            raise RateLimited(retry_after=0.01)
        return "answer"

    assert await patiently(ask) == "answer"
    assert len(asked) == 3
