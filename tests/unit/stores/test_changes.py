from __future__ import annotations

import pytest

from sanic_chatrooms.models import Fact
from sanic_chatrooms.stores.changes import changes, completed


@pytest.mark.parametrize(
    ("payload", "count", "whole"),
    [
        (b"{}", None, b'{"seq":3}'),
        (b"{}", 0, b'{"seq":3,"count":0}'),
        (b'{"a": 1}', None, b'{"seq":3,"a": 1}'),
        (b'{"a": 1}', 2, b'{"seq":3,"count":2,"a": 1}'),
    ],
)
def test_a_payload_is_completed_at_its_front(payload: bytes, count: int | None, whole: bytes) -> None:
    assert completed(payload, 3, count) == whole


@pytest.mark.parametrize(
    ("present", "value", "changed"),
    [
        (None, None, False),
        (None, b"1", True),
        (b"1", None, True),
        (b"1", b"1", False),
        (b"1", b"2", True),
        (b"2", b"1", True),
        (b"1", b" 1", True),
    ],
)
def test_a_fact_changes_something_if_its_value_is_another(
    present: bytes | None, value: bytes | None, changed: bool
) -> None:
    assert changes(present, Fact("kind", "key", value)) is changed


@pytest.mark.parametrize(
    ("present", "value", "changed"),
    [
        (None, b"0", True),
        (b"9", b"10", True),
        (b"10", b"9", False),
        (b"10", b"10", False),
        (b"9", None, True),
    ],
)
def test_a_maximum_changes_something_if_it_is_higher(
    present: bytes | None, value: bytes | None, changed: bool
) -> None:
    assert changes(present, Fact("kind", "key", value, "max")) is changed
