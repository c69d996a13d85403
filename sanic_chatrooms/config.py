"""Every setting: its key, type, unit, default and bound, in one frozen struct.

What a setting is stands once, in the annotation of its field. From there come the check of the bounds, the
reading of environment variables, the text of the errors and the table of docs/reference/settings.md.
"""

import difflib
import logging
import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from ipaddress import IPv6Address
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec.structs import force_setattr, replace

from .errors import ConfigError
from .models import Scope

__all__ = [
    "FIELDS",
    "PLANNED",
    "Field",
    "Setting",
    "Settings",
    "check_name",
    "load",
    "override",
    "require_auth",
    "require_scope",
]

logger = logging.getLogger("sanic_chatrooms.config")

PLANNED = (
    "CORS",
    "EMBEDDED_DIR",
    "JWT_JWKS_URL",
    "JWT_PUBLIC_KEY",
    "METRICS",
    "RATE",
    "RATE_LIMITS",
    "REQUIRED_AMR",
    "SLOW_MODE",
    "TICKET_TTL",
)
"""Keys of later versions (RATE: all that begin so). Unknown now, but no instance may take their names."""

KIB, MIB = 1024, 1024 * 1024

# What a value may look like: functions that return it as it is kept, or raise ValueError with the reason.

_DEFAULT_PORTS = {"http": 80, "https": 443}
_ORIGIN = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://"
    r"(?:\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?))"
    r"(?::(?P<port>[0-9]{1,5}))?/?"
)


def _origin(text: str) -> str:
    # Browsers send host names in ASCII; lower() would turn some other letters into ASCII ones.
    if not text.isascii():
        raise ValueError(f"{_shown(text)} is not ASCII (write a host name as its xn-- form)")
    found = _ORIGIN.fullmatch(text.lower())
    if not found:
        raise ValueError(f"{_shown(text)} is not scheme://host[:port] without path, user or wildcard")
    scheme, port = found["scheme"], int(found["port"] or 0)
    if scheme in ("ws", "wss"):
        raise ValueError(
            f"{_shown(text)}: the origin of a page begins with http, also when it opens a WebSocket"
        )
    if port > 65535 or (found["port"] and not port):
        raise ValueError(f"{_shown(text)} has no such port")
    # A ValueError of IPv6Address says as much as one of ours.
    host = f"[{IPv6Address(found['ipv6'])}]" if found["ipv6"] else found["name"]
    return f"{scheme}://{host}" + (f":{port}" if port not in (0, _DEFAULT_PORTS.get(scheme)) else "")


def _origins(values: tuple[str, ...]) -> tuple[str, ...]:
    if "*" in values:
        if values != ("*",):
            raise ValueError("'*' is every origin there is: write it alone or not at all")
        return values
    return tuple(dict.fromkeys(map(_origin, values)))


_KEY_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}
"""RFC 7518 §3.2: a key at least as long as the hash."""


def _algorithms(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if value not in _KEY_BYTES:
            raise ValueError(f"{_shown(value)} is no algorithm of this version")
    return tuple(dict.fromkeys(values))


def _shared_secret(text: str) -> str:
    # A public key is public: taken as a shared secret, anybody could sign with it (RFC 8725 §3.1).
    if text.startswith("-----BEGIN"):
        raise ValueError("a key file is no shared secret")
    return text


def _cookie_name(text: str) -> str:
    # RFC 6265 §4.1.1: a token of RFC 9110 §5.6.2.
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", text):
        raise ValueError("holds a character that such a name cannot have")
    return text


def _query_name(text: str) -> str:
    if text in ("ticket", "since", "history"):
        raise ValueError("the protocol uses this name for something else")
    if not re.fullmatch(r"[A-Za-z0-9_.~-]+", text):
        raise ValueError("holds a character that such a name cannot have")
    return text


_SCHEMES = ("memory",)
_PLANNED_SCHEMES = ("sqlite", "postgresql", "redis", "rediss", "valkey", "embedded", "nats")
_CLASS = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
_ENTRY_POINT = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)


def _named(value: Any) -> Any:
    """An object of the host's, a "package.module:Class", or the name of an entry point."""
    if isinstance(value, type):
        raise ValueError(f"a class and not an object: write {value.__name__}(…)")
    if value is None or isinstance(value, bool | int | float | bytes | list | tuple | dict | set | frozenset):
        raise ValueError("nothing that could do this work")
    if isinstance(value, str) and not (_CLASS.fullmatch(value) or _ENTRY_POINT.fullmatch(value)):
        raise ValueError("not of a form that is known here")
    return value


def _backend(value: Any) -> Any:
    """As `_named`, or a URL."""
    if not isinstance(value, str):
        return _named(value)
    scheme, colon, rest = value.partition(":")
    # "sqlite+aiosqlite://" names a driver too; "postgres://" is widely written for postgresql.
    family = scheme.partition("+")[0].lower()
    if family in _PLANNED_SCHEMES or family == "postgres":
        raise ValueError(f"the backend {family} is not available in this version")
    if family in _SCHEMES:
        if rest:
            raise ValueError(f"nothing may follow {scheme}:")
        return f"{family}:"
    if colon and not _CLASS.fullmatch(value):
        raise ValueError("a URL of a scheme that is not known here")
    return _named(value)


# The settings.

_OBJECT = "an object, a 'package.module:Class', or the name of an entry point"
_BACKEND = "'memory:', " + _OBJECT
_NONE = {"none": None}
_QUERY_WORDS = dict.fromkeys([True, "on", "true", "yes"], "token") | dict.fromkeys(
    [False, "off", "false", "no"]
)


class Setting(msgspec.Struct, frozen=True):
    """What there is to know of a setting besides its type and its default.

    `minimum` and `maximum` bound a number by its value, text by its UTF-8 bytes, a list by its length. `words`
    are values that stand for others; text is compared in lower case. `check` returns the value as it is kept or
    raises `ValueError` with the reason. `below` and `at_most` name another setting, which this one must not
    reach, or not exceed. `takes` says in words what `check` lets pass, `none` what None means. `per_route`: one
    route may have its own.
    """

    doc: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    below: str = ""
    at_most: str = ""
    none: str = "off"
    takes: str = ""
    words: Mapping[Any, Any] = {}
    check: Callable[[Any], Any] | None = None
    secret: bool = False
    per_route: bool = False


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one instance, checked by `load`. Seconds are floats, sizes bytes.

    `instance` is its name; `debug` is the app's. Neither is a setting.
    """

    # A table, to be read as one:
    # fmt: off

    instance: str
    debug: bool = False

    # Backends
    store: Annotated[Any, Setting(
        "Where rooms, members and messages are kept.", takes=_BACKEND, check=_backend)] = "memory:"
    broker: Annotated[Any | None, Setting(
        "What tells the other workers that something happened.", takes=_BACKEND, check=_backend,
        none="the store's own, else `memory:`")] = None
    presence: Annotated[Any | None, Setting(
        "What knows who is in a room right now, on all workers.", takes=_BACKEND, check=_backend,
        none="the broker's own, else the store's, else `memory:`")] = None
    store_timeout: Annotated[float, Setting(
        "How long a backend may take to answer; then a command ends as `unavailable`.",
        "seconds", 0.05, 300)] = 5.0

    # Who is who
    auth: Annotated[Any | None, Setting(
        "The authenticator: turns what a client shows into a user.", takes=_OBJECT, check=_named,
        none="JWT where there is a `JWT_SECRET`")] = None
    guests: Annotated[bool, Setting("Lets anyone in, under a name of their choice.", per_route=True)] = False
    guest_secret: Annotated[str | None, Setting(
        "Signs the tokens by which a guest is the same guest again.", "bytes", 32, 4096, secret=True,
        none="made once and kept in the store")] = None
    jwt_secret: Annotated[str | None, Setting(
        "The key that JSON Web Tokens are signed with.", "bytes", 32, 4096, secret=True,
        check=_shared_secret)] = None
    jwt_previous_secret: Annotated[str | None, Setting(
        "The key before this one: tokens signed with it still count.", "bytes", 32, 4096, secret=True,
        check=_shared_secret)] = None
    jwt_algorithms: Annotated[tuple[str, ...], Setting(
        "The signatures that count. `HS384` needs secrets of 48 bytes or more, `HS512` of 64.", minimum=1,
        takes=", ".join(_KEY_BYTES), check=_algorithms)] = ("HS256",)
    jwt_audience: Annotated[str | None, Setting(
        "What a token's `aud` must hold.", "bytes", 1, 1024, none="not compared")] = None
    jwt_issuer: Annotated[str | None, Setting(
        "What a token's `iss` must be.", "bytes", 1, 1024, none="not compared")] = None
    jwt_leeway: Annotated[float, Setting(
        "How far the clock of whoever signs tokens may be off.", "seconds", 0, 60)] = 10.0
    jwt_user_claim: Annotated[str, Setting("The claim with the user's id.", "bytes", 1, 128)] = "sub"
    jwt_name_claim: Annotated[str, Setting("The claim with the name to show.", "bytes", 1, 128)] = "name"
    token_cookie: Annotated[str | None, Setting(
        "The cookie that may hold the token.", "bytes", 1, 64, takes="the name of a cookie",
        check=_cookie_name, per_route=True)] = None
    token_query: Annotated[str | None, Setting(
        "The query parameter that may hold the token; True is `token`. URLs end up in logs: prefer anything "
        "else.",
        "bytes", 1, 64, takes="the name of a query parameter, or True or False", check=_query_name,
        words=_QUERY_WORDS, per_route=True)] = None
    auth_timeout: Annotated[float, Setting(
        "How long a connection may stay without saying who it is; then 4502.", "seconds", 0.1, 300,
        per_route=True)] = 10.0
    allowed_origins: Annotated[tuple[str, ...], Setting(
        "Pages that may connect. Empty: those of the same host. **Dangerous:** `*` alone is every page of the "
        "web, which may then act as your users wherever a cookie is enough to be let in.",
        takes="scheme://host[:port] each, or '*' alone", check=_origins, per_route=True)] = ()

    # Rooms and their past
    page: Annotated[bool | None, Setting(
        "The small ready page at the prefix.", none="on with guests or in debug", words=_NONE)] = None
    auto_create: Annotated[bool | None, Setting(
        "The first `join` makes a room that is not there.", none="on with guests or in debug",
        words=_NONE)] = None
    max_rooms: Annotated[int, Setting("Rooms that the store keeps.", "rooms", 1, 100_000_000)] = 100_000
    history_max: Annotated[int | None, Setting(
        "Events kept per room; above it the oldest go.", "events", 1, 1_000_000_000, words=_NONE,
        none="the store's own: 100,000, `memory:` 1,000")] = None
    retention: Annotated[float | None, Setting(
        "How long an event is kept.", "seconds", 1, 3_153_600_000, words=_NONE, none="for ever")] = None
    history_page: Annotated[int, Setting(
        "Events in a page of history where a client does not say.", "events", 1, 200, per_route=True)] = 50
    recovery_limit: Annotated[int, Setting(
        "Missed events that a `join` with `since` may bring; with more the client starts afresh.",
        "events", 0, 500, per_route=True)] = 500
    dedup_window: Annotated[float, Setting(
        "How long the same `msgId` is answered with the first result.", "seconds", 300, 604_800)] = 300.0
    position_check: Annotated[float, Setting(
        "How often a worker compares where its rooms stand with the store.", "seconds", 0.1, 3600)] = 10.0

    # A connection
    heartbeat_interval: Annotated[float, Setting(
        "How long a connection may be silent before it is pinged.", "seconds", 0.1, 3600,
        below="heartbeat_timeout", per_route=True)] = 30.0
    heartbeat_timeout: Annotated[float, Setting(
        "How long a connection may be silent before it is closed with 4012.", "seconds", 0.1, 7200,
        per_route=True)] = 90.0
    max_frame: Annotated[int, Setting(
        "The largest frame a client may send; above it 1009.", "bytes", KIB, 16 * MIB,
        per_route=True)] = 64 * KIB
    max_text: Annotated[int, Setting(
        "The longest text of a message. Where only `MAX_FRAME` is set below it, it goes down with it.",
        "characters", 1, 16 * MIB, at_most="max_frame", per_route=True)] = 16_000
    max_json_depth: Annotated[int, Setting(
        "How deep objects and lists of a frame may nest.", "levels", 4, 128, per_route=True)] = 32
    max_bad_frames: Annotated[int, Setting(
        "Malformed frames in a row that close a connection with 4501.", "frames", 1, 1000,
        per_route=True)] = 10
    outbox_limit: Annotated[int, Setting(
        "What may wait for a slow reader; above it 4008. Below `MAX_FRAME`, one large message can be enough.",
        "bytes", 4 * KIB, 1024 * MIB, per_route=True)] = MIB
    max_rooms_per_connection: Annotated[int, Setting(
        "Rooms that a connection may be in at a time.", "rooms", 1, 100_000, per_route=True)] = 128
    max_connections: Annotated[int | None, Setting(
        "Connections to a worker.", "connections", 1, 10_000_000, words=_NONE, none="no limit",
        per_route=True)] = None
    max_connections_per_user: Annotated[int | None, Setting(
        "Connections of one user to a worker.", "connections", 1, 10_000_000, words=_NONE,
        none="no limit", per_route=True)] = None
    max_connections_per_ip: Annotated[int | None, Setting(
        "Connections from one address to a worker.", "connections", 1, 10_000_000, words=_NONE,
        none="no limit", per_route=True)] = None

    # Presence and the end
    presence_ttl: Annotated[float, Setting(
        "After how long somebody is gone whose worker died.", "seconds", 1, 3600)] = 60.0
    presence_grace: Annotated[float, Setting(
        "How long somebody may be away before the others hear of it.", "seconds", 0, 3600,
        below="presence_ttl")] = 10.0
    drain_seconds: Annotated[float, Setting(
        "Over how long a stopping worker sends its connections away.", "seconds", 0, 600)] = 10.0

    # fmt: on

    def __post_init__(self) -> None:
        for name in ("page", "auto_create"):
            if getattr(self, name) is None:
                force_setattr(self, name, self.guests or self.debug)

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Name and value of every field, without secrets, passwords and the insides of the host's objects."""
        secrets = {name for name, field in FIELDS.items() if field.setting.secret}
        return [
            (name, _Bare(_shown(getattr(self, name), secret=name in secrets)))
            for name in self.__struct_fields__
        ]

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"


# Reading one value.

# The words that Sanic takes for a truth value, so that a variable means the same to both.
_TRUTH = dict.fromkeys(
    ["y", "yes", "yep", "yup", "t", "true", "on", "enable", "enabled", "1"], True
) | dict.fromkeys(["n", "no", "nope", "f", "false", "off", "disable", "disabled", "0"], False)


def _parse_bool(text: str) -> bool:
    if text.lower() not in _TRUTH:
        raise ValueError("neither on nor off")
    return _TRUTH[text.lower()]


def _parse_int(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("not a whole number") from None


def _parse_float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("not a number") from None


def _take_bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{_kind_of(value)} is neither True nor False")
    return value


def _take_int(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{_kind_of(value)} is not a whole number")
    return value


def _take_float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{_kind_of(value)} is not a number")
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _take_text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{_kind_of(value)} is not text")
    if not value.strip():
        raise ValueError("empty")
    if value != value.strip():
        # A line break from the end of a file is never meant, and looks like nothing in a log.
        raise ValueError("begins or ends with white space")
    return value


def _take_list(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(_take_text(part.strip()) for part in value.split(","))
    if not isinstance(value, list | tuple | set | frozenset):
        raise ValueError(f"{_kind_of(value)} is not a list of texts")
    return tuple(map(_take_text, sorted(value, key=str) if isinstance(value, set | frozenset) else value))


def _take_any(value: Any) -> Any:
    return _take_text(value) if isinstance(value, str) else value


def _kind_of(value: Any) -> str:
    return "None" if value is None else f"a value of type {type(value).__name__}"


class _Kind(NamedTuple):
    """How values of a type are read: from the text of an environment variable, and from code."""

    noun: str
    parse: Callable[[str], Any]
    take: Callable[[Any], Any]


_KINDS: Mapping[Any, _Kind] = {
    bool: _Kind("True or False", _parse_bool, _take_bool),
    int: _Kind("a whole number", _parse_int, _take_int),
    float: _Kind("a number", _parse_float, _take_float),
    str: _Kind("text", _take_text, _take_text),
    tuple[str, ...]: _Kind("a list of texts (or one text with commas)", _take_list, _take_list),
    Any: _Kind("", _take_any, _take_any),
}


def _measure(value: Any) -> float | None:
    if isinstance(value, str):
        try:
            return len(value.encode())
        except UnicodeEncodeError:
            raise ValueError("not UTF-8") from None
    if isinstance(value, tuple):
        return len(value)
    return value if isinstance(value, int | float) else None


def _outside(value: Any, size: float, how: str) -> str:
    if isinstance(value, str):
        return f"has {size:,} bytes"
    return how if size or not isinstance(value, tuple) else "empty"


class Field(msgspec.Struct, frozen=True):
    """A setting with its name (lower case), the type of its values, and its default."""

    name: str
    type: Any
    optional: bool
    default: Any
    setting: Setting

    def read(self, value: Any, *, text: bool = False) -> Any:
        """The value as `Settings` keeps it, or `ValueError` with the reason. `text`: it is a variable's."""
        if value is None and self.optional:
            return None
        word = value.lower() if isinstance(value, str) else value
        if isinstance(word, str | bool) and word in self.setting.words:
            return self.setting.words[word]
        kind = _KINDS[self.type]
        if text and not value.strip():
            raise ValueError("empty")
        value = kind.parse(value) if text else kind.take(value)
        self._bound(value)
        return self.setting.check(value) if self.setting.check else value

    def _bound(self, value: Any) -> None:
        size, setting = _measure(value), self.setting
        if size is None:
            return
        # Not isfinite(): an int need not fit into a float.
        if not -math.inf < size < math.inf:
            raise ValueError("not a finite number")
        if setting.minimum is not None and size < setting.minimum:
            raise ValueError(_outside(value, size, "too small"))
        if setting.maximum is not None and size > setting.maximum:
            raise ValueError(_outside(value, size, "too large"))

    @property
    def expected(self) -> str:
        """What it takes, in words: "a whole number of bytes from 1,024 to 16,777,216"."""
        setting, noun = self.setting, _KINDS[self.type].noun
        bounds = [f"{bound:,}" for bound in (setting.minimum, setting.maximum) if bound is not None]
        if self.type is str:
            noun = f"text of {' to '.join(bounds)} {setting.unit}"
        elif setting.unit:
            noun = f"{noun} of {setting.unit} from {' to '.join(bounds)}"
        words = ": ".join(part for part in (noun, setting.takes) if part)
        return words + (", or None" if self.optional else "")

    def label(self, instance: str) -> str:
        """Its key in `app.config`, as a host writes it for this instance."""
        start = "CHATROOMS_" if instance == "default" else f"CHATROOMS_{instance.upper()}_"
        return start + self.name.upper()


def _field(name: str, hint: Any, default: Any) -> Field:
    of, setting = get_args(hint)
    optional = get_origin(of) in (Union, UnionType)
    return Field(name, get_args(of)[0] if optional else of, optional, default, setting)


def _fields() -> Iterator[Field]:
    hints = get_type_hints(Settings, include_extras=True)
    defaults = {field.name: field.default for field in msgspec.structs.fields(Settings)}
    for name, hint in hints.items():
        if get_origin(hint) is Annotated:
            yield _field(name, hint, defaults[name])


FIELDS: Mapping[str, Field] = {field.name: field for field in _fields()}
"""Every setting of this version by its name in lower case."""
_KEYS = tuple(name.upper() for name in FIELDS)


# Showing one value.


class _Bare:
    """Stands for a value in a repr."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _shown(value: Any, *, secret: bool = False) -> str:
    """The value for a log: no secret, no password of a URL, one line, of moderate length."""
    if value is None:
        return "None"
    if secret:
        return "***"
    if not isinstance(value, str | bool | int | float | bytes | list | tuple | set | frozenset):
        # The host's own repr may hold anything.
        return f"<{type(value).__name__}>"
    try:
        shown = re.sub(r":.*@", "://***@", repr(value), flags=re.DOTALL)
    except ValueError:  # an integer of more digits than Python writes
        return f"<{type(value).__name__}>"
    shown = re.sub(
        r"([?&;]\w*(?:pass|pwd|secret|token|key)\w*=)[^&;'\"]*", r"\1***", shown, flags=re.IGNORECASE
    )
    return shown if len(shown) <= 80 else f"{shown[:60]}… ({len(shown):,} characters)"


def _looks_secret(key: str, value: Any) -> bool:
    """May the value of an unknown key not be shown? It can be a secret whose key is misspelt."""
    if isinstance(value, str) and len(value) >= 24:
        return True
    near = difflib.get_close_matches(key.upper(), _KEYS, n=1)
    return any(word in f"{key.upper()} {near}" for word in ("SECRET", "KEY", "TOKEN", "PASS"))


# Reading all values.

_CONFIG, _ENVIRON = "CHATROOMS_", "SANIC_CHATROOMS_"


class _Given(NamedTuple):
    """A value as the host wrote it: `before` + value + `after` is how."""

    name: str
    value: Any
    before: str
    after: str = ""
    text: bool = False

    @property
    def label(self) -> str:
        field = FIELDS.get(self.name)
        secret = field.setting.secret if field else _looks_secret(self.name, self.value)
        return self.before + _shown(self.value, secret=secret) + self.after


class _Reading(NamedTuple):
    """By name: values, how they were written, and a line for each one that is wrong."""

    values: dict[str, Any]
    labels: dict[str, str]
    wrong: dict[str, list[str]]

    @property
    def lines(self) -> list[str]:
        return [line for lines in self.wrong.values() for line in lines]


def load(
    instance: str,
    config: Mapping[str, Any],
    environ: Mapping[str, str],
    code: Mapping[str, Any],
    *,
    debug: bool,
    instances: Iterable[str],
) -> Settings:
    """The settings of one instance: code, else `app.config`, else the environment, else the default.

    `code` has the keyword arguments of `ChatRooms(…)` by lower-case name, and only those that were given. In
    `config` and `environ` a key of this instance goes before a key of all. `instances` are the names of all
    instances in this app: their keys are known. Every value given is checked, also one that another overrules.
    Raises `ConfigError` with one line for each value that is wrong and each key that is unknown; an unknown
    variable is only logged, once.
    """
    names = {instance, *instances}
    own = {key: value for key, value in config.items() if _is_own(key, value, environ)}
    _warn_of_unknown(environ, names)
    reading = _read(_given(instance, own, environ, code))
    values = _fitted(reading.values, FIELDS["max_text"].default)
    settings = Settings(instance=instance, debug=debug, **values)
    _refuse([*_unknown(own, code, instance, names), *reading.lines, *_conflicts(settings, reading)])
    return settings


def _fitted(values: Mapping[str, Any], max_text: int) -> dict[str, Any]:
    # A text is never longer than its frame: a host that sets only the frame need not know of the text.
    return {"max_text": min(max_text, values.get("max_frame", max_text)), **values}


def _refuse(lines: list[str]) -> None:
    if lines:
        raise ConfigError("\n".join(lines))


def _is_own(key: Any, value: Any, environ: Mapping[str, str]) -> bool:
    """Is this ours, and written by the host? Sanic copies variables into its config, converted by looks."""
    if not (isinstance(key, str) and key.startswith(_CONFIG)):
        return False
    text = environ.get(f"SANIC_{key}")
    # Had the host written the very same value, it would be the same, and only its rank would differ.
    return text is None or not (_same(value, _as_sanic_reads(text)) or str(value) == text)


def _as_sanic_reads(text: str) -> Any:
    for convert in (int, float, _parse_bool):
        try:
            return convert(text)
        except ValueError:
            continue
    return text


def _same(one: Any, other: Any) -> bool:
    # By repr, since nan is not equal to itself, and 1 is equal to True.
    return type(one) is type(other) and repr(one) == repr(other)


def _given(
    instance: str, config: Mapping[str, Any], environ: Mapping[str, str], code: Mapping[str, Any]
) -> Iterator[_Given]:
    """Every value of this instance's settings; a later one overrules an earlier one."""
    for source, prefix, text in ((environ, _ENVIRON, True), (config, _CONFIG, False)):
        for start in (prefix, f"{prefix}{instance.upper()}_"):
            for name in FIELDS:
                if (key := start + name.upper()) in source:
                    yield _Given(name, source[key], f"{key} = ", text=text)
    for name in code:
        if name in FIELDS:
            yield _in_code(instance, name, code[name])


def _in_code(instance: str, name: str, value: Any) -> _Given:
    return _Given(name, value, f'ChatRooms("{instance}", {name}=', ")")


def _read(given: Iterable[_Given]) -> _Reading:
    reading = _Reading({}, {}, {})
    for one in given:
        field = FIELDS[one.name]
        try:
            reading.values[one.name], reading.labels[one.name] = (
                field.read(one.value, text=one.text),
                one.label,
            )
        except ValueError as reason:
            line = f"{one.label}: {reason}; it takes {field.expected}"
            reading.wrong.setdefault(one.name, []).append(line)
    return reading


def _unknown(
    config: Mapping[str, Any], code: Mapping[str, Any], instance: str, names: Collection[str]
) -> Iterator[str]:
    known = _known(_CONFIG, names)
    for key, value in config.items():
        if key not in known:
            given = _Given(key.removeprefix(_CONFIG), value, f"{key} = ")
            yield f"{given.label}: there is no such setting{_hint(key, known, _CONFIG)}"
    for name in code:
        if name not in FIELDS:
            given = _in_code(instance, name, code[name])
            yield f"{given.label}: there is no such setting{_hint(name, FIELDS)}"


def _known(prefix: str, names: Collection[str]) -> list[str]:
    starts = [prefix, *(f"{prefix}{name.upper()}_" for name in sorted(names))]
    return [start + key for start in starts for key in _KEYS]


def _hint(key: str, known: Iterable[str], prefix: str = "") -> str:
    if any(re.search(rf"(^|_){planned}(_|$)", key.upper()) for planned in PLANNED):
        return " in this version; it comes with a later one"
    # Without the prefix, which alone would make everything alike.
    spelt = {name.removeprefix(prefix).upper(): name for name in known}
    near = difflib.get_close_matches(key.removeprefix(prefix).upper(), spelt, n=1)
    return (
        f"; did you mean {spelt[near[0]]}?"
        if near
        else "; see docs/reference/settings.md for those there are"
    )


_warned: set[str] = set()


def _warn_of_unknown(environ: Mapping[str, str], names: Collection[str]) -> None:
    """Only a warning, and without the value: it may be another app's."""
    known = _known(_ENVIRON, names)
    for key in environ:
        if key.startswith(_ENVIRON) and key not in known and key not in _warned:
            _warned.add(key)
            logger.warning(
                "the environment variable %.100r is no setting of this app%s",
                key,
                _hint(key, known, _ENVIRON),
            )


# Rules between settings.


def _conflicts(settings: Settings, reading: _Reading) -> Iterator[str]:
    """A line for each setting that goes ill with another, unless one of the two is wrong anyway."""

    def label(name: str) -> str:
        return reading.labels.get(name) or _as_config(settings, name)

    for name, other, holds, must in _pairs(settings):
        if not holds and reading.wrong.keys().isdisjoint((name, other)):
            yield f"{label(name)}: {must} {label(other)}"


def _pairs(settings: Settings) -> Iterator[tuple[str, str, bool, str]]:
    """One setting, another, whether they agree, and what the one must."""
    for name, field in FIELDS.items():
        below, at_most = field.setting.below, field.setting.at_most
        if below:
            yield name, below, getattr(settings, name) < getattr(settings, below), "must be less than"
        if at_most:
            yield name, at_most, getattr(settings, name) <= getattr(settings, at_most), "must be at most"
    current, previous = settings.jwt_secret, settings.jwt_previous_secret
    yield "jwt_previous_secret", "jwt_secret", previous is None or current is not None, "is of no use with"
    minimum = max(_KEY_BYTES[name] for name in settings.jwt_algorithms)
    for name, secret in (("jwt_secret", current), ("jwt_previous_secret", previous)):
        long_enough = secret is None or len(secret.encode()) >= minimum
        yield name, "jwt_algorithms", long_enough, f"must have {minimum} bytes or more with"


def _as_config(settings: Settings, name: str) -> str:
    field = FIELDS[name]
    return (
        f"{field.label(settings.instance)} = {_shown(getattr(settings, name), secret=field.setting.secret)}"
    )


def override(settings: Settings, where: str, **values: Any) -> Settings:
    """The settings of one route: those of its instance, with these values instead.

    `where` is how the host wrote the route, for the errors: `support.add_route("/desk/<room>")`. Only what
    concerns a connection can differ (`Setting.per_route`). Raises `ConfigError` as `load` does.
    """
    given = [_Given(name, value, f"{where}: {name}=") for name, value in values.items()]
    reading = _read(one for one in given if one.name in FIELDS)
    changed = replace(settings, **_fitted(reading.values, settings.max_text))
    _refuse([*_not_of_a_route(given), *reading.lines, *_conflicts(changed, reading)])
    return changed


def _not_of_a_route(given: Iterable[_Given]) -> Iterator[str]:
    for one in given:
        field = FIELDS.get(one.name)
        if field is None:
            yield f"{one.label}: there is no such setting{_hint(one.name, FIELDS)}"
        elif not field.setting.per_route:
            yield f"{one.label}: this is set for the instance, not for one of its routes"


# Rules at start.


def check_name(name: str) -> None:
    """May an instance be called so? It is part of its keys, of its blueprint's name and of its prefix.

    `[a-z][a-z0-9_]{0,31}`, and nothing that makes a key readable in two ways: with an instance `max`,
    CHATROOMS_MAX_FRAME would be its FRAME or everyone's MAX_FRAME. Raises `ConfigError`.
    """
    if not _is_name(name):
        raise ConfigError(
            f"ChatRooms({_shown(name)}): the name of an instance has 1 to 32 characters of a-z, 0-9 and _, "
            "a letter first"
        )
    for key in (*_KEYS, *PLANNED):
        if _mistakable(name.upper(), key):
            raise ConfigError(
                f'ChatRooms("{name}"): this name could be mistaken for the key CHATROOMS_{key}; choose another'
            )


def _is_name(name: object) -> bool:
    return isinstance(name, str) and re.fullmatch(r"[a-z][a-z0-9_]{0,31}", name) is not None


def _mistakable(name: str, key: str) -> bool:
    if key == name or key.startswith(f"{name}_") or (key == "RATE" and name.startswith("RATE_")):
        return True
    # Instance X_HISTORY with PAGE, and instance X with HISTORY_PAGE, would share a key.
    return any(f"{name}_{tail}".endswith(f"_{key}") for tail in _KEYS if len(tail) < len(key))


def require_auth(settings: Settings, has_authenticator: bool) -> Settings:
    """Can anybody get in? The same settings; in debug, with guests where nobody could.

    `has_authenticator`: the host's code brings one that is not in the settings. Raises `ConfigError` that says
    what to set.
    """
    if has_authenticator or settings.auth is not None or settings.jwt_secret or settings.guests:
        return settings
    if settings.debug:
        logger.info(
            'chat rooms "%s": guests are on, in debug only, since nobody else could get in', settings.instance
        )
        return replace(settings, guests=True)
    secret, guests = (FIELDS[name].label(settings.instance) for name in ("jwt_secret", "guests"))
    raise ConfigError(
        f'nobody can get into the chat rooms "{settings.instance}": set {secret} to the key that your tokens are '
        f"signed with (32 bytes or more), or {guests} = True to let anyone in under a name of their choice, or "
        f'write ChatRooms("{settings.instance}", auth=…)'
    )


def require_scope(workers: int, scopes: Mapping[str, Scope], *, instance: str = "default") -> None:
    """Do all workers see the same? `scopes` has those of the backends by setting: {"store": Scope.HOST, …}.

    Raises `ConfigError` for more than one worker with a backend that ends at its process.
    """
    alone = [FIELDS[name].label(instance) for name, scope in scopes.items() if scope is Scope.PROCESS]
    if workers <= 1 or not alone:
        return
    keys = " and ".join(alone)
    raise ConfigError(
        f"{workers} workers, but {keys} reach no further than one process: no worker would see what another does. "
        f"Run one worker (`workers=1`, `--workers=1` or `--single-process`), or set {keys} to what all workers "
        "share (this version brings nothing of the kind yet)"
    )
