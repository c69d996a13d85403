"""Keywords are typed as the settings are: a setting that is new has to be added there."""

from __future__ import annotations

from collections.abc import Collection
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest

from sanic_chatrooms.access.limits.rate import Rate
from sanic_chatrooms.config.keywords import InstanceSettings, RouteSettings, RunTimeSettings
from sanic_chatrooms.config.settings import FIELDS, Field

INSTANCE: dict[str, Any] = get_type_hints(InstanceSettings)
RUN_TIME: dict[str, Any] = get_type_hints(RunTimeSettings)
ROUTE: dict[str, Any] = get_type_hints(RouteSettings)


def test_every_setting_is_a_keyword_of_an_instance() -> None:
    assert list(INSTANCE) == list(FIELDS)


def test_the_settings_that_may_change_are_keywords_of_reconfigure() -> None:
    assert list(RUN_TIME) == [name for name, field in FIELDS.items() if field.setting.at_run_time]


def test_the_settings_of_a_connection_are_keywords_of_a_route() -> None:
    assert list(ROUTE) == [name for name, field in FIELDS.items() if field.setting.per_route]


@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)
@pytest.mark.parametrize("keywords", [INSTANCE, ROUTE, RUN_TIME], ids=["instance", "route", "run time"])
def test_a_keyword_has_the_type_of_its_setting(keywords: dict[str, Any], field: Field) -> None:
    if field.name not in keywords:
        return
    hint = keywords[field.name]
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)

    if field.type is Any:
        assert str in kinds  # or an object, of a class of its own
    else:
        assert {tuple[str, ...]: Collection[str], Rate: str}.get(field.type, field.type) in kinds
    assert (NoneType in kinds) == (field.optional or keywords is not ROUTE)
