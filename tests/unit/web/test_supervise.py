"""One watchdog for an app, whatever its instances say."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from sanic_chatrooms.config.load import load
from sanic_chatrooms.config.settings import Settings
from sanic_chatrooms.web.workers.supervise import (
    prepare_watchdog,
    start_beats,
    start_watchdog,
    stop_beats,
    stop_watchdog,
)


def settings_of(**code: Any) -> Settings:
    return load("default", {}, {}, {"guests": True, **code}, debug=False, instances=("default",))


def new_app(**more: Any) -> Any:
    """As much of a Sanic app as is asked for."""
    return SimpleNamespace(
        ctx=SimpleNamespace(),
        shared_ctx=SimpleNamespace(),
        debug=False,
        state=SimpleNamespace(auto_reload=False),
        manager=SimpleNamespace(transient_processes=(), monitor_publisher=SimpleNamespace(send=None)),
        **more,
    )


@pytest.fixture
def app() -> Iterator[Any]:
    app = new_app()
    yield app
    stop_watchdog(app)


def watching(app: Any, *settings: Settings) -> Any:
    prepare_watchdog(app, settings)
    start_watchdog(app, settings)
    return getattr(app.ctx, "_chatrooms_watchdog", None)


def test_it_is_as_patient_as_the_most_patient_instance(app: Any) -> None:
    dog = watching(app, settings_of(watchdog_silence=3.0), settings_of(watchdog_silence=60.0))

    assert dog._silence == 60.0
    assert watching(app, settings_of()) is dog


def test_in_debug_nobody_is_killed_for_being_silent(app: Any) -> None:
    app.debug = True

    assert watching(app, settings_of())._silence is None


def test_one_instance_can_switch_it_off(app: Any) -> None:
    assert watching(app, settings_of(), settings_of(watchdog=False)) is None
    assert not vars(app.shared_ctx)


async def test_only_workers_beat(app: Any) -> None:
    start_beats(app)  # no multiplexer: a single process
    prepare_watchdog(app, [settings_of()])
    start_beats(app)
    assert not hasattr(app.ctx, "_chatrooms_beats")

    app.multiplexer = object()
    start_beats(app)
    assert hasattr(app.ctx, "_chatrooms_beats")
    stop_beats(app)
    stop_beats(app)

    assert [beat.goes_on for beat in app.ctx._chatrooms_pipe.read()] == [True, False]


def test_stopping_what_never_started_does_nothing() -> None:
    stop_watchdog(new_app())
    stop_beats(new_app())
