"""Options that several commands have, and the values that they take."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

__all__ = [
    "as_json",
    "broker",
    "duration",
    "instance",
    "namespace",
    "timeout",
    "token",
    "words",
]

F = TypeVar("F", bound=Callable[..., Any])
Decorator = Callable[[F], F]

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
LONGEST = 315_360_000.0
"""Seconds: ten years."""


def duration(text: str | float) -> float:
    """Seconds, of a text such as 90, 90s, 15m, 1h or 7d. Raises `BadParameter`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", str(text))
    if found is None or found[2] not in _UNITS or float(found[1]) * _UNITS[found[2]] > LONGEST:
        raise click.BadParameter(f"{text!r} is no duration such as 90, 15m, 1h or 7d")
    return float(found[1]) * _UNITS[found[2]]


def words(metavar: str) -> Decorator[Any]:
    """The arguments of a command that begins with a URL, which may be left out; `split` takes them apart."""
    return click.argument("words", nargs=-1, metavar=metavar)


def _token(_: click.Context, __: click.Parameter, text: str | None) -> str | None:
    """A token without the white space around it; None: there is none. Raises `BadParameter` if no header can carry it."""
    token = (text or "").strip()
    if not (token.isascii() and token.isprintable()):
        raise click.BadParameter("has characters that no token has")
    return token or None


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
token = click.option(
    "--token",
    envvar="CHATROOMS_TOKEN",
    callback=_token,
    show_envvar=True,
    metavar="TOKEN",
    help="Who you are, for a server's URL; without it, a guest. Others on this machine can see what is on a "
    "command line, and not what is in the variable.",
)
timeout = click.option(
    "--timeout",
    default="10s",
    show_default=True,
    type=duration,
    metavar="TIME",
    help="How long a server may take to answer.",
)
instance = click.option(
    "--instance", default="default", show_default=True, metavar="NAME", help="The instance's name."
)
namespace = click.option(
    "--namespace",
    metavar="APP",
    help="The name of the app, or its setting NAMESPACE: needed for a store that several apps may share, such as "
    "postgresql:// and redis://.",
)
broker = click.option(
    "--broker",
    envvar="SANIC_CHATROOMS_BROKER",
    show_envvar=True,
    metavar="URL",
    help="The broker, for a store's URL, if it is not the store itself: workers hear by it at once, and else within seconds.",
)
