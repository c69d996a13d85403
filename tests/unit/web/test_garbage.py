"""What is loaded when the server has started is exempt from garbage collection, once in a process."""

from __future__ import annotations

import gc
from unittest.mock import Mock, call

import pytest

from sanic_chatrooms.web.workers import garbage


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Mock:
    collector = Mock(spec=gc)
    monkeypatch.setattr(garbage, "gc", collector)
    return collector


def test_garbage_is_collected_before_what_is_left_is_frozen(collector: Mock) -> None:
    collector.get_freeze_count.return_value = 0

    garbage.freeze_loaded()

    assert collector.mock_calls == [call.get_freeze_count(), call.collect(), call.freeze()]


def test_a_process_that_has_frozen_something_is_left_alone(collector: Mock) -> None:
    collector.get_freeze_count.return_value = 1

    garbage.freeze_loaded()

    assert collector.mock_calls == [call.get_freeze_count()]
