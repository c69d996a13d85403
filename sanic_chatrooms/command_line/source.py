"""Where a URL leads: to a chat's server, or to its store."""

import asyncio
import functools
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import click

import sanic_chatrooms as package

from ..client import ChatClient, NoAnswer
from ..client.errors import retry_after
from ..config.backends import make_store, sql_store
from ..config.checks import check_name
from ..config.field import shown
from ..config.settings import Settings
from ..errors import RateLimited
from ..models import Scope
from ..stores.base import Bounds
from . import options

if (
    TYPE_CHECKING
):  # what serves a chat is loaded when a store is opened, so that everything else begins at once
    from ..server_api import ServerAPI

__all__ = ["Source", "addresses", "alone", "no_more", "patiently", "split", "with_source"]

T = TypeVar("T")
URL = re.compile(r"[a-z][a-z0-9+.-]*:(//.*)?")
VARIABLE = "CHATROOMS_URL"
SERVERS = ("http", "https", "ws", "wss")
DATABASES = {"sqlite": "sql", "postgresql": "postgres", "postgres": "postgres"}
"""By the scheme of a URL: the extra that has its driver."""
REDIS = ("redis", "rediss", "valkey", "valkeys")
SHARED = ("postgresql", "postgres", *REDIS)
"""Servers that several apps may share."""
SHORTEST_WAIT, MOST_PATIENCE = 0.1, 60.0
"""Seconds that one question waits for a server that is asked too fast, each time and in all."""
PATIENCE = 30.0
"""Seconds that a store may take, whose tables may be long."""


def split(words: Sequence[str]) -> tuple[str, list[str]]:
    """The URL with which these words begin, or else that of the environment; and the other words. Raises `UsageError`."""
    if words and URL.fullmatch(words[0]):
        return words[0], list(words[1:])
    known = os.environ.get(VARIABLE, "")
    if not known:
        raise click.UsageError(f"Which chat? Give its URL first, or set {VARIABLE}.")
    return known, list(words)


def alone(words: Sequence[str]) -> str:
    """The URL, where nothing else may follow. Raises `UsageError`."""
    url, more = split(words)
    no_more(more)
    return url


def no_more(words: Sequence[str]) -> None:
    """Raises `UsageError` if words follow the URL."""
    if words:
        raise click.UsageError(f"{words[0]!r} is too much, or the URL does not come first.")


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """What a server answers; where it is asked too fast, after the time that it names. Raises `RateLimited` where that is too long."""
    patience = MOST_PATIENCE
    while True:
        try:
            return await ask()
        except RateLimited as problem:
            wait = max(retry_after(problem) or 1.0, SHORTEST_WAIT)
            patience -= wait
            if patience < 0:
                raise
            await asyncio.sleep(wait)


def addresses(url: str) -> list[str]:
    """The addresses at which the socket of this chat may be, the likeliest first: `url` is its prefix, or the socket.

    Raises `UsageError` for what is no address of a server.
    """
    parts = _parts(url)
    path = parts.path.rstrip("/")
    if path.endswith("/ws") or "/ws/" in path:
        paths = [path]
    elif not path:
        paths = ["/chat/ws", "/ws"]
    else:
        paths = [f"{path}/ws", path]
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    return [parts._replace(scheme=scheme, path=path, fragment="").geturl() for path in paths]


def _parts(url: str) -> Any:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises for what is no number
    except ValueError:
        parts = urlsplit("")
    half = parts.username is not None and parts.password is None  # it cannot be shown to a server
    if parts.scheme not in SERVERS or not parts.hostname or half:
        raise click.UsageError(f"{shown(url)} is no address of a server, such as https://example.com/chat")
    return parts


class Source(NamedTuple):
    """A chat that a command works on."""

    url: str
    token: str | None = None
    timeout: float = 10.0
    instance: str = "default"
    namespace: str | None = None
    broker: str | None = None

    @property
    def is_server(self) -> bool:
        """Whether the URL is a server's; else it is a store's."""
        return urlsplit(self.url).scheme in SERVERS

    @property
    def is_database(self) -> bool:
        """Whether the URL is one of SQL, for all that can be said without looking."""
        return not self.is_server and urlsplit(self.url).scheme.partition("+")[0] not in REDIS

    @asynccontextmanager
    async def client(self) -> AsyncIterator[ChatClient]:
        """A client of the server. Raises `NoAnswer`, and the server's error."""
        url = addresses(self.url)[0]
        client = ChatClient(url, token=self.token, timeout=self.timeout, close_timeout=1.0)
        try:
            async with asyncio.timeout(self.timeout):
                await client.connect()
        except TimeoutError:
            await client.close()
            said = f"no connection to {shown(url)} within {self.timeout:g} s"
            if self.token is None:
                said += "; if the chat lets no guests in, give --token or set CHATROOMS_TOKEN"
            raise NoAnswer(f"{said}; `python -m sanic_chatrooms check {shown(self.url)}` tells why") from None
        async with client:
            yield client

    @asynccontextmanager
    async def chat(self, **settings: Any) -> AsyncIterator["ServerAPI"]:
        """The chat on the store, with the verbs of an app. Raises `ConfigError`, `Unavailable`."""
        self._check()
        given = {"broker": self.broker, "namespace": self.namespace, **settings}
        store = self.url if self._extra is None else sql_store(self.url, self._extra, create=False)
        async with package.connect(self.instance, store=store, **given) as chat:
            yield chat

    @asynccontextmanager
    async def store(self, *, create: bool = False) -> AsyncIterator[Any]:
        """The store alone. `create`: make the tables of a database, or change them. Raises `ConfigError`, `Unavailable`."""
        self._check()
        if self.is_database:
            made = sql_store(self.url, self._extra or "sql", create=create)
        else:
            made = make_store(self.url)
        namespace = "" if self.namespace in (None, "none") else self.namespace
        settings = Settings(instance=self.instance, namespace=namespace)
        await made.start(settings.space(shared=made.scope is Scope.CLUSTER), Bounds(timeout=PATIENCE))
        try:
            yield made
        finally:
            await made.stop()

    @property
    def _extra(self) -> str | None:
        """The extra with the driver of a SQL database; None: it is none."""
        return DATABASES.get(urlsplit(self.url).scheme.partition("+")[0])

    def _check(self) -> None:
        check_name(self.instance)
        scheme = urlsplit(self.url).scheme
        if scheme in SERVERS:
            raise click.UsageError(f"{shown(self.url)} is a server; this command needs the URL of its store.")
        if self.namespace is None and scheme.partition("+")[0] in SHARED:
            raise click.UsageError(
                "Whose chat is it? Several apps may share this server: give --namespace, with the name of the app or its "
                "setting NAMESPACE."
            )


def with_source(metavar: str, *names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorates a command that begins with a URL and has the options with these names (`options`): it gets a `Source` of
    them, the words after the URL, and its own options. `metavar` shows the words in the help."""

    def decorated(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(*, words: Sequence[str], **given: Any) -> None:
            url, more = split(words)
            command(Source(url, **{name: given.pop(name) for name in names}), more, **given)

        with_options: Callable[..., None] = run
        for add in (*(getattr(options, name) for name in reversed(names)), options.words(metavar)):
            with_options = add(with_options)
        return with_options

    return decorated
