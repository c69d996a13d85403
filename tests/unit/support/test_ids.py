"""Ids that nobody can guess."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import uuid

import pytest

from sanic_chatrooms.support import ids as source
from sanic_chatrooms.support.ids import new_epoch, new_id


def test_ids_are_version_4_uuids_and_all_different() -> None:
    ids = {new_id() for _ in range(500)}

    assert len(ids) == 500
    for id in ids:
        parsed = uuid.UUID(id)
        assert (parsed.version, parsed.variant, str(parsed)) == (4, uuid.RFC_4122, id)
    assert {id[19] for id in ids} == set("89ab")


def test_ids_do_not_repeat_when_the_app_seeds_its_dice() -> None:
    random.seed(1)
    first = new_id()
    random.seed(1)

    assert new_id() != first


def test_every_bit_of_an_id_comes_from_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "urandom", bytes)
    monkeypatch.setattr(source, "_ready", [])

    assert new_id() == "00000000-0000-4000-8000-000000000000"
    assert new_epoch() == "0" * 24


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_ids_of_a_forked_process_are_others() -> None:
    script = (
        "import os; from sanic_chatrooms.support.ids import new_id; new_id(); child = os.fork(); "
        "child and os.waitpid(child, 0); print(new_id())"  # one after the other: two would write into one line
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert len(set(told.split())) == 2
