from __future__ import annotations

import stat
from pathlib import Path

import pytest

from example_app.notifications.subscriptions import MOST, Subscriptions
from example_app.notifications.web_push import Subscription


def browser(name: str) -> Subscription:
    return Subscription(f"https://push.example/{name}", b"p", b"a")


@pytest.fixture
def kept(tmp_path: Path) -> Subscriptions:
    kept = Subscriptions(tmp_path / "notifications.sqlite3")
    kept.start()
    return kept


def test_a_browser_belongs_to_whoever_came_last_with_it(kept: Subscriptions) -> None:
    kept.add("ada", "login-1", browser("one"))
    kept.add("ben", "login-2", browser("one"))

    assert kept.of("ada") == []
    assert kept.of("ben") == [browser("one")]


def test_a_further_browser_replaces_the_oldest(kept: Subscriptions) -> None:
    kept.add("ben", "", browser("of-ben"))
    for number in range(MOST + 2):
        kept.add("ada", "", browser(f"{number}"))

    assert kept.of("ada") == [browser(f"{number}") for number in range(2, MOST + 2)]
    assert kept.of("ben") == [browser("of-ben")]


def test_nobody_removes_the_browser_of_somebody_else(kept: Subscriptions) -> None:
    kept.add("ada", "", browser("one"))

    kept.remove(browser("one").endpoint, "ben")
    assert kept.of("ada")
    kept.remove(browser("one").endpoint, "ada")
    assert not kept.of("ada")


def test_the_end_of_a_sign_in_ends_its_subscriptions(kept: Subscriptions) -> None:
    kept.add("ada", "phone", browser("phone"))
    kept.add("ada", "desk", browser("desk"))

    kept.forget("phone")

    assert kept.of("ada") == [browser("desk")]


def test_choices_are_kept_for_each_room(kept: Subscriptions) -> None:
    kept.choose("ada", "general", "mentions")
    kept.choose("ada", "general", "none")

    assert [kept.choice("ada", "general"), kept.choice("ada", "random")] == ["none", "all"]


def test_what_is_kept_outlives_the_process_and_only_its_user_reads_it(
    kept: Subscriptions, tmp_path: Path
) -> None:
    kept.add("ada", "", browser("one"))
    path = tmp_path / "notifications.sqlite3"

    again = Subscriptions(path)
    again.start()

    assert again.of("ada") == [browser("one")]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
