"""What must hold before an instance starts: its name, a way in for users, and backends that all workers share."""

import functools
import re
from collections.abc import Mapping

from msgspec.structs import replace

from ..errors import ConfigError
from ..models import Scope
from .field import shown
from .settings import FIELDS, KEYS, PLANNED, Settings

__all__ = ["check_name", "require_auth", "require_scope"]


def check_name(name: str) -> None:
    """Check the name of an instance, which is part of its keys, of its blueprint's name and of its prefix.

    It is `[a-z][a-z0-9_]{0,31}`, and must not make a key ambiguous: with an instance `max`, CHATROOMS_MAX_FRAME could be
    its FRAME or the MAX_FRAME of all. Raises `ConfigError`.
    """
    if not _is_name(name):
        raise ConfigError(
            f"ChatRooms({shown(name)}): the name of an instance has 1 to 32 characters of a-z, 0-9 and _, "
            "a letter first"
        )
    if key := _mistaken_for(name.upper()):
        raise ConfigError(
            f'ChatRooms("{name}"): this name could be mistaken for the key CHATROOMS_{key}; choose another'
        )


def _is_name(name: object) -> bool:
    return isinstance(name, str) and re.fullmatch(r"[a-z][a-z0-9_]{0,31}", name) is not None


@functools.lru_cache(maxsize=100)
def _mistaken_for(name: str) -> str | None:
    return next((key for key in (*KEYS, *PLANNED) if _mistakable(name, key)), None)


def _mistakable(name: str, key: str) -> bool:
    if key == name or key.startswith(f"{name}_") or name.startswith("RATE_"):
        return True
    # Instance X_HISTORY with PAGE, and instance X with HISTORY_PAGE, would share a key.
    return any(f"{name}_{tail}".endswith(f"_{key}") for tail in KEYS if len(tail) < len(key))


def require_auth(settings: Settings, has_authenticator: bool) -> Settings:
    """Check that users can get in; -> the same settings. In debug guests are let in if nobody else could get in.

    `has_authenticator`: a route in the app's code has one. Raises `ConfigError` that says what to set.
    """
    keys = settings.jwt_secret or settings.jwt_public_key or settings.jwt_jwks_url or settings.tickets
    if has_authenticator or settings.auth is not None or keys or settings.guests:
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
    """Check that all workers share their backends. `scopes` has a backend's scope by setting: {"store": Scope.MACHINE, …}.

    Raises `ConfigError` if there is more than one worker and a backend reaches only one process.
    """
    alone = [FIELDS[name].label(instance) for name, scope in scopes.items() if scope is Scope.PROCESS]
    if workers <= 1 or not alone:
        return
    keys, store = " and ".join(alone), FIELDS["store"].label(instance)
    reach = "reaches" if len(alone) == 1 else "reach"
    change = f"{store} (broker and presence follow it unless you set them)" if store in alone else keys
    raise ConfigError(
        f"{workers} workers, but {keys} {reach} no further than one process: no worker would see what another does. "
        f"Run one worker (`workers=1`, `--workers=1` or `--single-process`), or set {change} to what all workers "
        "share: embedded: on one machine, redis://HOST on many"
    )
