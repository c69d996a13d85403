"""Reads the `Settings` of an instance or a route from the app's code, `app.config` and the environment."""

import difflib
import logging
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from msgspec.structs import replace

from ..auth.keys import ASYMMETRIC, KEY_BYTES
from ..errors import ConfigError
from .field import parse_bool, shown
from .settings import FIELDS, KEYS, PLANNED, Settings

__all__ = ["load", "override", "reconfigured"]

logger = logging.getLogger("sanic_chatrooms.config")

_CONFIG, _ENVIRON = "CHATROOMS_", "SANIC_CHATROOMS_"


class _Given(NamedTuple):
    """A value that the app gave. In errors it is shown as `before` + value + `after`, as the app wrote it."""

    name: str
    value: Any
    before: str
    after: str = ""
    text: bool = False

    @property
    def label(self) -> str:
        field = FIELDS.get(self.name)
        secret = field.setting.secret if field else _looks_secret(self.name, self.value)
        return self.before + shown(self.value, secret=secret) + self.after


class _Reading(NamedTuple):
    """By name of the setting: values, how they were written, and a line for each one that is wrong."""

    values: dict[str, Any]
    labels: dict[str, str]
    wrong: dict[str, list[str]]

    @property
    def lines(self) -> list[str]:
        return [line for lines in self.wrong.values() for line in lines]


def load(
    instance: str,
    config: Mapping[str, Any],
    environ: Mapping[str, str],
    code: Mapping[str, Any],
    *,
    debug: bool,
    instances: Iterable[str],
) -> Settings:
    """The settings of one instance. Code overrides `app.config`, which overrides the environment and the defaults.

    `code` has the keyword arguments of `ChatRooms(…)` that were given, by lower-case name. In `config` and `environ` a key
    for this instance overrides a key for all. `instances` are the names of all instances in this app, whose keys are known.
    Every value is checked, also one that is overridden. Raises `ConfigError` with a line for each wrong value and each
    unknown key. An unknown variable is only logged, once.
    """
    names = {instance, *instances}
    own = {key: value for key, value in config.items() if _is_own(key, value, environ)}
    _warn_of_unknown(environ, names)
    reading = _read(_given(instance, own, environ, code))
    values = _fitted(reading.values, FIELDS["max_text"].default)
    settings = Settings(instance=instance, debug=debug, **values)
    _refuse([*_unknown(own, code, instance, names), *reading.lines, *_conflicts(settings, reading)])
    return settings


def _fitted(values: Mapping[str, Any], max_text: int) -> dict[str, Any]:
    # A text is never longer than its frame, so an app that sets only the frame need not set the text.
    return {"max_text": min(max_text, values.get("max_frame", max_text)), **values}


def _refuse(lines: list[str]) -> None:
    if lines:
        raise ConfigError("\n".join(lines))


def _is_own(key: Any, value: Any, environ: Mapping[str, str]) -> bool:
    """Is this a key of ours that the app wrote? Sanic copies variables into its config, and guesses their types."""
    if not (isinstance(key, str) and key.startswith(_CONFIG)):
        return False
    text = environ.get(f"SANIC_{key}")
    # If the app wrote the very same value, only its priority would differ.
    return text is None or not (_same(value, _as_sanic_reads(text)) or str(value) == text)


def _as_sanic_reads(text: str) -> Any:
    for convert in (int, float, parse_bool):
        try:
            return convert(text)
        except ValueError:
            continue
    return text


def _same(one: Any, other: Any) -> bool:
    # By repr, because nan is not equal to itself, and 1 is equal to True.
    return type(one) is type(other) and repr(one) == repr(other)


def _looks_secret(key: str, value: Any) -> bool:
    """Should the value of an unknown key be hidden? It may be a secret whose key is misspelt."""
    if isinstance(value, str) and len(value) >= 24:
        return True
    near = difflib.get_close_matches(key.upper(), KEYS, n=1)
    return any(word in f"{key.upper()} {near}" for word in ("SECRET", "KEY", "TOKEN", "PASS"))


def _given(
    instance: str, config: Mapping[str, Any], environ: Mapping[str, str], code: Mapping[str, Any]
) -> Iterator[_Given]:
    """Every value for this instance's settings. A later one overrides an earlier one."""
    for source, prefix, text in ((environ, _ENVIRON, True), (config, _CONFIG, False)):
        for start in (prefix, f"{prefix}{instance.upper()}_"):
            for name in FIELDS:
                if (key := start + name.upper()) in source:
                    yield _Given(name, source[key], f"{key} = ", text=text)
    for name in code:
        if name in FIELDS:
            yield _in_code(instance, name, code[name])


def _in_code(instance: str, name: str, value: Any) -> _Given:
    return _Given(name, value, f'ChatRooms("{instance}", {name}=', ")")


def _read(given: Iterable[_Given]) -> _Reading:
    reading = _Reading({}, {}, {})
    for one in given:
        field = FIELDS[one.name]
        try:
            reading.values[one.name], reading.labels[one.name] = (
                field.read(one.value, text=one.text),
                one.label,
            )
        except ValueError as reason:
            line = f"{one.label}: {reason}; it takes {field.expected}"
            reading.wrong.setdefault(one.name, []).append(line)
    return reading


def _unknown(
    config: Mapping[str, Any], code: Mapping[str, Any], instance: str, names: Collection[str]
) -> Iterator[str]:
    known = _known(_CONFIG, names)
    for key, value in config.items():
        if key not in known:
            given = _Given(key.removeprefix(_CONFIG), value, f"{key} = ")
            yield f"{given.label}: there is no such setting{_hint(key, known, _CONFIG)}"
    for name in code:
        if name not in FIELDS:
            given = _in_code(instance, name, code[name])
            yield f"{given.label}: there is no such setting{_hint(name, FIELDS)}"


def _known(prefix: str, names: Collection[str]) -> list[str]:
    starts = [prefix, *(f"{prefix}{name.upper()}_" for name in sorted(names))]
    return [start + key for start in starts for key in KEYS]


def _hint(key: str, known: Iterable[str], prefix: str = "") -> str:
    if any(re.search(rf"(^|_){planned}(_|$)", key.upper()) for planned in PLANNED):
        return " in this version; it comes with a later one"
    # Without the prefix, which would make all keys look alike.
    spelt = {name.removeprefix(prefix).upper(): name for name in known}
    near = difflib.get_close_matches(key.removeprefix(prefix).upper(), spelt, n=1)
    return (
        f"; did you mean {spelt[near[0]]}?"
        if near
        else "; see docs/reference/settings.md for those there are"
    )


_warned: set[str] = set()


def _warn_of_unknown(environ: Mapping[str, str], names: Collection[str]) -> None:
    """Log a warning without the value, because the variable may be another app's."""
    known = _known(_ENVIRON, names)
    for key in environ:
        if key.startswith(_ENVIRON) and key not in known and key not in _warned:
            _warned.add(key)
            logger.warning(
                "the environment variable %.100r is no setting of this app%s",
                key,
                _hint(key, known, _ENVIRON),
            )


# Rules between settings.


def _conflicts(settings: Settings, reading: _Reading) -> Iterator[str]:
    """A line for each setting that conflicts with another, unless one of the two is wrong anyway."""

    def label(name: str) -> str:
        return reading.labels.get(name) or _as_config(settings, name)

    for name, other, holds, must in _pairs(settings):
        if not holds and reading.wrong.keys().isdisjoint((name, other)):
            yield f"{label(name)}: {must} {label(other)}"


def _pairs(settings: Settings) -> Iterator[tuple[str, str, bool, str]]:
    """Pairs of settings: one, another, whether they agree, and what the first one must be."""
    for name, field in FIELDS.items():
        below, at_most = field.setting.below, field.setting.at_most
        if below:
            yield name, below, getattr(settings, name) < getattr(settings, below), "must be less than"
        if at_most:
            yield name, at_most, getattr(settings, name) <= getattr(settings, at_most), "must be at most"
    current, previous = settings.jwt_secret, settings.jwt_previous_secret
    yield "jwt_previous_secret", "jwt_secret", previous is None or current is not None, "is of no use with"
    yield from _keys_and_algorithms(settings)
    minimum = max((KEY_BYTES.get(name, 0) for name in settings.jwt_algorithms or ()), default=0)
    for name, secret in (("jwt_secret", current), ("jwt_previous_secret", previous)):
        long_enough = secret is None or len(secret.encode()) >= minimum
        yield name, "jwt_algorithms", long_enough, f"must have {minimum} bytes or more with"


def _keys_and_algorithms(settings: Settings) -> Iterator[tuple[str, str, bool, str]]:
    sources = ("jwt_secret", "jwt_public_key", "jwt_jwks_url")
    given = [name for name in sources if getattr(settings, name) is not None]
    for name in given[1:]:
        yield (
            name,
            given[0],
            False,
            "set only one of the two, or pass auth=Chain(JWTAuth(…), JWTAuth(…)): it is beside",
        )
    for name in given[:1]:
        takes = KEY_BYTES if name == "jwt_secret" else ASYMMETRIC
        fit = all(one in takes for one in settings.jwt_algorithms or ())
        # With a public key as a shared secret anybody could sign (RFC 8725 §2.1).
        yield "jwt_algorithms", name, fit, f"must be some of {', '.join(takes)} with"


def _as_config(settings: Settings, name: str) -> str:
    field = FIELDS[name]
    return f"{field.label(settings.instance)} = {shown(getattr(settings, name), secret=field.setting.secret)}"


def override(settings: Settings, where: str, **values: Any) -> Settings:
    """The settings of a route: those of its instance, with these values instead.

    `where` is the route as the app wrote it, for errors: `support.add_route("/desk/<room>")`. Only settings of a connection
    can differ (`Setting.per_route`). Raises `ConfigError` as `load` does.
    """
    given = [_Given(name, value, f"{where}: {name}=") for name, value in values.items()]
    return _changed(settings, given, _not_of_a_route(given))


def reconfigured(settings: Settings, /, **values: Any) -> Settings:
    """The settings with these values instead, while the chat runs. Raises `ConfigError` as `load` does, also for settings that
    only a restart can change."""
    given = [_Given(name, value, f"reconfigure({name}=", ")") for name, value in values.items()]
    return _changed(settings, given, _not_at_run_time(given))


def _changed(settings: Settings, given: list[_Given], wrong: Iterable[str]) -> Settings:
    reading = _read(one for one in given if one.name in FIELDS)
    changed = replace(settings, **_fitted(reading.values, settings.max_text))
    _refuse([*wrong, *reading.lines, *_conflicts(changed, reading)])
    return changed


def _not_at_run_time(given: Iterable[_Given]) -> Iterator[str]:
    for one in given:
        field = FIELDS.get(one.name)
        if field is None:
            yield f"{one.label}: there is no such setting{_hint(one.name, FIELDS)}"
        elif not field.setting.at_run_time:
            yield f"{one.label}: only a restart changes this; change it in the configuration"


def _not_of_a_route(given: Iterable[_Given]) -> Iterator[str]:
    for one in given:
        field = FIELDS.get(one.name)
        if field is None:
            yield f"{one.label}: there is no such setting{_hint(one.name, FIELDS)}"
        elif not field.setting.per_route:
            yield f"{one.label}: this is set for the instance, not for one of its routes"
