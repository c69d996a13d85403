"""Checks of settings' values. Each returns the value as it is kept, or raises `ValueError` with the reason."""

import re
from typing import Any

from ..auth.fetch import checked_url
from ..auth.keys import ALGORITHMS
from ..errors import ConfigError, InvalidField
from ..support.origin import normal_origin
from ..wire.names import check_type
from .field import shown

__all__ = [
    "EMBEDDED",
    "algorithms",
    "broker",
    "cookie_name",
    "jwks_url",
    "named",
    "names",
    "namespace",
    "origins",
    "own_types",
    "page_url",
    "prefixes",
    "presence",
    "public_key",
    "query_name",
    "shared_secret",
    "store",
]


def _origin(text: str) -> str:
    try:
        origin = normal_origin(text.removesuffix("/"))
    except ValueError as reason:
        raise ValueError(f"{shown(text)} {reason}") from None
    if origin.startswith(("ws:", "wss:")):
        raise ValueError(
            f"{shown(text)}: the origin of a page begins with http, also when it opens a WebSocket"
        )
    return origin


def origins(values: tuple[str, ...]) -> tuple[str, ...]:
    """Exact origins, normalised; or `*` alone. Raises `ValueError`."""
    if "*" in values:
        if values != ("*",):
            raise ValueError("'*' is every origin there is: write it alone or not at all")
        return values
    return tuple(dict.fromkeys(map(_origin, values)))


def algorithms(values: tuple[str, ...]) -> tuple[str, ...]:
    """Signature algorithms. Raises `ValueError`."""
    for value in values:
        if value not in ALGORITHMS:
            raise ValueError(f"{shown(value)} is no algorithm that is known here")
    return tuple(dict.fromkeys(values))


def shared_secret(text: str) -> str:
    """Text that can be a shared secret. Raises `ValueError`."""
    # A public key is known to everybody: as a shared secret it would let anybody sign (RFC 8725 §3.1).
    if text.startswith("-----BEGIN"):
        raise ValueError("a key file is no shared secret")
    return text


def public_key(text: str) -> str:
    """PEM text without a private key. Raises `ValueError`."""
    if "PRIVATE KEY" in text:
        raise ValueError("a private key: only whoever signs tokens needs it")
    if not text.startswith("-----BEGIN "):
        raise ValueError("not PEM text")
    return text


def jwks_url(text: str) -> str:
    """The address of a key set. Raises `ValueError`."""
    try:
        return checked_url("it", text)
    except ConfigError as problem:
        raise ValueError(str(problem).removeprefix("it ")) from None


def page_url(text: str) -> str:
    """The address of a page: a path on this server, or elsewhere by http or https. Raises `ValueError`."""
    # Browsers read a backslash as a slash, and leave out line breaks and tabs.
    if not re.fullmatch(r"(/(?!/)|https?://)[^\s\\]*", text) or not text.isprintable():
        raise ValueError("neither a path that begins with / nor https://…")
    return text


def cookie_name(text: str) -> str:
    """A cookie's name. Raises `ValueError`."""
    # RFC 6265 §4.1.1: a token of RFC 9110 §5.6.2.
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", text):
        raise ValueError("holds a character that such a name cannot have")
    return text


def query_name(text: str) -> str:
    """The name of a query parameter. Raises `ValueError`."""
    if text in ("ticket", "since", "history"):
        raise ValueError("the protocol uses this name for something else")
    if not re.fullmatch(r"[A-Za-z0-9_.~-]+", text):
        raise ValueError("holds a character that such a name cannot have")
    return text


def reached(text: str) -> str:
    """Whom users may reach. Raises `ValueError`."""
    if text not in ("everyone", "members", "off"):
        raise ValueError("is none of everyone, members and off")
    return text


def operated(text: str) -> str:
    """What the operators' page may do. Raises `ValueError`."""
    if text not in ("read", "write"):
        raise ValueError("is neither read nor write")
    return text


def namespace(text: str) -> str:
    """What names of an app begin with, everywhere. Raises `ValueError`."""
    if not re.fullmatch(r"[A-Za-z0-9_.-]*", text):
        raise ValueError("holds a character that a namespace cannot have")
    return text


def prefixes(values: tuple[str, ...]) -> tuple[str, ...]:
    """How ids of rooms may begin. Raises `ValueError`."""
    for value in values:
        if not re.fullmatch(r"[A-Za-z0-9_.:-]{1,128}", value):
            raise ValueError(f"no id of a room begins with {shown(value)}")
    return tuple(dict.fromkeys(values))


def own_types(values: tuple[str, ...]) -> tuple[str, ...]:
    """Types of an app's own events. Raises `ValueError`."""
    for value in values:
        try:
            check_type(value)
        except InvalidField as problem:
            raise ValueError(str(problem)) from None
    return tuple(dict.fromkeys(values))


def names(values: tuple[str, ...]) -> tuple[str, ...]:
    """Names of people. Raises `ValueError`."""
    for value in values:
        if len(value) > 64:
            raise ValueError(f"{shown(value)} is longer than any name")
    return tuple(dict.fromkeys(values))


EMBEDDED = "embedded:"
"""The backend that an app brings along."""
_EXAMPLES = {
    "sqlite": "sqlite:///chat.db",
    "postgresql": "postgresql://user@host/database",
    "redis": "redis://host:6379",
    "nats": "nats://host:4222",
}
_FAMILIES = {name: name for name in _EXAMPLES} | {
    "postgres": "postgresql",  # widely written
    "rediss": "redis",
    "valkey": "redis",
    "valkeys": "redis",
    "tls": "nats",  # as NATS writes it
}
"""By the scheme of a URL: the server that it means."""
_CLASS = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
_ENTRY_POINT = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)


def named(value: Any) -> Any:
    """An object of the app, a "package.module:Class", or the name of an entry point."""
    if isinstance(value, type):
        raise ValueError(f"a class and not an object: write {value.__name__}(…)")
    if value is None or isinstance(value, bool | int | float | bytes | list | tuple | dict | set | frozenset):
        raise ValueError("nothing that could do this work")
    if isinstance(value, str) and not (_CLASS.fullmatch(value) or _ENTRY_POINT.fullmatch(value)):
        raise ValueError("not of a form that is known here")
    return value


def store(value: Any) -> Any:
    """As `named`, or the URL of a store. Raises `ValueError`."""
    return _backend(value, ("sqlite", "postgresql", "redis"))


def broker(value: Any) -> Any:
    """As `named`, or the URL of a broker. Raises `ValueError`."""
    return _backend(value, ("postgresql", "redis", "nats"))


def presence(value: Any) -> Any:
    """As `named`, or the URL of a presence. Raises `ValueError`."""
    return _backend(value, ("sqlite", "postgresql", "redis"))


def _backend(value: Any, servers: tuple[str, ...]) -> Any:
    if not isinstance(value, str):
        return named(value)
    scheme, colon, rest = value.partition(":")
    # "sqlite+aiosqlite://" names a driver too.
    family = scheme.partition("+")[0].lower()
    if family in _FAMILIES:
        return _url(value, _FAMILIES[family], servers)
    if family in ("memory", "embedded"):
        if rest:
            raise ValueError(f"nothing may follow {scheme}:")
        return f"{family}:"
    if colon and not _CLASS.fullmatch(value):
        raise ValueError("a URL of a scheme that is not known here")
    return named(value)


def _url(value: str, server: str, servers: tuple[str, ...]) -> str:
    if server not in servers:
        raise ValueError(f"{server} cannot do this work")
    if "://" not in value:
        raise ValueError(f"no URL; write {_EXAMPLES[server]}")
    return value
