"""Every setting: its key, type, unit, default and bound, in one frozen struct.

Each setting is described once, in the annotation of its field. The check of the bounds, the reading of environment
variables (`load`), the text of the errors and the table of docs/reference/settings.md all come from there.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, get_origin, get_type_hints

import msgspec
from msgspec.structs import force_setattr

from ..access.limits.kinds import Kind
from ..access.limits.rate import Rate, parse_rate
from ..auth.keys import ALGORITHMS
from ..auth.tickets import TICKET_TTL
from ..models import SPACE
from ..support.paging import PAGE_LIMIT
from .field import Bare, Field, Setting, field_of, shown
from .values import (
    EMBEDDED,
    algorithms,
    cookie_name,
    jwks_url,
    named,
    names,
    operated,
    origins,
    own_types,
    page_url,
    prefixes,
    public_key,
    query_name,
    reached,
    shared_secret,
)
from .values import broker as broker_form
from .values import namespace as namespace_form
from .values import presence as presence_form
from .values import store as store_form

__all__ = ["EVERYONE_REACHED", "FIELDS", "KEYS", "MEMBERS_REACHED", "PLANNED", "Field", "Setting", "Settings"]

PLANNED = (
    "CORS",
    "SLOW_MODE",
)
"""Keys of later versions. Unknown now, but no instance may take their names."""

EVERYONE_REACHED, MEMBERS_REACHED = "everyone", "members"
"""Values of `DIRECT`."""
KIB, MIB = 1024, 1024 * 1024

# The settings.

_OBJECT = "an object, a 'package.module:Class', or the name of an entry point"
_NONE = {"none": None}
_OFF = {"none": None, "off": None, False: None}
_RATE = "'10/s burst 30', '10/min', '20/h', for bytes '256 KiB/s burst 2 MiB'"
_LIMIT: Any = {"words": _OFF, "takes": _RATE, "none": "no limit", "at_run_time": True}
_QUERY_WORDS = dict.fromkeys([True, "on", "true", "yes"], "token") | dict.fromkeys(
    [False, "off", "false", "no"]
)


_AUDIENCE_WORDS = dict.fromkeys([True, "on", "true", "yes"], "") | dict.fromkeys(
    [False, "off", "false", "no"]
)


_ADMIN_WORDS = dict.fromkeys([True, "on", "true", "yes"], "read") | dict.fromkeys(
    [False, "off", "false", "no", "none"]
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
        "Carries events to the other workers.", takes="'memory:', 'embedded:', 'redis://HOST', 'nats://HOST', "
        "'postgresql://USER@HOST/DATABASE', " + _OBJECT, check=broker_form,
        none="the store's own, else `memory:`")] = None
    presence: Annotated[Any | None, Setting(
        "Knows who is in a room right now, on all workers.", takes="'memory:', 'embedded:', 'redis://HOST', "
        "'sqlite:///FILE', 'postgresql://USER@HOST/DATABASE', " + _OBJECT, check=presence_form,
        none="the broker's own, else the store's, else `memory:`")] = None
    embedded_dir: Annotated[str | None, Setting(
        "Where `embedded:` keeps its files: a directory that no other app uses.", "bytes", 1, 4096,
        none="one per user and name of the app")] = None
    namespace: Annotated[str | None, Setting(
        "Keeps keys, tables and channels apart on a server that several apps share. Apps with the same namespace and "
        "the same name of an instance are one chat.", "bytes", 0, 64,
        takes="letters, digits and _ . -; or 'none': then the instance's name alone tells", check=namespace_form,
        words={"": "", "none": ""}, none="the app's name")] = None
    store_timeout: Annotated[float, Setting(
        "How long a backend may take to answer; then a command ends as `unavailable`.",
        "seconds", 0.05, 300)] = 5.0

    # Who is who
    auth: Annotated[Any | None, Setting(
        "The authenticator, which turns a client's credentials into a user.", takes=_OBJECT, check=named,
        none="JWT where there is a `JWT_SECRET`, `JWT_PUBLIC_KEY` or `JWT_JWKS_URL`")] = None
    guests: Annotated[bool, Setting("Lets anyone in, under a name of their choice.", per_route=True)] = False
    reserved_names: Annotated[tuple[str, ...], Setting(
        "Names that guests may not choose, and neither names that look like them.",
        takes="names: 1 to 64 characters each", check=names)] = (
        "Admin", "Administrator", "Moderator", "Server", "Support", "System")
    guest_secret: Annotated[str | None, Setting(
        "Signs guest tokens, by which a guest who comes back is the same guest.", "bytes", 32, 4096, secret=True,
        none="made once and kept in the store")] = None
    jwt_secret: Annotated[str | None, Setting(
        "The key that JSON Web Tokens are signed with.", "bytes", 32, 4096, secret=True,
        check=shared_secret)] = None
    jwt_previous_secret: Annotated[str | None, Setting(
        "The previous key. Tokens signed with it are still accepted.", "bytes", 32, 4096, secret=True,
        check=shared_secret)] = None
    jwt_algorithms: Annotated[tuple[str, ...] | None, Setting(
        "The signature algorithms that are accepted. `HS…` needs a secret (`HS384` of 48 bytes or more, `HS512` of 64), the "
        "others public keys.", minimum=1, takes=", ".join(ALGORITHMS), check=algorithms,
        none="`HS256` with a secret, all others with public keys")] = None
    jwt_public_key: Annotated[str | None, Setting(
        "Public keys that verify JSON Web Tokens, in the place of a secret. Needs the extra `crypto`.", "bytes", 1, 65_536,
        takes="PEM: one or more public keys or certificates", check=public_key, secret=True, lines=True)] = None
    jwt_jwks_url: Annotated[str | None, Setting(
        "Where an identity provider publishes the keys that verify its tokens. Needs the extra `crypto`.", "bytes", 1, 2048,
        takes="https://…, or http:// to this machine", check=jwks_url)] = None
    jwt_audience: Annotated[str | None, Setting(
        "The value that a token's `aud` must contain.", "bytes", 1, 1024, none="a token that has aud is refused")] = None
    jwt_issuer: Annotated[str | None, Setting(
        "The value that a token's `iss` must have.", "bytes", 1, 1024, none="not compared")] = None
    jwt_leeway: Annotated[float, Setting(
        "How far the clock of the server that signs tokens may be off.", "seconds", 0, 60)] = 10.0
    jwt_user_claim: Annotated[str, Setting("The claim with the user's id.", "bytes", 1, 128)] = "sub"
    jwt_name_claim: Annotated[str, Setting("The claim with the name to show.", "bytes", 1, 128)] = "name"
    revocation_ttl: Annotated[float, Setting(
        "How long a revocation is kept: at least as long as a token of yours may be valid. Guest tokens are valid for 30 days.",
        "seconds", 60, 315_360_000)] = 2_678_400.0
    required_amr: Annotated[tuple[str, ...], Setting(
        "How users must have signed in: their `amr` (RFC 8176) names all of these. Guests need none.",
        takes="words such as mfa, otp, hwk", check=names)] = ()
    token_cookie: Annotated[str | None, Setting(
        "The cookie that may hold the token.", "bytes", 1, 64, takes="the name of a cookie",
        check=cookie_name, per_route=True)] = None
    token_query: Annotated[str | None, Setting(
        "The query parameter that may hold the token; True is `token`. URLs end up in logs: prefer anything "
        "else.",
        "bytes", 1, 64, takes="the name of a query parameter, or True or False", check=query_name,
        words=_QUERY_WORDS, per_route=True)] = None
    tickets: Annotated[bool, Setting(
        "Accepts tickets in `?ticket=` of the handshake, and makes them at `POST <prefix>/api/tickets` and by `chat.ticket(user)`.")
    ] = False
    ticket_ttl: Annotated[float, Setting("How long a ticket is valid.", "seconds", 1, TICKET_TTL)] = TICKET_TTL
    oidc_logout: Annotated[str | None, Setting(
        "Hears of logouts at `POST <prefix>/oidc/logout`, where an identity provider reports them (OpenID Connect back-channel "
        "logout). True: for `JWT_AUDIENCE`; or the id of your client at the provider.", "bytes", 1, 1024,
        takes="True, or the id of the client", words=_AUDIENCE_WORDS)] = None
    auth_timeout: Annotated[float, Setting(
        "How long a connection may stay open before it authenticates; then it is closed with 4502.", "seconds", 0.1, 300,
        per_route=True)] = 10.0
    allowed_origins: Annotated[tuple[str, ...], Setting(
        "Origins of pages that may connect. Empty: pages of the server itself. **Dangerous:** `*` lets every page of the "
        "web connect. Where a cookie is enough to get in, any page may then act as your users.",
        takes="scheme://host[:port] each, or '*' alone", check=origins, per_route=True)] = ()

    # Rooms and their past
    page: Annotated[bool | None, Setting(
        "The small ready page at the prefix.", none="on with guests or in debug", words=_NONE)] = None
    sign_in_url: Annotated[str | None, Setting(
        "Where the ready page sends people who are not signed in: the page of your app where they do that.", "bytes", 1, 2048,
        takes="a path that begins with /, or https://…", check=page_url,
        none="the page says only that they are not signed in")] = None
    api: Annotated[bool, Setting(
        "REST and server-sent events at `<prefix>/api`. It also turns `TICKETS` on.")] = False
    auto_create: Annotated[bool | None, Setting(
        "The first `join` of a room that does not exist creates it. The page asks before, where an address names such a room.",
        none="on with guests or in debug",
        words=_NONE, at_run_time=True)] = None
    guests_create_rooms: Annotated[bool | None, Setting(
        "Guests may create rooms, by `room.create` or by a first `join`.", none="as `AUTO_CREATE`",
        words=_NONE, at_run_time=True)] = None
    client_room_ids: Annotated[bool | None, Setting(
        "`room.create` may choose the id of the new room. Off: the server chooses it, so that clients cannot find out "
        "which ids are taken.", none="as `AUTO_CREATE`", words=_NONE, at_run_time=True)] = None
    direct: Annotated[str | None, Setting(
        "Whom users may reach by `direct`, and add to rooms: `everyone`, `members` (who share a room with them), or `off`.",
        "bytes", 1, 16, takes="everyone, members or off", check=reached, none="everyone with guests, else members",
        at_run_time=True)] = None
    reserved_ids: Annotated[tuple[str, ...], Setting(
        "Prefixes of room ids that only the app uses, such as `order-`. Users can neither create nor first join such rooms.",
        takes="prefixes: 1 to 128 of A-Z a-z 0-9 _ . : - each", check=prefixes, at_run_time=True)] = ()
    max_rooms: Annotated[int, Setting(
        "Public and private rooms that the store keeps at most.", "rooms", 1, 100_000_000)] = 100_000
    max_direct_rooms: Annotated[int, Setting(
        "Direct rooms that the store keeps at most. They do not count among the others.", "rooms", 1, 100_000_000)] = 1_000_000
    receipts: Annotated[bool, Setting(
        "Members hear how far others have read: a live `read`, at most once a second and user, in rooms with at most 200 members.",
        at_run_time=True)] = False
    unread_types: Annotated[tuple[str, ...], Setting(
        "Types of your own events that count as unread, besides `message`.",
        takes="types with a dot or in upper case, such as poll.opened", check=own_types)] = ()
    max_members: Annotated[int, Setting(
        "Members that a room takes. Users who would be more get `room_limit`; the app may add them.", "members", 2, 100_000_000,
        at_run_time=True)] = 100_000
    history_max: Annotated[int | None, Setting(
        "Events kept per room. Beyond that the oldest are deleted.", "events", 1, 1_000_000_000, words=_NONE,
        none="the store's own: 100,000, `memory:` 1,000")] = None
    retention: Annotated[float | None, Setting(
        "How long an event is kept.", "seconds", 1, 3_153_600_000, words=_NONE, none="for ever")] = None
    erase_within: Annotated[float, Setting(
        "How long deleted content may stay in the append-only file of `embedded:` and Redis before the file is "
        "rewritten. It is rewritten sooner where that is quick.", "seconds", 60, 31_536_000)] = 86_400.0
    search_language: Annotated[str | None, Setting(
        "The language in which `search` finds words in all their forms. Only on PostgreSQL.", "bytes", 1, 63,
        takes="a text search configuration of the database, such as `english`",
        none="words are found as they are written, by their beginning")] = None
    history_page: Annotated[int, Setting(
        "Events in a page of history unless the client asks for a number.", "events", 1, PAGE_LIMIT, per_route=True, at_run_time=True)] = 50
    recovery_limit: Annotated[int, Setting(
        "Missed events that a `join` with `since` may return. A client that missed more starts afresh.",
        "events", 0, 500, per_route=True, at_run_time=True)] = 500
    dedup_window: Annotated[float, Setting(
        "How long a repeated `msgId` is answered with the first result.", "seconds", 300, 604_800)] = 300.0
    position_check: Annotated[float, Setting(
        "How often a worker compares the positions of its rooms with the store.", "seconds", 0.1, 3600)] = 10.0

    # A connection
    heartbeat_interval: Annotated[float, Setting(
        "How long a connection may be silent before it is pinged.", "seconds", 0.1, 3600,
        below="heartbeat_timeout", per_route=True)] = 30.0
    heartbeat_timeout: Annotated[float, Setting(
        "How long a connection may be silent before it is closed with 4012.", "seconds", 0.1, 7200,
        per_route=True)] = 90.0
    max_frame: Annotated[int, Setting(
        "The largest frame that a client may send; a larger one closes with 1009.", "bytes", KIB, 16 * MIB,
        per_route=True)] = 64 * KIB
    max_text: Annotated[int, Setting(
        "The longest text of a message. If you set only `MAX_FRAME`, and set it below this, this shrinks to it.",
        "characters", 1, 16 * MIB, at_most="max_frame", per_route=True, at_run_time=True)] = 16_000
    max_stream: Annotated[int, Setting(
        "The longest text of a message that is written piece by piece, as UTF-8.", "bytes", 1, MIB,
        per_route=True, at_run_time=True)] = 128 * KIB
    max_publish: Annotated[int, Setting(
        "The largest payload that the app may `publish` or push, as JSON, and the largest answer of its own commands. "
        "Many WebSocket libraries close a connection at a frame above 1 MiB.",
        "bytes", KIB, 16 * MIB, at_run_time=True)] = 512 * KIB
    max_json_depth: Annotated[int, Setting(
        "How deep objects and lists of a frame may nest.", "levels", 4, 128, per_route=True, at_run_time=True)] = 32
    max_bad_frames: Annotated[int, Setting(
        "Malformed frames in a row that close a connection with 4501.", "frames", 1, 1000,
        per_route=True, at_run_time=True)] = 10
    outbox_limit: Annotated[int, Setting(
        "What may wait for a slow reader; with more it is closed with 4008. Below `MAX_FRAME`, one large message can be enough.",
        "bytes", 4 * KIB, 1024 * MIB, per_route=True)] = MIB
    max_rooms_per_connection: Annotated[int, Setting(
        "Rooms that a connection may be in at a time.", "rooms", 1, 100_000, per_route=True, at_run_time=True)] = 128
    max_connections: Annotated[int | None, Setting(
        "Connections to a worker.", "connections", 1, 10_000_000, words=_NONE, none="no limit",
        per_route=True, at_run_time=True)] = None
    max_connections_per_user: Annotated[int | None, Setting(
        "Connections of one user to a worker.", "connections", 1, 10_000_000, words=_NONE,
        none="no limit", per_route=True, at_run_time=True)] = None
    max_connections_per_ip: Annotated[int | None, Setting(
        "Connections from one address to a worker. The addresses of an IPv6 network (/64) count as one.", "connections", 1, 10_000_000, words=_NONE,
        none="no limit", per_route=True, at_run_time=True)] = None

    # How often: of a user, and twenty times as often from an address
    rate_limits: Annotated[bool, Setting(
        "Limits how often users may do something. Off: none of the rates below applies.", at_run_time=True)] = True
    rate_message: Annotated[Rate | None, Setting(
        "Messages, to rooms and to users.", **_LIMIT)] = parse_rate("10/s burst 30")
    rate_change: Annotated[Rate | None, Setting(
        "What changes something: edits, deletions, reactions, pins, moderation.", **_LIMIT)] = parse_rate("1/s burst 20")
    rate_live: Annotated[Rate | None, Setting(
        "Typing.", **_LIMIT)] = parse_rate("20/s burst 60")
    rate_read: Annotated[Rate | None, Setting(
        "Questions, such as `history`, and commands of the app.", **_LIMIT)] = parse_rate("20/s burst 60")
    rate_join: Annotated[Rate | None, Setting(
        "Joining and leaving rooms.", **_LIMIT)] = parse_rate("10/s burst 150")
    rate_create: Annotated[Rate | None, Setting(
        "Making rooms.", **_LIMIT)] = parse_rate("10/min")
    rate_new_people: Annotated[Rate | None, Setting(
        "First messages to a user, invitations, adding members.", **_LIMIT)] = parse_rate("20/h")
    rate_auth: Annotated[Rate | None, Setting(
        "Proofs of identity that fail, from one address.", **_LIMIT)] = parse_rate("10/min")
    rate_bytes: Annotated[Rate | None, Setting(
        "Bytes of frames.", **_LIMIT)] = parse_rate("256 KiB/s burst 2 MiB")
    overload_lag: Annotated[float | None, Setting(
        "How late the event loop may be. If it is later for a second, new connections get 503, and typing and presence wait.",
        "seconds", 0.01, 60, words=_NONE, at_run_time=True)] = 0.25

    # Presence and the end
    presence_ttl: Annotated[float, Setting(
        "How long users stay present whose worker died.", "seconds", 1, 3600)] = 60.0
    presence_grace: Annotated[float, Setting(
        "How long a user may be disconnected before the others are told.", "seconds", 0, 3600,
        below="presence_ttl")] = 10.0
    drain_seconds: Annotated[float, Setting(
        "How long a worker that stops may take to send its connections away.", "seconds", 0, 600)] = 10.0

    # What an operator sees
    metrics: Annotated[bool, Setting(
        "Counts what happens, for Prometheus at `<prefix>/metrics`. Needs the extra `metrics`.")] = False
    metrics_token: Annotated[str | None, Setting(
        "What a request for the metrics has to show, as `Authorization: Bearer …`.", "bytes", 16, 4096, secret=True,
        none="anybody may read them")] = None
    admin: Annotated[str | None, Setting(
        "The operators' page at `<prefix>/admin/`, for tokens with the scope `chat:admin`: `read` (or True) shows, and `write` also "
        "acts, for those that have `chat:moderate` too.",
        "bytes", 1, 16, takes="read or write, or True or False", check=operated, words=_ADMIN_WORDS)] = None
    tracing: Annotated[bool, Setting(
        "Spans of OpenTelemetry, from a command to its delivery on all workers. Needs the extra `tracing`.")] = False

    # Workers
    watchdog: Annotated[bool, Setting(
        "Replaces workers that died or are frozen. It has no effect where the app runs in a single process.")] = True
    watchdog_silence: Annotated[float, Setting(
        "How long a worker's event loop may stand still; then it is killed and replaced. Not in debug.",
        "seconds", 1, 3600)] = 10.0

    # fmt: on

    def __post_init__(self) -> None:
        for name in ("page", "auto_create"):
            if getattr(self, name) is None:
                force_setattr(self, name, self.guests or self.debug)
        if self.direct is None:
            force_setattr(self, "direct", EVERYONE_REACHED if self.guests else MEMBERS_REACHED)
        for name in ("guests_create_rooms", "client_room_ids"):
            if getattr(self, name) is None:
                force_setattr(self, name, self.auto_create)

    def space(self, *, shared: bool) -> str:
        """What the names of this chat begin with at a backend; at one that apps share, with the app's."""
        return f"{self.namespace}{SPACE}{self.instance}" if shared and self.namespace else self.instance

    @property
    def at_run_time(self) -> dict[str, Any]:
        """Name and value of every setting that `reconfigure` may change. Rates are texts."""
        found = {name: getattr(self, name) for name, field in FIELDS.items() if field.setting.at_run_time}
        return {name: str(value) if isinstance(value, Rate) else value for name, value in found.items()}

    @property
    def rates(self) -> dict[Kind, Rate | None]:
        """The rate of each kind of action; empty where `rate_limits` is off."""
        return {kind: getattr(self, f"rate_{kind.label}") for kind in Kind} if self.rate_limits else {}

    @property
    def embedded(self) -> bool:
        """Does a backend live in the server that the app brings along?"""
        return EMBEDDED in (self.store, self.broker, self.presence)

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Name and value of every field, without secrets, passwords and the insides of the app's objects."""
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
KEYS = tuple(name.upper() for name in FIELDS)
"""The same names as their keys have them, without what keys begin with."""
