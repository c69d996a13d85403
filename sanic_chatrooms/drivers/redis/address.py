"""Where a Redis or Valkey is, as a URL says it: one server, a cluster, or the master that Sentinel names.

    redis://user:password@host:6379/0          rediss:// the same over TLS; valkey:// and valkeys:// mean the same
    redis+unix:///run/valkey.sock?db=0         a socket of this machine
    redis+cluster://host:7000,host:7001        any nodes of a cluster
    redis+sentinel://host:26379,host:26379/name/0   the Sentinels, the name they know the master by, the database

`?prefix=shop:` begins every key and channel (default `chatrooms:`). Other parameters are those of redis-py's connections:
`ssl_ca_certs`, `ssl_certfile`, `ssl_keyfile`, `client_name` … ; `sentinel_username` and `sentinel_password` are for the Sentinels.
"""

import re
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec
from redis.asyncio.connection import Connection, UnixDomainSocketConnection, parse_url

from ...errors import ConfigError

__all__ = ["PREFIX", "RedisAddress", "parse_address"]

PREFIX = "chatrooms:"
_SCHEME = re.compile(r"(redis|valkey)(s?)(?:\+(unix|cluster|sentinel))?")
_PREFIX = re.compile(r"[!-z|~]{1,64}")  # printable, and no braces: those choose the slot in a cluster
_PORTS = {"": 6379, "cluster": 6379, "sentinel": 26379}


class RedisAddress(msgspec.Struct, frozen=True):
    """What a URL says."""

    kind: str
    """"" one server, "unix", "cluster" or "sentinel"."""
    hosts: tuple[tuple[str, int], ...]
    connection: type[Any]
    """One of redis-py's connections."""
    options: dict[str, Any]
    """Its keywords, host and port excepted."""
    prefix: str = PREFIX
    service: str = ""
    """The name that the Sentinels know the master by."""
    sentinel_options: dict[str, Any] = {}


def parse_address(url: str) -> RedisAddress:
    """What the URL says. Raises `ConfigError`, without the URL: it may hold a password."""
    parts = urlsplit(url)
    scheme = _SCHEME.fullmatch(parts.scheme)
    if scheme is None:
        raise ConfigError(f"a Redis URL begins with redis:// or one like it, not with {parts.scheme}:")
    kind = scheme[3] or ""
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    prefix = query.pop("prefix", PREFIX)
    if not _PREFIX.fullmatch(prefix):
        raise ConfigError("the prefix of a Redis URL has 1 to 64 printable characters, none of them { or }")
    sentinel = {
        name: query.pop(f"sentinel_{name}")
        for name in ("username", "password")
        if f"sentinel_{name}" in query
    }
    user, _, hosts = parts.netloc.rpartition("@")
    path, service = parts.path, ""
    if kind == "sentinel":
        _, service, path = (*path.split("/", 2), "", "")[:3]
        if not service:
            raise ConfigError(
                "a redis+sentinel:// URL names the master: redis+sentinel://host:26379/mymaster"
            )
    plain = "unix" if kind == "unix" else f"redis{scheme[2]}"
    netloc = "" if kind == "unix" else f"{user}@localhost" if user else "localhost"
    options = _options(urlunsplit((plain, netloc, path, urlencode(query), "")))
    connection = options.pop("connection_class", Connection)
    _check_options(connection, options)
    if kind == "cluster" and options.get("db"):
        raise ConfigError("a Redis Cluster has only database 0; leave it out of the URL")
    if kind == "unix":
        return RedisAddress(kind, (("", 0),), UnixDomainSocketConnection, options, prefix)
    found = tuple(_host(host, _PORTS[kind]) for host in hosts.split(","))
    return RedisAddress(kind, found, connection, options, prefix, service, sentinel)


def _options(url: str) -> dict[str, Any]:
    try:
        options: dict[str, Any] = dict(parse_url(url))
    except ValueError as exc:
        raise ConfigError(f"the Redis URL cannot be read: {exc}") from None
    for name in ("host", "port"):
        options.pop(name, None)
    return options


def _check_options(connection: type[Any], options: dict[str, Any]) -> None:
    try:
        connection(**options)  # it connects later
    except TypeError as exc:
        unknown = str(exc).rpartition(" ")[2]
        raise ConfigError(f"the Redis URL has an option that is not known here: {unknown}") from None


def _host(text: str, port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    try:
        return parts.hostname or "localhost", parts.port or port
    except ValueError:
        # Not shown: what stands in this place may be a password that holds a "/".
        raise ConfigError("a port of the Redis URL is no number up to 65535: there is no such port") from None
