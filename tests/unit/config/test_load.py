"""Reading settings: what is refused, in which words, and where a value comes from."""

import itertools
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sanic.config import Config

from sanic_chatrooms.config.load import load, override
from sanic_chatrooms.config.settings import PLANNED, Settings
from sanic_chatrooms.errors import ConfigError

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


def refusal(**sources: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        settings_of(**sources)
    return str(caught.value)


class Backend:
    """An app's own, whose repr tells more than it should."""

    def __repr__(self) -> str:
        return "Backend(password=hunter2)"


# What is refused

BAD: list[tuple[str, Any, str, str]] = [
    # key, value, how the value is shown, what is said of the bound
    ("MAX_FRAME", 12, "12", "a whole number of bytes from 1,024 to 16,777,216"),
    ("MAX_FRAME", 16 * 1024 * 1024 + 1, "16777217", "from 1,024 to 16,777,216"),
    ("MAX_FRAME", 10**6000, "<int>", "from 1,024 to 16,777,216"),
    ("MAX_FRAME", -65_536, "-65536", "from 1,024 to 16,777,216"),
    ("MAX_FRAME", True, "True", "a whole number of bytes"),
    ("MAX_FRAME", "65536", "'65536'", "a whole number of bytes"),
    ("MAX_FRAME", 65_536.0, "65536.0", "a whole number of bytes"),
    ("MAX_FRAME", None, "None", "a whole number of bytes"),
    ("MAX_TEXT", 0, "0", "a whole number of characters from 1 to"),
    ("MAX_TEXT", 70_000, "70000", "must be at most CHATROOMS_MAX_FRAME = 65536"),
    ("MAX_JSON_DEPTH", 1_000, "1000", "levels from 4 to 128"),
    ("MAX_BAD_FRAMES", 0, "0", "frames from 1 to 1,000"),
    ("OUTBOX_LIMIT", 0, "0", "bytes from 4,096 to"),
    ("HISTORY_PAGE", 201, "201", "events from 1 to 200"),
    ("HISTORY_PAGE", 0, "0", "events from 1 to 200"),
    ("HISTORY_MAX", 0, "0", "events from 1 to 1,000,000,000, or None"),
    ("RECOVERY_LIMIT", 501, "501", "events from 0 to 500"),
    ("RETENTION", 0, "0", "seconds from 1 to"),
    ("DEDUP_WINDOW", 299, "299", "a number of seconds from 300 to 604,800"),
    ("MAX_ROOMS", -1, "-1", "rooms from 1 to"),
    ("MAX_ROOMS_PER_CONNECTION", 1.5, "1.5", "a whole number of rooms"),
    ("MAX_CONNECTIONS", 0, "0", "connections from 1 to 10,000,000, or None"),
    ("MAX_CONNECTIONS_PER_IP", "many", "'many'", "a whole number of connections"),
    ("HEARTBEAT_INTERVAL", 0, "0", "seconds from 0.1 to 3,600"),
    ("HEARTBEAT_INTERVAL", 90, "90", "must be less than CHATROOMS_HEARTBEAT_TIMEOUT = 90.0"),
    ("HEARTBEAT_TIMEOUT", 20, "20", "must be less than CHATROOMS_HEARTBEAT_TIMEOUT = 20"),
    ("HEARTBEAT_TIMEOUT", math.nan, "nan", "seconds from 0.1 to 7,200"),
    ("STORE_TIMEOUT", math.inf, "inf", "seconds from 0.05 to 300"),
    ("STORE_TIMEOUT", -math.inf, "-inf", "seconds from 0.05 to 300"),
    ("STORE_TIMEOUT", 10**400, "1000", "seconds from 0.05 to 300"),
    ("STORE_TIMEOUT", True, "True", "a number of seconds"),
    ("AUTH_TIMEOUT", -1, "-1", "seconds from 0.1 to 300"),
    ("JWT_LEEWAY", 61, "61", "seconds from 0 to 60"),
    ("PRESENCE_GRACE", 60, "60", "must be less than CHATROOMS_PRESENCE_TTL = 60.0"),
    ("PRESENCE_TTL", 5, "5", "must be less than CHATROOMS_PRESENCE_TTL = 5"),
    ("DRAIN_SECONDS", "10", "'10'", "a number of seconds from 0 to 600"),
    ("GUESTS", 1, "1", "True or False"),
    ("GUESTS", "yes", "'yes'", "True or False"),
    ("PAGE", "always", "'always'", "True or False, or None"),
    ("JWT_SECRET", "secret", "***", "text of 32 to 4,096 bytes"),
    ("JWT_SECRET", "", "***", "text of 32 to 4,096 bytes"),
    ("JWT_SECRET", 123, "***", "text of 32 to 4,096 bytes"),
    ("JWT_SECRET", SECRET.encode(), "***", "text of 32 to 4,096 bytes"),
    ("JWT_SECRET", SECRET + "\n", "***", "begins or ends with white space"),
    ("JWT_SECRET", SECRET + "\udcff", "***", "not UTF-8"),
    ("JWT_SECRET", "-----BEGIN PUBLIC KEY-----\n" + SECRET, "***", "a key file is no shared secret"),
    ("JWT_PREVIOUS_SECRET", SECRET, "***", "is of no use with CHATROOMS_JWT_SECRET = None"),
    ("GUEST_SECRET", "x" * 31, "***", "has 31 bytes; it takes text of 32 to 4,096 bytes"),
    ("JWT_ALGORITHMS", ("none",), "('none',)", "HS256, HS384, HS512, RS256"),
    ("JWT_ALGORITHMS", ["HS256", "RS1"], "['HS256', 'RS1']", "'RS1' is no algorithm that is known here"),
    ("JWT_PUBLIC_KEY", "-----BEGIN PRIVATE KEY-----", "***", "a private key"),
    ("JWT_PUBLIC_KEY", "secret", "***", "not PEM text"),
    ("JWT_JWKS_URL", "http://login.example/keys", "'http://login.example/keys'", "must begin with https://"),
    ("JWT_JWKS_URL", "file:///etc/passwd", "'file:///etc/passwd'", "no URL with a host"),
    ("JWT_JWKS_URL", "https://ada:pw@login.example/keys", "'https://***@login.example/keys'", "without a password"),
    ("JWT_ALGORITHMS", [], "[]", "empty"),
    ("JWT_ALGORITHMS", [256], "[256]", "a value of type int is not text"),
    ("JWT_AUDIENCE", "", "''", "text of 1 to 1,024 bytes"),
    ("JWT_USER_CLAIM", None, "None", "text of 1 to 128 bytes"),
    ("TOKEN_COOKIE", "my cookie", "'my cookie'", "the name of a cookie"),
    ("TOKEN_QUERY", "ticket", "'ticket'", "the protocol uses this name"),
    ("TOKEN_QUERY", "a&b", "'a&b'", "the name of a query parameter"),
    ("TOKEN_QUERY", 1, "1", "the name of a query parameter"),
    ("SIGN_IN_URL", "login", "'login'", "a path that begins with /, or https://…"),
    ("SIGN_IN_URL", "//evil.example", "'//evil.example'", "a path that begins with /"),
    ("SIGN_IN_URL", "/\\evil.example", r"'/\\evil.example'", "a path that begins with /"),
    ("SIGN_IN_URL", "javascript:alert(1)", "'javascript:alert(1)'", "a path that begins with /"),
    ("ALLOWED_ORIGINS", "shop.example", "'shop.example'", "scheme://host[:port]"),
    ("ALLOWED_ORIGINS", ["https://shop.example/chat"], "https://shop.example/chat", "scheme://host[:port]"),
    ("ALLOWED_ORIGINS", ["https://*.shop.example"], "https://*.shop.example", "scheme://host[:port]"),
    ("ALLOWED_ORIGINS", ["*", "https://shop.example"], "*", "write it alone"),
    ("ALLOWED_ORIGINS", ["null"], "null", "scheme://host[:port]"),
    ("ALLOWED_ORIGINS", ["wss://shop.example"], "wss://shop.example", "begins with http"),
    ("ALLOWED_ORIGINS", ["https://shop.example:0"], "https://shop.example:0", "no such port"),
    ("ALLOWED_ORIGINS", ["https://shop.example:65536"], "https://shop.example:65536", "no such port"),
    ("ALLOWED_ORIGINS", ["https://bücher.example"], "https://bücher.example", "xn--"),
    ("ALLOWED_ORIGINS", ["http://[::g]"], "http://[::g]", "scheme://host[:port]"),
    ("ALLOWED_ORIGINS", ["http://[1::2::3]"], "http://[1::2::3]", "scheme://host[:port]"),
    ("ALLOWED_ORIGINS", 7, "7", "scheme://host[:port]"),
    ("BROKER", "sqlite:///chat.db", "'sqlite:///chat.db'", "sqlite cannot do this work"),
    ("STORE", "nats://localhost", "'nats://localhost'", "nats cannot do this work"),
    ("PRESENCE", "tls://localhost", "'tls://localhost'", "nats cannot do this work"),
    ("PRESENCE", "sqlite:chat.db", "'sqlite:chat.db'", "write sqlite:///chat.db"),
    ("STORE", "sqlite:chat.db", "'sqlite:chat.db'", "write sqlite:///chat.db"),
    ("STORE", "redis", "'redis'", "no URL; write redis://host:6379"),
    ("STORE", "mysql://localhost/chat", "'mysql://localhost/chat'", "a URL of a scheme that is not known here"),
    ("STORE", "memory://x", "'memory://x'", "nothing may follow memory:"),
    ("STORE", None, "None", "'memory:', 'embedded:', 'sqlite:///FILE'"),
    ("STORE", Backend, "<type>", "a class and not an object: write Backend(…)"),
    ("STORE", {"url": "memory:"}, "<dict>", "an object"),
    ("BROKER", "", "''", "empty"),
    ("BROKER", "nats:localhost", "'nats:localhost'", "no URL; write nats://host:4222"),
    ("BROKER", "embedded:x", "'embedded:x'", "nothing may follow embedded:"),
    ("BROKER", "shop.chat:", "'shop.chat:'", "'package.module:Class'"),
    ("PRESENCE", 5, "5", "'memory:'"),
    ("AUTH", "memory:", "'memory:'", "'package.module:Class'"),
    ("AUTH", "two words", "'two words'", "the name of an entry point"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value", "shown", "bound"), BAD, ids=[f"{b[0]}-{n}" for n, b in enumerate(BAD)]
)
def test_a_bad_value_is_refused_with_key_value_and_bound(
    key: str, value: Any, shown: str, bound: str
) -> None:
    text = refusal(config={f"CHATROOMS_{key}": value})

    assert f"CHATROOMS_{key} = " in text
    assert shown in text
    assert bound in text
    assert len(text.splitlines()) == 1


def test_a_longer_hash_needs_a_longer_secret() -> None:
    text = refusal(config={"CHATROOMS_JWT_SECRET": SECRET, "CHATROOMS_JWT_ALGORITHMS": ["HS256", "HS512"]})

    assert "CHATROOMS_JWT_SECRET = ***: must have 64 bytes or more with" in text
    assert "CHATROOMS_JWT_ALGORITHMS = ['HS256', 'HS512']" in text


def test_keys_of_two_kinds_are_refused_with_what_to_write() -> None:
    keys = "https://login.example/keys"

    text = refusal(config={"CHATROOMS_JWT_SECRET": SECRET, "CHATROOMS_JWT_JWKS_URL": keys})

    assert f"CHATROOMS_JWT_JWKS_URL = {keys!r}: set only one of the two, or pass auth=Chain(" in text
    assert text.endswith(": it is beside CHATROOMS_JWT_SECRET = ***")


def test_all_that_is_wrong_is_said_at_once_a_line_each() -> None:
    text = refusal(
        config={"CHATROOMS_MAX_FRAME": 1, "CHATROOMS_MAX_FARME": 1},
        environ={"SANIC_CHATROOMS_STORE_TIMEOUT": "soon"},
        code={"history_page": 500, "colour": "red"},
    )

    assert [line.partition(": ")[0] for line in text.splitlines()] == [
        "CHATROOMS_MAX_FARME = 1",
        "ChatRooms(\"default\", colour='red')",
        "SANIC_CHATROOMS_STORE_TIMEOUT = 'soon'",
        "CHATROOMS_MAX_FRAME = 1",
        'ChatRooms("default", history_page=500)',
    ]


def test_what_is_wrong_anyway_is_not_compared_with_others() -> None:
    text = refusal(config={"CHATROOMS_HEARTBEAT_TIMEOUT": -1, "CHATROOMS_HEARTBEAT_INTERVAL": 200})

    assert len(text.splitlines()) == 1


def test_a_bad_value_is_refused_also_where_another_overrules_it() -> None:
    text = refusal(config={"CHATROOMS_MAX_ROOMS": 0}, code={"max_rooms": 5})

    assert "CHATROOMS_MAX_ROOMS = 0: too small" in text


@pytest.mark.parametrize(
    ("sources", "written"),
    [
        ({"config": {"CHATROOMS_MAX_FRAME": 1}}, "CHATROOMS_MAX_FRAME = 1: "),
        ({"config": {"CHATROOMS_SUPPORT_MAX_FRAME": 1}}, "CHATROOMS_SUPPORT_MAX_FRAME = 1: "),
        ({"environ": {"SANIC_CHATROOMS_MAX_FRAME": "1"}}, "SANIC_CHATROOMS_MAX_FRAME = '1': "),
        (
            {"environ": {"SANIC_CHATROOMS_SUPPORT_MAX_FRAME": "1"}},
            "SANIC_CHATROOMS_SUPPORT_MAX_FRAME = '1': ",
        ),
        ({"code": {"max_frame": 1}}, 'ChatRooms("support", max_frame=1): '),
    ],
)
def test_an_error_names_the_key_as_the_app_wrote_it(sources: dict[str, Any], written: str) -> None:
    assert refusal(instance="support", **sources).startswith(written)


# Where a value comes from

SOURCES: list[dict[str, Any]] = [
    {"environ": {"SANIC_CHATROOMS_MAX_ROOMS": "1"}},
    {"environ": {"SANIC_CHATROOMS_SUPPORT_MAX_ROOMS": "2"}},
    {"config": {"CHATROOMS_MAX_ROOMS": 3}},
    {"config": {"CHATROOMS_SUPPORT_MAX_ROOMS": 4}},
    {"code": {"max_rooms": 5}},
]


@pytest.mark.parametrize("given", [c for n in range(1, 6) for c in itertools.combinations(range(5), n)])
def test_code_goes_before_config_before_environment_and_own_before_all(given: tuple[int, ...]) -> None:
    sources: dict[str, Any] = {"environ": {}, "config": {}, "code": {}}
    for source, values in (item for rank in given for item in SOURCES[rank].items()):
        sources[source].update(values)

    assert settings_of("support", **sources).max_rooms == max(given) + 1


def test_the_default_instance_has_a_name_for_keys_too() -> None:
    config = {"CHATROOMS_MAX_ROOMS": 1, "CHATROOMS_DEFAULT_MAX_ROOMS": 2, "CHATROOMS_SUPPORT_MAX_ROOMS": 3}

    assert settings_of(config=config, instances=("default", "support")).max_rooms == 2
    assert settings_of("support", config=config, instances=("default", "support")).max_rooms == 3


def test_none_of_a_named_instance_takes_back_a_limit_of_all() -> None:
    config = {"CHATROOMS_MAX_CONNECTIONS": 10, "CHATROOMS_SUPPORT_MAX_CONNECTIONS": None}
    environ = {"SANIC_CHATROOMS_RETENTION": "60", "SANIC_CHATROOMS_SUPPORT_RETENTION": "none"}
    settings = settings_of("support", config=config, environ=environ)

    assert (settings.max_connections, settings.retention) == (None, None)


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("MAX_ROOMS", "0123", 123),
        ("STORE_TIMEOUT", "2", 2.0),
        ("STORE_TIMEOUT", "1e1", 10.0),
        ("GUESTS", "on", True),
        ("GUESTS", "1", True),
        ("GUESTS", "No", False),
        ("PAGE", "none", False),
        ("JWT_SECRET", "0" * 36 + "123", "0" * 36 + "123"),
        ("JWT_SECRET", "1" * 40, "1" * 40),
        ("JWT_AUDIENCE", "true", "true"),
        ("JWT_ISSUER", "1e5", "1e5"),
        ("JWT_ALGORITHMS", "HS256, HS384,HS256", ("HS256", "HS384")),
        ("ALLOWED_ORIGINS", "https://a.example, http://b.example:8000", ("https://a.example", "http://b.example:8000")),
        ("HISTORY_MAX", "None", None),
        ("TOKEN_QUERY", "on", "token"),
        ("TOKEN_QUERY", "off", None),
        ("TOKEN_QUERY", "access_token", "access_token"),
        ("STORE", "memory:", "memory:"),
        ("BROKER", "shop.chat:Broker", "shop.chat:Broker"),
    ],
)  # fmt: skip
def test_a_variable_is_converted_by_its_setting(
    key: str, text: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"SANIC_CHATROOMS_{key}", text)

    # As at run time: Sanic has copied the variable into its config, converted by its looks.
    settings = settings_of(config=Config(), environ={f"SANIC_CHATROOMS_{key}": text})

    assert getattr(settings, key.lower()) == value
    assert type(getattr(settings, key.lower())) is type(value)


@pytest.mark.parametrize("text", ["1", "007", "1_000", " 5 ", "none"])
def test_what_sanic_copied_from_the_environment_is_no_config(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = {"SANIC_CHATROOMS_MAX_CONNECTIONS": text, "SANIC_CHATROOMS_SUPPORT_MAX_CONNECTIONS": "9"}
    for key, value in environ.items():
        monkeypatch.setenv(key, value)

    assert settings_of("support", config=Config(), environ=environ).max_connections == 9


@pytest.mark.parametrize("text", ["yes", "Off", "t", "1.50", "nan", "", "word", "1e400"])
def test_an_error_names_the_variable_and_not_what_sanic_made_of_it(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANIC_CHATROOMS_MAX_CONNECTIONS", text)

    message = refusal(config=Config(), environ={"SANIC_CHATROOMS_MAX_CONNECTIONS": text})

    assert message.startswith(f"SANIC_CHATROOMS_MAX_CONNECTIONS = {text!r}: ")
    assert len(message.splitlines()) == 1


def test_a_converter_of_the_app_does_not_hide_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANIC_CHATROOMS_JWT_ISSUER", "shop/chat")

    settings = settings_of(
        config=Config(converters=[Path]), environ={"SANIC_CHATROOMS_JWT_ISSUER": "shop/chat"}
    )

    assert settings.jwt_issuer == "shop/chat"


def test_a_value_that_the_app_wrote_over_a_variable_is_config() -> None:
    settings = settings_of(config={"CHATROOMS_MAX_ROOMS": 7}, environ={"SANIC_CHATROOMS_MAX_ROOMS": "8"})

    assert settings.max_rooms == 7


@pytest.mark.parametrize(
    ("key", "text", "bound"),
    [
        ("MAX_FRAME", "64KiB", "a whole number of bytes"),
        ("MAX_FRAME", "", "empty"),
        ("MAX_FRAME", "9" * 5000, "a whole number of bytes"),
        ("STORE_TIMEOUT", "nan", "seconds from 0.05 to 300"),
        ("STORE_TIMEOUT", "inf", "seconds from 0.05 to 300"),
        ("GUESTS", "perhaps", "True or False"),
        ("JWT_SECRET", "  ", "empty"),
        ("JWT_ALGORITHMS", "HS256,", "empty"),
        ("MAX_ROOMS", "none", "a whole number of rooms"),
    ],
)
def test_a_bad_variable_is_refused(key: str, text: str, bound: str) -> None:
    message = refusal(environ={f"SANIC_CHATROOMS_{key}": text})

    assert message.startswith(f"SANIC_CHATROOMS_{key} = ")
    assert bound in message


# Values that are brought into one form


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("https://Shop.Example", "https://shop.example"),
        ("HTTPS://shop.example/", "https://shop.example"),
        ("https://shop.example:443", "https://shop.example"),
        ("http://shop.example:80/", "http://shop.example"),
        ("http://shop.example:443", "http://shop.example:443"),
        ("http://localhost:08000", "http://localhost:8000"),
        ("http://127.0.0.1:5173", "http://127.0.0.1:5173"),
        ("http://[0:0:0:0:0:0:0:1]:8000", "http://[::1]:8000"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("https://shop.example.", "https://shop.example."),
        ("capacitor://localhost", "capacitor://localhost"),
        ("*", "*"),
    ],
)
def test_an_origin_is_kept_as_browsers_send_it(written: str, kept: str) -> None:
    assert settings_of(config={"CHATROOMS_ALLOWED_ORIGINS": [written]}).allowed_origins == (kept,)


def test_equal_origins_are_kept_once() -> None:
    written = ["https://a.example:443", "https://b.example", "https://A.example"]

    assert settings_of(code={"allowed_origins": written}).allowed_origins == (
        "https://a.example",
        "https://b.example",
    )


def test_backends_may_be_objects_urls_classes_and_entry_points() -> None:
    own = Backend()
    settings = settings_of(
        code={"store": own, "broker": "memory", "presence": "shop.chat:Here", "auth": "shop-auth"}
    )

    assert settings.store is own
    assert (settings.broker, settings.presence, settings.auth) == ("memory:", "shop.chat:Here", "shop-auth")


def test_whole_numbers_become_floats_where_seconds_are_meant() -> None:
    assert isinstance(settings_of(config={"CHATROOMS_AUTH_TIMEOUT": 5}).auth_timeout, float)


def test_a_small_frame_takes_the_text_with_it_unless_that_is_set_too() -> None:
    assert settings_of(code={"max_frame": 2048}).max_text == 2048
    assert "must be at most" in refusal(code={"max_frame": 2048, "max_text": 16_000})


# Unknown keys


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("CHATROOMS_MAX_FRAMES", "CHATROOMS_MAX_FRAME"),
        ("CHATROOMS_GUEST", "CHATROOMS_GUESTS"),
        ("CHATROOMS_SUPORT_MAX_ROOMS", "CHATROOMS_SUPPORT_MAX_ROOMS"),
        ("CHATROOMS_max_frame", "CHATROOMS_MAX_FRAME"),
        ("CHATROOMS_WHATEVER", "settings.md"),
    ],
)
def test_an_unknown_key_in_the_config_is_refused_with_the_nearest(key: str, near: str) -> None:
    text = refusal(config={key: 5}, instances=("default", "support"))

    assert text.startswith(f"{key} = 5: there is no such setting")
    assert near in text


@pytest.mark.parametrize("key", PLANNED)
def test_a_key_of_a_later_version_is_unknown_and_said_to_be_so(key: str) -> None:
    assert "it comes with a later one" in refusal(config={f"CHATROOMS_{key}": 5})


def test_keys_of_other_instances_are_known() -> None:
    config = {"CHATROOMS_SUPPORT_MAX_FRAME": 1, "OTHER_KEY": 1, "CHATROOM": 1}

    assert settings_of(config=config, instances=("default", "support")).max_frame == 65_536


def test_an_unknown_argument_is_refused_with_the_nearest() -> None:
    text = refusal(code={"max_frames": 5})

    assert text == 'ChatRooms("default", max_frames=5): there is no such setting; did you mean max_frame?'


def test_an_unknown_variable_only_warns_and_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    environ = {"SANIC_CHATROOMS_MAX_FRMAE": "hunter2", "SANIC_OTHER": "1", "SANIC_CHATROOMS_GUESTS": "on"}
    for key, text in environ.items():
        monkeypatch.setenv(key, text)

    with caplog.at_level(logging.WARNING):
        for instance in ("default", "support"):
            assert settings_of(instance, config=Config(), environ=environ).guests is True

    assert [record.name for record in caplog.records] == ["sanic_chatrooms.config"]
    assert "SANIC_CHATROOMS_MAX_FRMAE" in caplog.text
    assert "did you mean SANIC_CHATROOMS_MAX_FRAME?" in caplog.text
    assert "hunter2" not in caplog.text


# Secrets


@pytest.mark.parametrize(
    ("config", "hidden"),
    [
        ({"CHATROOMS_JWT_SECRET": "hunter2"}, "hunter2"),
        ({"CHATROOMS_GUEST_SECRET": 4711}, "4711"),
        ({"CHATROOMS_JWT_SECERT": "hunter2"}, "hunter2"),
        ({"CHATROOMS_ADMIN_PASSWORD": "hunter2"}, "hunter2"),
        ({"CHATROOMS_ANYTHING": "hunter2" * 4}, "hunter2"),
        ({"CHATROOMS_BROKER": "mysql://chat:hunter2@db/chat"}, "hunter2"),
        ({"CHATROOMS_BROKER": "mysql://chat:hunter2/@db:5432/chat"}, "hunter2"),
        ({"CHATROOMS_STORE": "mysql:chat:hunter2@db"}, "hunter2"),
        ({"CHATROOMS_STORE": "nats://cache?db=1&password=hunter2"}, "hunter2"),
        ({"CHATROOMS_STORE": [Backend]}, "password"),
        ({"CHATROOMS_MAX_FRAME": Backend()}, "hunter2"),
        ({"CHATROOMS_ALLOWED_ORIGINS": ["https://me:hunter2@shop.example"]}, "hunter2"),
    ],
)
def test_no_secret_is_in_an_error(config: dict[str, Any], hidden: str) -> None:
    assert hidden not in refusal(config=config)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("JWT_SECRET", "hunter2"),
        ("PRESENCE", "mysql://chat:hunter2@db/chat"),
        ("STORE", "nats://cache?db=1&password=hunter2"),
    ],
)
def test_no_secret_of_a_variable_is_in_an_error(key: str, text: str) -> None:
    assert "hunter2" not in refusal(environ={f"SANIC_CHATROOMS_{key}": text})


def test_no_secret_is_in_a_repr() -> None:
    later = "redis://chat:hunter2@cache/0?password=hunter2"
    settings = settings_of(code={"jwt_secret": SECRET, "jwt_previous_secret": SECRET, "guest_secret": SECRET})
    settings = msgspec.structs.replace(settings, store=Backend(), broker=later)

    for text in (repr(settings), str(settings), str(settings.__rich_repr__()), f"{settings}"):
        assert SECRET not in text
        assert "hunter2" not in text
        assert "store=<Backend>" in text or "('store', <Backend>)" in text
    assert "jwt_secret=***" in repr(settings)
    assert "instance='default'" in repr(settings)
    assert "jwt_issuer=None" in repr(settings)


def test_a_long_value_is_cut() -> None:
    assert len(refusal(config={"CHATROOMS_MAX_FRAME": "x" * 100_000})) < 300


# One route


def test_a_route_has_its_own_limits() -> None:
    settings = settings_of(code={"guests": True})

    desk = override(settings, 'default.add_route("/desk")', guests=False, max_frame=2048, allowed_origins="*")

    assert (desk.guests, desk.max_frame, desk.max_text, desk.allowed_origins) == (False, 2048, 2048, ("*",))
    assert (settings.guests, settings.max_frame) == (True, 65_536)
    assert desk.page is True


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"store": "memory:"}, "for the instance, not for one of its routes"),
        ({"page": True}, "for the instance, not for one of its routes"),
        ({"max_frmae": 5}, "there is no such setting; did you mean max_frame?"),
        ({"max_frame": 5}, "a whole number of bytes from 1,024 to 16,777,216"),
        ({"heartbeat_interval": 100}, "must be less than CHATROOMS_HEARTBEAT_TIMEOUT = 90.0"),
        ({"max_frame": 2048, "max_text": 4096}, 'must be at most support.add_route("/desk"): max_frame=2048'),
    ],
)
def test_what_a_route_cannot_have(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        override(settings_of(), 'support.add_route("/desk")', **values)

    assert str(caught.value).startswith('support.add_route("/desk"): ')
    assert said in str(caught.value)


def test_types_that_count_as_unread_are_the_apps_own() -> None:
    assert settings_of(code={"unread_types": ["poll.opened", "ORDER"]}).unread_types == (
        "poll.opened",
        "ORDER",
    )
    for type in ("message.edited", "hello"):
        assert "not an app's type" in refusal(code={"unread_types": [type]})
