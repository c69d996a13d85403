from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from example_app.uploads import files as rules
from example_app.uploads.files import PER_HOUR, UNSENT, Files, attachment_of, id_in
from sanic_chatrooms import RateLimited, Unavailable
from sanic_chatrooms.models import direct_room


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def files(tmp_path: Path, clock: Clock) -> Files:
    files = Files(tmp_path / "files", clock)
    files.start()
    return files


def named(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.rglob("*") if path.is_file())


def age(directory: Path, at: float) -> None:
    for path in directory.rglob("*"):
        if path.is_file():
            os.utime(path, (at, at))


def test_a_file_is_kept_under_a_random_id_that_only_its_owner_reads(files: Files, tmp_path: Path) -> None:
    file = files.keep("general", "u1", "../plan.txt", b"the plan")

    assert files.find(file.id) == (file, b"the plan")
    assert (file.name, file.type, file.size, file.user) == ("plan.txt", "text/plain", 8, "u1")
    assert named(tmp_path) == sorted([file.id, f"{file.id}.json"])
    paths = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}


@pytest.mark.parametrize("room", ["general", "a.b:c~d-e_f", direct_room("u1", "u2")])
def test_its_attachment_is_what_a_message_says(files: Files, room: str) -> None:
    attachment = attachment_of(files.keep(room, "u1", "plan.txt", b"the plan"))

    assert set(attachment) == {"url", "name", "type", "size", "sha256"}
    assert id_in(attachment["url"]) is not None


@pytest.mark.parametrize(
    "url",
    [None, 7, "", "/files/a", "/files/a/../b", "https://x.org/files/a/" + "0" * 32, "/files/a/" + "G" * 32],
)
def test_other_addresses_are_none_of_ours(url: object) -> None:
    assert id_in(url) is None


def test_what_no_message_has_is_deleted_after_a_day_and_what_was_sent_stays(
    files: Files, tmp_path: Path, clock: Clock
) -> None:
    sent, unsent = (files.keep("general", "u1", name, b"x") for name in ("sent", "unsent"))
    files.send(sent.id)
    files.send(sent.id)
    assert files.find(sent.id) == (sent, b"x")
    age(tmp_path, clock.now)
    clock.now += UNSENT + 1

    fresh = files.keep("general", "u1", "fresh", b"x")

    assert files.find(unsent.id) is None
    assert files.find(sent.id) == (sent, b"x")
    assert files.find(fresh.id) == (fresh, b"x")


def test_a_file_is_deleted_wherever_it_is(files: Files, tmp_path: Path) -> None:
    sent, unsent = (files.keep("general", "u1", name, b"x") for name in ("sent", "unsent"))
    files.send(sent.id)

    for id in (sent.id, unsent.id, unsent.id):
        files.delete(id)

    assert named(tmp_path) == []


def test_one_user_brings_so_many_in_an_hour(files: Files, clock: Clock) -> None:
    for _ in range(PER_HOUR):
        files.count("u1", 1)
    with pytest.raises(RateLimited) as refused:
        files.count("u1", 1)
    files.count("u2", 1)
    clock.now += 3600
    files.count("u1", 1)

    assert refused.value.fields["retryAfter"] == 3600


def test_one_user_brings_so_much_in_an_hour(files: Files) -> None:
    files.count("u1", 90_000_000)
    with pytest.raises(RateLimited):
        files.count("u1", 20_000_000)
    files.count("u1", 10_000_000)


def test_there_is_a_bound_on_all(files: Files, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    monkeypatch.setattr(rules, "IN_ALL", 10)
    files.keep("general", "u1", "a", b"12345678")
    with pytest.raises(Unavailable):
        files.keep("general", "u1", "b", b"12345678")
