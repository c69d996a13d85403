"""Checks what an app declares, at the decorator, and recognizes declarations that are repeated.

An app factory that is called twice runs the same decorators twice, each time with new functions. A function that comes
from the same place of the code replaces the earlier one, if another app was mounted between them.
"""

import difflib
import inspect
from collections.abc import Callable, Collection, Iterable
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from ..access.policy import Policy
from ..auth.base import Authenticator
from ..errors import ConfigError, InvalidField
from ..wire.names import check_room_id, check_type
from .middleware import SPEAK

__all__ = [
    "HAPPENINGS",
    "PUSHES",
    "check_answer",
    "check_authenticator",
    "check_command_type",
    "check_event",
    "check_handler",
    "check_object",
    "check_policy",
    "check_rooms",
    "check_stored",
    "check_wrapped",
    "same_place",
]

HAPPENINGS = frozenset(
    ("room.entered", "room.exited", "connect", "connected", "disconnect", "message.unattached")
)
"""Types for listeners that are not events."""
PUSHES = frozenset(("notice", "update", "redirect"))
"""Types of the protocol that an app publishes or pushes."""
_NO_OBJECTS = (list, tuple, set, frozenset, str, bytes, int, float, bool)


# ---- objects ----


def check_policy(policy: object, where: str) -> None:
    """Check a policy; None is accepted. Raises `ConfigError`."""
    _check_object(policy, Policy, f"{where}: policy")


def check_authenticator(auth: object, where: str) -> None:
    """Check an authenticator; None is accepted. Raises `ConfigError`."""
    _check_object(auth, Authenticator, f"{where}: auth")


def _check_object(value: object, kind: type, what: str) -> None:
    if value is None or isinstance(value, kind):
        return
    if isinstance(value, type) and issubclass(value, kind):
        name = value.__name__
        raise ConfigError(f"{what}={name} is the class: call it, {what.rpartition(' ')[2]}={name}()")
    raise ConfigError(f"{what}={value!r} is no {kind.__name__}; derive from sanic_chatrooms.{kind.__name__}")


# ---- types ----


def check_event(type: object, events: Collection[str]) -> None:
    """Check the type for a listener: one of the protocol's `events`, or one of the app. Raises `ConfigError`."""
    if callable(type):
        raise ConfigError(f'@chat.on needs the types to hear: @chat.on("message") above {_name(type)}')
    known = {*events, *PUSHES, *HAPPENINGS}
    if not isinstance(type, str) or (type not in known and not _is_own(type)):
        raise ConfigError(
            f"on({type!r}): there is no such event{_hint(type, known)}; see docs/reference/events.md"
        )


def check_rooms(rooms: object) -> list[str]:
    """Check the rooms of a listener; -> each once. Raises `ConfigError`."""
    if isinstance(rooms, str) or not isinstance(rooms, Collection) or not rooms:
        raise ConfigError(
            f'on(rooms={rooms!r}): must be several rooms: @chat.on("message", rooms=["general"])'
        )
    for room in rooms:
        try:
            check_room_id(room)
        except InvalidField as exc:
            raise ConfigError(f"on(rooms=…): {room!r}: {exc}") from None
    return list(dict.fromkeys(rooms))


def check_stored(types: Iterable[str]) -> None:
    """Check that events of these types are stored, so that other processes hear them, too. Raises `ConfigError`."""
    for type in types:
        if type in HAPPENINGS:
            raise ConfigError(
                f"on({type!r}, rooms=…): only the process that serves the connection hears this"
            )


def check_wrapped(type: object, commands: Collection[str], own: Collection[str] | None = None) -> None:
    """Check the type for a middleware: one of the protocol's `commands`, or one of the app. `own` are the app's commands, if
    all of them are known. Raises `ConfigError`."""
    known = {*commands, *(own or ()), SPEAK}
    if isinstance(type, str) and (type in known or (own is None and _is_own(type))):
        return
    raise ConfigError(
        f"middleware({type!r}): there is no such command{_hint(type, known)}; see docs/reference/protocol.md"
    )


def check_command_type(type: object) -> None:
    """Check the type of an app's command. Raises `ConfigError`."""
    if not isinstance(type, str):
        raise ConfigError(f'@chat.command needs its type: @chat.command("poll.vote") above {_name(type)}')
    try:
        check_type(type)
    except InvalidField as exc:
        raise ConfigError(f"command({type!r}): {exc}") from None


def _is_own(type: str) -> bool:
    try:
        return bool(check_type(type))
    except InvalidField:
        return False


def _hint(type: object, known: Iterable[str]) -> str:
    spelt = {name.lower(): name for name in known}
    near = difflib.get_close_matches(str(type).lower(), spelt, n=1)
    return f"; did you mean {spelt[near[0]]}?" if near else ""


# ---- functions ----


def check_handler(function: object, what: str, takes: tuple[str, ...], *, waits: bool) -> None:
    """Check that a function takes these arguments; `waits`: that it is a coroutine function. Raises `ConfigError`."""
    wanted = f"{'an `async def`' if waits else 'a'} function of ({', '.join(takes)})"
    if not callable(function) or (waits and not _is_coroutine_function(function)):
        raise ConfigError(f"{what} {_name(function)} must be {wanted}")
    try:
        inspect.signature(function).bind(*takes)
    except TypeError:
        raise ConfigError(f"{what} {_name(function)} must be {wanted}") from None
    except ValueError:
        pass  # a builtin without a signature


def check_answer(function: Callable[..., Any], type: str) -> None:
    """Check that the declared return type can be an ack's payload. Raises `ConfigError`."""
    try:
        hint = get_type_hints(function).get("return")
    except Exception:  # noqa: BLE001 - a name that is known elsewhere only: then the first call will tell
        return
    for kind in get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,):
        if (get_origin(kind) or kind) in _NO_OBJECTS:
            raise ConfigError(
                f"command({type!r}): {_name(function)} returns {inspect.formatannotation(kind)}; an ack's payload is an "
                'object, so return a dict, a struct, or None: {"items": […]}'
            )


def check_object(type: str, answer: object) -> None:
    """Check that an answer can be an ack's payload. Raises `TypeError`."""
    if isinstance(answer, _NO_OBJECTS):
        kind = answer.__class__.__name__
        raise TypeError(
            f"{type} was answered by a {kind}; an ack's payload is an object, so return a dict, a struct, or None"
        )


def _is_coroutine_function(function: object) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - an object whose call is a coroutine function
    )


def _name(function: object) -> str:
    return str(getattr(function, "__qualname__", None) or repr(function))


def same_place(old: object, new: object, *, anew: bool) -> bool:
    """Whether two functions come from the same place of the code. `anew`: an app was mounted between them, so their closures
    may differ. Otherwise different closures mean different functions, for example from a loop.
    """
    if old == new:
        return True
    code = getattr(new, "__code__", None)
    if code is None or getattr(old, "__code__", None) is not code:
        return False
    return anew or _held(old) == _held(new)


def _held(function: Any) -> tuple[Any, ...]:
    cells = tuple(id(cell.cell_contents) for cell in function.__closure__ or () if _is_filled(cell))
    return getattr(function, "__self__", None), function.__defaults__, function.__kwdefaults__, cells


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - asking is what tells
    except ValueError:
        return False
    return True
