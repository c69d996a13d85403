"""What must hold before an instance starts."""

from collections.abc import Mapping
from typing import Any

import pytest

from sanic_chatrooms.config.checks import check_name, require_auth, require_scope
from sanic_chatrooms.config.load import load
from sanic_chatrooms.config.settings import Settings
from sanic_chatrooms.errors import ConfigError
from sanic_chatrooms.models import Scope

SECRET = "0123456789abcdef0123456789abcdef"


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


# Names of instances


@pytest.mark.parametrize("name", ["default", "support", "team_2", "a", "x" * 32, "rater", "maximum", "roomy"])
def test_a_good_name(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize("name", ["", "Support", "2nd", "_x", "a-b", "a.b", "x" * 33, "é", "a\n", None, 5])
def test_a_name_of_another_form_is_refused(name: Any) -> None:
    with pytest.raises(ConfigError, match=r"a-z, 0-9 and _"):
        check_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "jwt", "max", "store", "page", "auth", "guest", "guests", "history", "max_connections", "presence", "token",
        "rate", "rate_messages", "ticket", "metrics", "cors", "slow", "required", "embedded", "jwt_public",
        "team_history",
    ],
)  # fmt: skip
def test_a_name_that_could_be_a_key_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="could be mistaken for the key CHATROOMS_"):
        check_name(name)


# Rules at start


@pytest.mark.parametrize(
    ("instance", "keys"),
    [
        ("default", ("CHATROOMS_JWT_SECRET", "CHATROOMS_GUESTS = True")),
        ("support", ("CHATROOMS_SUPPORT_JWT_SECRET", "CHATROOMS_SUPPORT_GUESTS = True")),
    ],
)
def test_somebody_must_be_able_to_get_in(instance: str, keys: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as caught:
        require_auth(settings_of(instance), has_authenticator=False)

    for key in keys:
        assert key in str(caught.value)


@pytest.mark.parametrize("code", [{"guests": True}, {"jwt_secret": SECRET}, {"auth": object()}])
def test_one_way_in_is_enough(code: dict[str, Any]) -> None:
    settings = settings_of(code=code)

    assert require_auth(settings, has_authenticator=False) is settings


def test_an_authenticator_of_the_code_is_enough() -> None:
    settings = settings_of()

    assert require_auth(settings, has_authenticator=True) is settings


def test_in_debug_guests_come_in_where_nobody_else_could() -> None:
    assert require_auth(settings_of(debug=True), has_authenticator=False).guests is True
    assert (
        require_auth(settings_of(debug=True, code={"jwt_secret": SECRET}), has_authenticator=False).guests
        is False
    )


def test_several_workers_need_backends_that_reach_them() -> None:
    scopes = {"store": Scope.PROCESS, "broker": Scope.CLUSTER, "presence": Scope.PROCESS}

    with pytest.raises(ConfigError, match=r"2 workers, but CHATROOMS_STORE and CHATROOMS_PRESENCE") as caught:
        require_scope(2, scopes)

    assert "Run one worker" in str(caught.value)
    assert "redis://HOST" in str(caught.value)
    assert "BROKER" not in str(caught.value)
    assert "or set CHATROOMS_STORE (broker and presence follow it" in str(caught.value)


def test_one_worker_may_have_any_backend_and_several_a_wide_one() -> None:
    require_scope(1, {"store": Scope.PROCESS})
    require_scope(8, {"store": Scope.CLUSTER, "broker": Scope.MACHINE})
