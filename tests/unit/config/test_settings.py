"""Settings: their defaults and bounds, and the page that lists them.

`python -m tests.unit.config.test_settings` writes the table of docs/reference/settings.md anew.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sanic_chatrooms.access.limits.rate import Rate
from sanic_chatrooms.config.load import load
from sanic_chatrooms.config.settings import FIELDS, Field, Settings

SECRET = "0123456789abcdef0123456789abcdef"
PAGE = Path(__file__).parents[3] / "docs" / "reference" / "settings.md"


def settings_of(
    instance: str = "default",
    *,
    config: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    code: Mapping[str, Any] | None = None,
    debug: bool = False,
    instances: tuple[str, ...] = ("default",),
) -> Settings:
    return load(instance, config or {}, environ or {}, code or {}, debug=debug, instances=instances)


# Defaults


def test_nothing_set_is_all_defaults() -> None:
    settings = settings_of()

    assert settings.store == "memory:"
    assert (settings.broker, settings.presence, settings.auth) == (None, None, None)
    assert (settings.guests, settings.page, settings.auto_create) == (False, False, False)
    assert (settings.max_frame, settings.max_text, settings.outbox_limit) == (65_536, 16_000, 1_048_576)
    assert (settings.heartbeat_interval, settings.heartbeat_timeout) == (30, 90)
    assert settings.jwt_algorithms is None
    assert settings.allowed_origins == ()
    assert (settings.history_page, settings.history_max, settings.max_connections) == (50, None, None)


@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)
def test_every_default_is_a_value_that_may_be_written(field: Field) -> None:
    assert field.read(field.default) == field.default


@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)
def test_every_number_has_a_unit_and_two_bounds(field: Field) -> None:
    if field.type in (int, float):
        assert field.setting.unit
        assert field.setting.minimum is not None
        assert field.setting.maximum is not None


@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)
def test_both_bounds_are_inside_and_the_next_number_is_outside(field: Field) -> None:
    setting = field.setting
    if field.type not in (int, float) or setting.minimum is None or setting.maximum is None:
        return
    step = 1 if field.type is int else 0.01

    assert field.read(setting.minimum) == setting.minimum
    assert field.read(setting.maximum) == setting.maximum
    for outside in (setting.minimum - step, setting.maximum + step):
        with pytest.raises(ValueError, match="too"):
            field.read(outside)


@pytest.mark.parametrize("name", ["page", "auto_create"])
@pytest.mark.parametrize(
    ("guests", "debug", "on"), [(False, False, False), (True, False, True), (False, True, True)]
)
def test_page_and_rooms_come_with_guests_or_debug(name: str, guests: bool, debug: bool, on: bool) -> None:
    settings = settings_of(config={"CHATROOMS_GUESTS": guests}, debug=debug)

    assert getattr(settings, name) is on


def test_page_and_rooms_can_be_switched_off_with_guests() -> None:
    settings = settings_of(
        config={"CHATROOMS_PAGE": False, "CHATROOMS_AUTO_CREATE": False}, code={"guests": True}
    )

    assert (settings.page, settings.auto_create) == (False, False)


# The page in the docs


def _default(field: Field) -> str:
    value = field.default
    if value is None:
        return field.setting.none
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, Rate):
        return f"`{value}`"
    if isinstance(value, int | float):
        return (
            f"{value:,.10g} {field.setting.unit}"
            if isinstance(value, float)
            else f"{value:,} {field.setting.unit}"
        )
    return f"`{', '.join(value) if isinstance(value, tuple) else value}`" if value else "empty"


def _row(field: Field) -> str:
    rule = field.setting
    takes = [field.expected]
    takes += [f"less than `{rule.below.upper()}`"] if rule.below else []
    takes += [f"at most `{rule.at_most.upper()}`"] if rule.at_most else []
    where = (" *Per route.*" if rule.per_route else "") + (" *At run time.*" if rule.at_run_time else "")
    return f"| `{field.name.upper()}` | {rule.doc}{where} | {_default(field)} | {'; '.join(takes)} |"


def table() -> str:
    head = "| Key | What it does | Default | Takes |\n|---|---|---|---|\n"
    return head + "\n".join(map(_row, FIELDS.values())) + "\n"


def _with_table(page: str) -> str:
    return re.sub(
        r"(?<=<!-- table -->\n).*(?=<!-- end of table -->)", lambda _: table(), page, flags=re.DOTALL
    )


def test_the_page_lists_every_setting_with_default_and_bound() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert page == _with_table(page), "python -m tests.unit.config.test_settings writes the table anew"
    for field in FIELDS.values():
        assert _row(field) in page


if __name__ == "__main__":
    PAGE.write_text(_with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
