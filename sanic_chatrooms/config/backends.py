"""Makes store, broker, presence and authenticator from settings: an object, a URL, an entry point, or "package.module:Class"."""

import importlib
import os
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from ssl import SSLError
from typing import Any, TypeVar

import msgspec

from ..auth.base import Authenticator
from ..auth.jwt import JWTAuth
from ..brokers.base import Broker
from ..brokers.memory import MemoryBroker
from ..drivers.redis.embedded import boot_id, embedded_url
from ..errors import ChatroomsError, ConfigError, Unavailable
from ..models import Scope
from ..presence.base import Presence
from ..presence.memory import MemoryPresence
from ..stores.base import Bounds, Store
from ..stores.memory.store import MemoryStore
from ..stores.search import SearchIndex, searching
from .field import shown
from .settings import FIELDS, Settings
from .values import EMBEDDED

__all__ = [
    "Backends",
    "bounds_of",
    "check_logout",
    "index_of",
    "make_authenticator",
    "make_broker",
    "make_presence",
    "make_store",
    "resolve",
    "server_of",
    "sql_store",
    "unusable",
]

B = TypeVar("B")

_EXTRAS = (
    {"sqlite": "sql", "postgresql": "postgres", "postgres": "postgres"}
    | dict.fromkeys(["redis", "rediss", "valkey", "valkeys"], "redis")
    | {"nats": "nats", "tls": "nats"}
)
"""By the scheme of a URL: what of this package has to be installed with it."""
_LEAVES = {
    ("STORE", "sql"): ("sanic_chatrooms.stores.sql.store", "SQLStore"),
    ("STORE", "postgres"): ("sanic_chatrooms.stores.sql.store", "SQLStore"),
    ("STORE", "redis"): ("sanic_chatrooms.stores.redis.store", "RedisStore"),
    ("BROKER", "redis"): ("sanic_chatrooms.brokers.redis", "RedisBroker"),
    ("BROKER", "postgres"): ("sanic_chatrooms.brokers.postgres", "PostgresBroker"),
    ("BROKER", "nats"): ("sanic_chatrooms.brokers.nats", "NATSBroker"),
    ("PRESENCE", "sql"): ("sanic_chatrooms.presence.sql", "SQLPresence"),
    ("PRESENCE", "postgres"): ("sanic_chatrooms.presence.sql", "SQLPresence"),
    ("PRESENCE", "redis"): ("sanic_chatrooms.presence.redis", "RedisPresence"),
    ("STORE", "embedded"): ("sanic_chatrooms.stores.redis.store", "RedisStore"),
    ("BROKER", "embedded"): ("sanic_chatrooms.brokers.redis", "RedisBroker"),
    ("PRESENCE", "embedded"): ("sanic_chatrooms.presence.redis", "RedisPresence"),
}
"""By setting and extra: the class that takes such a URL. Its module, and the driver with it, is loaded on first use."""


class Backends(msgspec.Struct):
    """The three that a deployment chooses."""

    store: Store
    broker: Broker
    presence: Presence

    apart: frozenset[str] = frozenset()
    """Those on a server that no other app uses, the one that an app brings along: `store`, `broker`, `presence`."""

    def spaces(self, settings: Settings) -> dict[str, str]:
        """By backend: what the names of this chat begin with there. On a server that several apps may share, with the app's."""
        return {name: settings.space(shared=name in self.shared) for name in ("store", "broker", "presence")}

    @property
    def shared(self) -> frozenset[str]:
        """Those that other apps may use too."""
        scopes = {
            "store": self.store.scope,
            "broker": self.broker.scope,
            "presence": self.presence.scope,
        }
        return frozenset(name for name, scope in scopes.items() if scope is Scope.CLUSTER) - self.apart

    @classmethod
    def of(cls, settings: Settings) -> "Backends":
        """What the settings name. Raises `ConfigError`."""
        directory = settings.embedded_dir
        store = make_store(settings.store, directory)
        at_broker = settings.broker or server_of("BROKER", store)
        broker = make_broker(at_broker, directory)
        same_server = bool(broker.publisher) and store.server_url == broker.server_url
        store.publishes_as = broker.publisher if same_server else None
        # Where the store reaches further than the broker, but not all machines, there is one process: its memory will do.
        alone = broker.scope is Scope.PROCESS and store.scope is not Scope.CLUSTER
        beside = (broker,) if alone else (broker, store)
        at_presence = settings.presence or server_of("PRESENCE", *beside)
        presence = make_presence(at_presence, directory)
        named = {"store": settings.store, "broker": at_broker, "presence": at_presence}
        apart = frozenset(name for name, value in named.items() if is_embedded(value, directory))
        return cls(store, broker, presence, apart)


def bounds_of(settings: Settings) -> Bounds:
    """How much the store keeps, and what it counts, by the settings."""
    return Bounds(
        history_max=settings.history_max,
        retention=settings.retention,
        dedup_window=settings.dedup_window,
        erase_within=settings.erase_within,
        search_language=settings.search_language,
        max_rooms=settings.max_rooms,
        max_direct_rooms=settings.max_direct_rooms,
        counted=("message", *settings.unread_types),
        timeout=settings.store_timeout,
    )


def make_store(value: Any, directory: str | None = None) -> Store:
    """The store that a setting names; `directory` is where an `embedded:` one is."""
    return _make("STORE", _embedded("STORE", value, directory), Store, MemoryStore)  # type: ignore[type-abstract]


def make_broker(value: Any, directory: str | None = None) -> Broker:
    """The broker that a setting names; nothing named: memory. `directory`: as for the store."""
    return _make("BROKER", _embedded("BROKER", value, directory), Broker, MemoryBroker)  # type: ignore[type-abstract]


def make_presence(value: Any, directory: str | None = None) -> Presence:
    """The presence that a setting names; nothing named: memory. `directory`: as for the store."""
    return _make("PRESENCE", _embedded("PRESENCE", value, directory), Presence, MemoryPresence)  # type: ignore[type-abstract]


def is_embedded(value: Any, directory: str | None) -> bool:
    """Does a setting mean the server that the app brings along?"""
    return value == EMBEDDED or (directory is not None and value == embedded_url(Path(directory)))


def server_of(key: str, *backends: Store | Broker) -> str | None:
    """The server of the first of these backends that can be used for this setting too, where the app names nothing."""
    urls = (backend.server_url for backend in backends)
    return next((url for url in urls if url is not None and (key, _extra(url)) in _LEAVES), None)


def _extra(url: str) -> str | None:
    return _EXTRAS.get(url.partition(":")[0].partition("+")[0])


def unusable(settings: Settings, name: str, problem: ChatroomsError) -> ChatroomsError:
    """The error for a backend (`store`, `broker`, `presence`) that could not start: with its setting, its address without a
    password, and what to do."""
    if isinstance(problem, ConfigError) and "CHATROOMS_" in str(problem):
        return problem
    given = _given(settings, name)
    where = f"{FIELDS[given].label(settings.instance)} = {shown(getattr(settings, given))}"
    if isinstance(problem, ConfigError):
        return ConfigError(f"{where}: {problem}")
    return Unavailable(f"{where} cannot be used: {_cause(problem)}; {_advice(getattr(settings, given))}")


def _given(settings: Settings, name: str) -> str:
    """The setting that says where this backend is: its own, or that of another backend on the same server."""
    for other in ("presence", "broker"):
        value = getattr(settings, other)
        if value is not None and (other == name or (name == "presence" and _serves(value, name))):
            return other
    return "store"


def _serves(value: Any, name: str) -> bool:
    url = value if isinstance(value, str) else getattr(value, "server_url", None)
    return url is not None and (name.upper(), _extra(url)) in _LEAVES


def _cause(problem: BaseException) -> str:
    """What the driver says, in one line."""
    found: BaseException | None = problem
    while isinstance(found, Unavailable) and (found.__cause__ or found.__context__) is not None:
        found = found.__cause__ or found.__context__
    if found is problem or found is None:
        return "it did not answer in time" if str(problem) == Unavailable.default else str(problem)
    said = ""
    while found is not None:
        if isinstance(found, OSError) and not isinstance(found, SSLError) and (found.errno or 0) > 0:
            return os.strerror(found.errno or 0).lower()
        if text := str(getattr(found, "orig", None) or found).strip():
            said = said or text.splitlines()[0].rstrip(".")
        found = found.__cause__ or found.__context__
    return said or "it did not answer in time"


def _advice(value: Any) -> str:
    if value == EMBEDDED:
        return "the app starts that server itself, and its log says why it does not run"
    if isinstance(value, str) and _extra(value) == "sql":
        return "name a file of SQLite that this user may write to, in a directory that they may write to"
    return "start that server, or correct the setting"


def sql_store(url: str, extra: str = "sql", **options: Any) -> Any:
    """A `SQLStore`. Raises `ConfigError` that says what to install."""
    return _leaf("STORE", extra)(url, **options)


def _embedded(key: str, value: Any, directory: str | None) -> Any:
    if value != EMBEDDED:
        return value
    if directory is None:
        raise ConfigError(
            f"CHATROOMS_{key}: outside of an app, CHATROOMS_EMBEDDED_DIR has to say where embedded: is"
        )
    options = {"run_id": boot_id()} if key == "STORE" else {}
    return _leaf(key, "embedded")(embedded_url(Path(directory)), **options)


def _leaf(key: str, extra: str) -> Any:
    module, name = _LEAVES[key, extra]
    try:
        return getattr(importlib.import_module(module), name)
    except ImportError as exc:
        raise ConfigError(f'CHATROOMS_{key}: {exc}; pip install "sanic-chatrooms[{extra}]"') from exc


def _make(key: str, value: Any, contract: type[B], memory: Callable[[], B]) -> B:
    if value is None or value in ("memory", "memory:"):
        return memory()
    if isinstance(value, str) and (extra := _extra(value)):
        try:
            value = _leaf(key, extra)(value)
        except ConfigError as problem:
            if "CHATROOMS_" in str(problem):
                raise
            raise ConfigError(f"CHATROOMS_{key}: {problem}") from None
    if isinstance(value, str):
        value = resolve(key, value, f"sanic_chatrooms.{key.lower()}")
        if isinstance(value, type):
            value = value()
    if not isinstance(value, contract):
        raise ConfigError(
            f"CHATROOMS_{key}: {value!r} is no {contract.__name__}; derive from {contract.__module__}"
        )
    return value


def resolve(key: str, name: str, group: str) -> Any:
    """What "package.module:Name" or an entry point of `group` stands for. Raises `ConfigError`."""
    module, _, attribute = name.partition(":")
    if attribute:
        try:
            return getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError) as exc:
            raise ConfigError(f"CHATROOMS_{key}: {name!r} cannot be loaded: {exc}") from exc
    for point in metadata.entry_points(group=group, name=name):
        return point.load()
    raise ConfigError(
        f"CHATROOMS_{key}: {name!r} is neither memory, nor package.module:Class, nor an entry point of {group}"
    )


def index_of(settings: Settings, store: Store) -> SearchIndex | None:
    """The index of a store that was started; None: it has none. Raises `ConfigError` if there is a `SEARCH_LANGUAGE` then."""
    index = searching(store)
    if settings.search_language is not None and index is None:
        raise ConfigError(
            f"CHATROOMS_SEARCH_LANGUAGE: {type(store).__name__} does not search; leave it out, or use PostgreSQL"
        )
    return index


def check_logout(settings: Settings, authenticator: Authenticator | None) -> None:
    """Check that the logout tokens of `OIDC_LOGOUT` can be verified. Raises `ConfigError`."""
    if settings.oidc_logout is None:
        return
    verifiers = [one for one in authenticator.members if isinstance(one, JWTAuth)] if authenticator else []
    if not verifiers:
        raise ConfigError(
            "CHATROOMS_OIDC_LOGOUT: no key is known; set CHATROOMS_JWT_JWKS_URL, or pass auth=JWTAuth(…)"
        )
    if not settings.oidc_logout and all(one.audience is None for one in verifiers):
        raise ConfigError(
            "CHATROOMS_OIDC_LOGOUT: whose logouts? Set CHATROOMS_JWT_AUDIENCE, or this to the client's id at the provider"
        )


def make_authenticator(settings: Settings) -> Authenticator | None:
    """The authenticator that the settings name, or one for JSON Web Tokens where there is a key. Raises `ConfigError`."""
    if settings.auth is not None:
        auth = settings.auth
        if isinstance(auth, str):
            auth = resolve("AUTH", auth, "sanic_chatrooms.auth")
        if isinstance(auth, type):
            auth = auth()
        if not isinstance(auth, Authenticator):
            raise ConfigError(
                f"CHATROOMS_AUTH: {auth!r} is no Authenticator; derive from sanic_chatrooms.Authenticator"
            )
        return auth
    if settings.jwt_secret is settings.jwt_public_key is settings.jwt_jwks_url is None:
        return None
    return JWTAuth(
        settings.jwt_secret,
        public_key=settings.jwt_public_key,
        jwks_url=settings.jwt_jwks_url,
        previous_key=settings.jwt_previous_secret,
        algorithms=settings.jwt_algorithms,
        audience=settings.jwt_audience,
        issuer=settings.jwt_issuer,
        leeway=settings.jwt_leeway,
        user_claim=settings.jwt_user_claim,
        name_claim=settings.jwt_name_claim,
    )
