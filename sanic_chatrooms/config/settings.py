"""Every setting: its key, type, unit, default and bound, in one frozen struct.

What a setting is stands once, in the annotation of its field. From there come the check of the bounds, the
reading of environment variables, the text of the errors and the table of docs/reference/settings.md.
"""

import difflib
import logging
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Annotated, Any, NamedTuple, get_origin, get_type_hints

import msgspec
from msgspec.structs import force_setattr, replace

from ..errors import ConfigError
from ..models import SPACE, Scope
from .field import Bare, Field, Setting, field_of, parse_bool, shown
from .values import (
    EMBEDDED,
    KEY_BYTES,
    algorithms,
    beginnings,
    cookie_name,
    named,
    names,
    origins,
    query_name,
    shared_secret,
)
from .values import broker as broker_form
from .values import namespace as namespace_form
from .values import presence as presence_form
from .values import store as store_form

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

logger = logging.getLogger("sanic_chatrooms.config.settings")

PLANNED = (
    "CORS",
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

# The settings.

_OBJECT = "an object, a 'package.module:Class', or the name of an entry point"
_NONE = {"none": None}
_QUERY_WORDS = dict.fromkeys([True, "on", "true", "yes"], "token") | dict.fromkeys(
    [False, "off", "false", "no"]
)


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
        "Where rooms, members and messages are kept.", takes="'memory:', 'embedded:', 'sqlite:///FILE', "
        "'postgresql://USER@HOST/DATABASE', 'redis://HOST', " + _OBJECT, check=store_form)] = "memory:"
    broker: Annotated[Any | None, Setting(
        "What tells the other workers that something happened.", takes="'memory:', 'embedded:', 'redis://HOST', 'nats://HOST', "
        "'postgresql://USER@HOST/DATABASE', " + _OBJECT, check=broker_form,
        none="the store's own, else `memory:`")] = None
    presence: Annotated[Any | None, Setting(
        "What knows who is in a room right now, on all workers.", takes="'memory:', 'embedded:', 'redis://HOST', "
        "'sqlite:///FILE', 'postgresql://USER@HOST/DATABASE', " + _OBJECT, check=presence_form,
        none="the broker's own, else the store's, else `memory:`")] = None
    embedded_dir: Annotated[str | None, Setting(
        "Where `embedded:` keeps its files: a directory that no other app uses.", "bytes", 1, 4096,
        none="one per user and name of the app")] = None
    namespace: Annotated[str | None, Setting(
        "Whose keys, tables and channels they are on a server that several apps share. Apps of one namespace whose "
        "instances have one name are one chat.", "bytes", 0, 64,
        takes="letters, digits and _ . -; or 'none': then the instance's name alone tells", check=namespace_form,
        words={"": "", "none": ""}, none="the app's name")] = None
    store_timeout: Annotated[float, Setting(
        "How long a backend may take to answer; then a command ends as `unavailable`.",
        "seconds", 0.05, 300)] = 5.0

    # Who is who
    auth: Annotated[Any | None, Setting(
        "The authenticator: turns what a client shows into a user.", takes=_OBJECT, check=named,
        none="JWT where there is a `JWT_SECRET`")] = None
    guests: Annotated[bool, Setting("Lets anyone in, under a name of their choice.", per_route=True)] = False
    reserved_names: Annotated[tuple[str, ...], Setting(
        "Names that no guest may choose, nor one that looks like them.",
        takes="names: 1 to 64 characters each", check=names)] = (
        "Admin", "Administrator", "Moderator", "Server", "Support", "System")
    guest_secret: Annotated[str | None, Setting(
        "Signs the tokens by which a guest is the same guest again.", "bytes", 32, 4096, secret=True,
        none="made once and kept in the store")] = None
    jwt_secret: Annotated[str | None, Setting(
        "The key that JSON Web Tokens are signed with.", "bytes", 32, 4096, secret=True,
        check=shared_secret)] = None
    jwt_previous_secret: Annotated[str | None, Setting(
        "The key before this one: tokens signed with it still count.", "bytes", 32, 4096, secret=True,
        check=shared_secret)] = None
    jwt_algorithms: Annotated[tuple[str, ...], Setting(
        "The signatures that count. `HS384` needs secrets of 48 bytes or more, `HS512` of 64.", minimum=1,
        takes=", ".join(KEY_BYTES), check=algorithms)] = ("HS256",)
    jwt_audience: Annotated[str | None, Setting(
        "What a token's `aud` must hold.", "bytes", 1, 1024, none="a token that has aud is refused")] = None
    jwt_issuer: Annotated[str | None, Setting(
        "What a token's `iss` must be.", "bytes", 1, 1024, none="not compared")] = None
    jwt_leeway: Annotated[float, Setting(
        "How far the clock of whoever signs tokens may be off.", "seconds", 0, 60)] = 10.0
    jwt_user_claim: Annotated[str, Setting("The claim with the user's id.", "bytes", 1, 128)] = "sub"
    jwt_name_claim: Annotated[str, Setting("The claim with the name to show.", "bytes", 1, 128)] = "name"
    token_cookie: Annotated[str | None, Setting(
        "The cookie that may hold the token.", "bytes", 1, 64, takes="the name of a cookie",
        check=cookie_name, per_route=True)] = None
    token_query: Annotated[str | None, Setting(
        "The query parameter that may hold the token; True is `token`. URLs end up in logs: prefer anything "
        "else.",
        "bytes", 1, 64, takes="the name of a query parameter, or True or False", check=query_name,
        words=_QUERY_WORDS, per_route=True)] = None
    auth_timeout: Annotated[float, Setting(
        "How long a connection may stay without saying who it is; then 4502.", "seconds", 0.1, 300,
        per_route=True)] = 10.0
    allowed_origins: Annotated[tuple[str, ...], Setting(
        "Pages that may connect. Empty: those of the same host. **Dangerous:** `*` alone is every page of the "
        "web, which may then act as your users wherever a cookie is enough to be let in.",
        takes="scheme://host[:port] each, or '*' alone", check=origins, per_route=True)] = ()

    # Rooms and their past
    page: Annotated[bool | None, Setting(
        "The small ready page at the prefix.", none="on with guests or in debug", words=_NONE)] = None
    auto_create: Annotated[bool | None, Setting(
        "The first `join` makes a room that is not there.", none="on with guests or in debug",
        words=_NONE)] = None
    guests_create_rooms: Annotated[bool | None, Setting(
        "Guests may make rooms, by `room.create` or by joining them first.", none="as `AUTO_CREATE`",
        words=_NONE)] = None
    client_room_ids: Annotated[bool | None, Setting(
        "`room.create` may name the id of the new room. Off: the server chooses it, so that nobody learns which ids "
        "are taken.", none="as `AUTO_CREATE`", words=_NONE)] = None
    reserved_ids: Annotated[tuple[str, ...], Setting(
        "How ids of rooms begin that only the app makes (`order-`). Users neither make nor first join such rooms.",
        takes="beginnings of ids: 1 to 128 of A-Z a-z 0-9 _ . : - each", check=beginnings)] = ()
    max_rooms: Annotated[int, Setting(
        "Public and private rooms that the store keeps.", "rooms", 1, 100_000_000)] = 100_000
    max_direct_rooms: Annotated[int, Setting(
        "Direct rooms that the store keeps; they do not count among the others.", "rooms", 1, 100_000_000)] = 1_000_000
    history_max: Annotated[int | None, Setting(
        "Events kept per room; above it the oldest go.", "events", 1, 1_000_000_000, words=_NONE,
        none="the store's own: 100,000, `memory:` 1,000")] = None
    retention: Annotated[float | None, Setting(
        "How long an event is kept.", "seconds", 1, 3_153_600_000, words=_NONE, none="for ever")] = None
    erase_within: Annotated[float, Setting(
        "How long what was deleted may stay in the append-only file of `embedded:` and Redis: at the latest then it is "
        "written anew. It comes sooner where that is quickly done.", "seconds", 60, 31_536_000)] = 86_400.0
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
    max_publish: Annotated[int, Setting(
        "The largest payload that the host may `publish` or push, as JSON, and the largest answer of its own commands. Many WebSocket libraries close a connection at a "
        "frame above 1 MiB.",
        "bytes", KIB, 16 * MIB)] = 512 * KIB
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
        "How long a stopping worker has to send its connections away.", "seconds", 0, 600)] = 10.0

    # Workers
    watchdog: Annotated[bool, Setting(
        "Brings back workers that died or are frozen. Without effect where the app runs in a single process.")] = True
    watchdog_silence: Annotated[float, Setting(
        "How long a worker's event loop may stand still; then it is killed and replaced. Not in debug.",
        "seconds", 1, 3600)] = 10.0

    # fmt: on

    def __post_init__(self) -> None:
        for name in ("page", "auto_create"):
            if getattr(self, name) is None:
                force_setattr(self, name, self.guests or self.debug)
        for name in ("guests_create_rooms", "client_room_ids"):
            if getattr(self, name) is None:
                force_setattr(self, name, self.auto_create)

    def space(self, *, shared: bool) -> str:
        """What the names of this chat begin with at a backend; at one that apps share, with the app's."""
        return f"{self.namespace}{SPACE}{self.instance}" if shared and self.namespace else self.instance

    @property
    def embedded(self) -> bool:
        """Does a backend live in the server that the app brings along?"""
        return EMBEDDED in (self.store, self.broker, self.presence)

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Name and value of every field, without secrets, passwords and the insides of the host's objects."""
        secrets = {name for name, field in FIELDS.items() if field.setting.secret}
        return [
            (name, Bare(shown(getattr(self, name), secret=name in secrets)))
            for name in self.__struct_fields__
        ]

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"


def _fields() -> Iterator[Field]:
    hints = get_type_hints(Settings, include_extras=True)
    defaults = {field.name: field.default for field in msgspec.structs.fields(Settings)}
    for name, hint in hints.items():
        if get_origin(hint) is Annotated:
            yield field_of(name, hint, defaults[name])


FIELDS: Mapping[str, Field] = {field.name: field for field in _fields()}
"""Every setting of this version by its name in lower case."""
_KEYS = tuple(name.upper() for name in FIELDS)


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
        return self.before + shown(self.value, secret=secret) + self.after


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
    for convert in (int, float, parse_bool):
        try:
            return convert(text)
        except ValueError:
            continue
    return text


def _same(one: Any, other: Any) -> bool:
    # By repr, since nan is not equal to itself, and 1 is equal to True.
    return type(one) is type(other) and repr(one) == repr(other)


def _looks_secret(key: str, value: Any) -> bool:
    """May the value of an unknown key not be shown? It can be a secret whose key is misspelt."""
    if isinstance(value, str) and len(value) >= 24:
        return True
    near = difflib.get_close_matches(key.upper(), _KEYS, n=1)
    return any(word in f"{key.upper()} {near}" for word in ("SECRET", "KEY", "TOKEN", "PASS"))


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
    minimum = max(KEY_BYTES[name] for name in settings.jwt_algorithms)
    for name, secret in (("jwt_secret", current), ("jwt_previous_secret", previous)):
        long_enough = secret is None or len(secret.encode()) >= minimum
        yield name, "jwt_algorithms", long_enough, f"must have {minimum} bytes or more with"


def _as_config(settings: Settings, name: str) -> str:
    field = FIELDS[name]
    return f"{field.label(settings.instance)} = {shown(getattr(settings, name), secret=field.setting.secret)}"


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
            f"ChatRooms({shown(name)}): the name of an instance has 1 to 32 characters of a-z, 0-9 and _, "
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
        "share: embedded: on one machine, redis://HOST on many"
    )
