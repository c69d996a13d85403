"""What the URL of a Redis or Valkey says."""

from __future__ import annotations

import pytest
from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection

from sanic_chatrooms.drivers.redis.address import parse_address
from sanic_chatrooms.drivers.redis.cluster import slot_of
from sanic_chatrooms.errors import ConfigError


@pytest.mark.parametrize("scheme", ["redis", "valkey"])
def test_one_server(scheme: str) -> None:
    address = parse_address(f"{scheme}://cache:7000/2")

    assert (address.kind, address.hosts, address.connection) == ("", (("cache", 7000),), Connection)
    assert address.options == {"db": 2}
    assert address.prefix == "chatrooms:"


def test_the_usual_port_and_host_need_not_be_said() -> None:
    assert parse_address("redis://cache").hosts == (("cache", 6379),)
    assert parse_address("redis://").hosts == (("localhost", 6379),)
    assert parse_address("redis://[::1]").hosts == (("::1", 6379),)
    assert parse_address("redis+sentinel://one,two:5/chat").hosts == (("one", 26379), ("two", 5))


@pytest.mark.parametrize("scheme", ["rediss", "valkeys", "rediss+cluster"])
def test_tls(scheme: str) -> None:
    address = parse_address(f"{scheme}://cache?ssl_ca_certs=/etc/ca.pem")

    assert address.connection is SSLConnection
    assert address.options == {"ssl_ca_certs": "/etc/ca.pem"}


def test_users_and_passwords_may_hold_anything() -> None:
    address = parse_address("redis+cluster://me%40shop:p%40%3A%2F%25@a:1,b:2?prefix=shop:")

    assert address.options == {"username": "me@shop", "password": "p@:/%"}
    assert (address.hosts, address.prefix) == ((("a", 1), ("b", 2)), "shop:")


def test_sentinels_have_passwords_of_their_own() -> None:
    address = parse_address("redis+sentinel://:master@a/chat/3?sentinel_password=guard")

    assert (address.service, address.options) == ("chat", {"password": "master", "db": 3})
    assert address.sentinel_options == {"password": "guard"}


def test_a_socket_of_the_machine() -> None:
    address = parse_address("redis+unix:///run/valkey.sock?db=1")

    assert address.connection is UnixDomainSocketConnection
    assert address.options == {"path": "/run/valkey.sock", "db": 1}


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://cache", "begins with redis://"),
        ("redis+pigeon://cache", "begins with redis://"),
        ("redis://cache?prefix={x}", "none of them { or }"),
        ("redis://cache?prefix=", "1 to 64"),
        ("redis+cluster://cache/1", "only database 0"),
        ("redis+sentinel://cache", "names the master"),
        ("redis://cache:secret-99999999", "no such port"),
        ("redis://cache?socket_read_size=secret", "cannot be read"),
    ],
)
def test_what_cannot_be_is_refused_without_showing_it(url: str, why: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_address(url)

    assert why in str(error.value)
    assert "secret" not in str(error.value)


def test_keys_of_one_room_are_in_one_slot() -> None:
    assert slot_of("chatrooms:x:{lobby}:h") == slot_of("chatrooms:x:{lobby}:m") == slot_of("lobby")
    assert slot_of("123456789") == 12739  # the example of the cluster's specification
    assert slot_of("{}:h") != slot_of("{}:m")
