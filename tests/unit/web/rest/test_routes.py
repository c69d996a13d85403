"""The table of REST: which path is which command."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from sanic_chatrooms.verbs.table import commands
from sanic_chatrooms.web.rest.routes import ROUTES, RestRoute, find, row_of, types_of

NOT_BY_REST = {
    "auth", "exit", "explain", "join", "message.append", "message.cancel", "message.close", "message.open", "message.text", "ping",
    "pins", "prefs", "presence", "reactions", "report.close", "reports", "restrictions", "typing", "user.block", "user.blocked",
    "user.unblock",
}  # fmt: skip
"""About connections, or about what REST has no address for."""


def test_every_command_is_in_the_table_or_left_out_on_purpose() -> None:
    routed = {type for route in ROUTES for type in types_of(route)}

    assert routed | NOT_BY_REST == set(commands())
    assert not routed & NOT_BY_REST


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_is_found_by_its_path(route: RestRoute) -> None:
    path = re.sub(r"\{(\w+)\}", r"its-\1", route.path)

    found = find(path)

    assert found is not None
    assert found.routes[route.method] is route
    assert found.named == {name: f"its-{name}" for name in re.findall(r"\{(\w+)\}", route.path)}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_what_a_path_names_is_the_room_or_in_the_payload(route: RestRoute) -> None:
    row, named = row_of(route), set(re.findall(r"\{(\w+)\}", route.path)) - {"room"}

    assert named <= (set(row.payload.__struct_encode_fields__) if row is not None else set())


def test_names_in_a_path_may_be_anything() -> None:
    found = find("/rooms/general/members/a%2Fb%20%C3%A9")

    assert found is not None
    assert found.named == {"room": "general", "user": "a/b é"}


@pytest.mark.parametrize(
    "path", ["", "/", "/nothing", "/rooms/", "/rooms//messages", "/rooms/a/b", "/rooms/a/messages/b/pin/c"]
)
def test_other_paths_are_not_found(path: str) -> None:
    found = find(path)

    assert found is None or path == "/rooms/"


def test_the_package_does_not_load_it_unless_an_app_asks_for_it() -> None:
    script = "import sys, sanic_chatrooms.web.blueprint; print([name for name in sys.modules if 'web.rest' in name])"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
