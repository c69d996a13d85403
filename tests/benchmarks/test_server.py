"""A server under test."""

from __future__ import annotations

from unittest.mock import Mock

import pytest

from benchmarks import server


def test_a_server_is_measured_when_it_has_done_what_belongs_to_its_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "LOOKS_EVERY", 0)
    loading = Mock(spec=server.Running)
    loading.cpu.side_effect = [0.3, 0.5, 0.7, 0.71]

    server.wait_until_started(loading)

    assert loading.cpu.call_count == 4


def test_a_server_that_is_never_idle_is_measured_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "LOOKS_EVERY", 0)
    monkeypatch.setattr(server, "PATIENCE", 0)
    busy = Mock(spec=server.Running)
    busy.cpu.side_effect = [0.3, 0.5]

    server.wait_until_started(busy)

    assert busy.cpu.call_count == 1
