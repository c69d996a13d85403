"""`token`: a token for a user, signed as the server expects it."""

import os
import time
from typing import Any

import click
import jwt

from ..config.checks import check_name
from ..config.load import load
from ..config.settings import Settings
from ..errors import ConfigError, InvalidField
from ..support.user_ids import GUEST, check_user_id
from . import options
from .output import say_json

__all__ = ["token"]

SECRET = "JWT_SECRET"  # noqa: S105 - the name of a setting


@click.command()
@click.argument("user", metavar="USER")
@click.option("--name", metavar="NAME", help="The name to show; without it, the id.")
@click.option(
    "--ttl",
    default="1h",
    show_default=True,
    type=options.duration,
    metavar="TIME",
    help="How long it is valid: 90, 15m, 1h, 7d.",
)
@click.option(
    "--scope", "scopes", multiple=True, metavar="SCOPE", help="What it allows. May be given several times."
)
@options.instance
@options.as_json
def token(
    user: str, name: str | None, ttl: float, scopes: tuple[str, ...], instance: str, as_json: bool
) -> None:
    """Print a token (JWT) for the user with the id USER.

    The key is the app's, in the variable SANIC_CHATROOMS_JWT_SECRET. The token has the algorithm, audience, issuer and
    claims that the server's other SANIC_CHATROOMS_JWT_… variables name.

    \b
    export SANIC_CHATROOMS_JWT_SECRET=…
    export CHATROOMS_TOKEN=$(python -m sanic_chatrooms token u1 --name Ada --ttl 15m)
    """
    check_name(instance)
    settings = load(instance, {}, os.environ, {}, debug=False, instances=(instance,))
    if check_user_id(user).startswith(GUEST):
        raise InvalidField(f"begins with {GUEST}, as only the ids of guests do", field="USER")
    claims = _claims(settings, user, name, ttl, scopes)
    text = jwt.encode(claims, _key(settings), _algorithm(settings))
    if as_json:
        say_json({"token": text, "user": user, "expiresAt": claims["exp"]})
    else:
        click.echo(text)


def _claims(
    settings: Settings, user: str, name: str | None, ttl: float, scopes: tuple[str, ...]
) -> dict[str, Any]:
    now = int(time.time())
    given = {
        settings.jwt_name_claim: name,
        "scope": " ".join(scopes) or None,
        "aud": settings.jwt_audience,
        "iss": settings.jwt_issuer,
    }
    told = {claim: value for claim, value in given.items() if value is not None}
    return {**told, settings.jwt_user_claim: user, "iat": now, "exp": now + max(1, round(ttl))}


def _key(settings: Settings) -> str:
    if settings.jwt_secret is None:
        raise ConfigError(
            f"SANIC_CHATROOMS_{SECRET} is not set: put the app's {SECRET} into this variable. Tokens that an identity "
            "provider signs come from there"
        )
    return settings.jwt_secret


def _algorithm(settings: Settings) -> str:
    """The first algorithm that the server accepts with this secret."""
    fitting = [name for name in settings.jwt_algorithms or ("HS256",) if name.startswith("HS")]
    if not fitting:
        raise ConfigError("SANIC_CHATROOMS_JWT_ALGORITHMS has none for a secret, such as HS256")
    return fitting[0]
