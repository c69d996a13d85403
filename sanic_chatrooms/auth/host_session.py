"""Users by the session of the app itself, whatever keeps it: a cookie, a session extension, a table."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from ..errors import ConfigError, Unauthenticated
from ..models import Credentials, Handshake, User
from .base import Authenticator

__all__ = ["HostSession"]

Load = Callable[[Any], User | None | Awaitable[User | None]]


class HostSession(Authenticator):
    """Asks the app: `load(request)` returns the `User`, or None where nobody is signed in. It may be `async`.

    `request` is Sanic's, with `request.ctx` as the app's middleware has filled it, and `request.cookies`. `load` is called
    for each handshake, and again when the client sends `auth`, with the same request. Pages of other origins are refused
    before (`ALLOWED_ORIGINS`), so that they cannot use the user's cookies. Bearer tokens are not looked at.

    Raises `ConfigError` if `load` cannot be called.
    """

    reads_tokens = False

    def __init__(self, load: Load) -> None:
        if not callable(load):
            raise ConfigError("HostSession(load): load must be a function that takes the request")
        self._load = load

    async def authenticate(self, credentials: Credentials, handshake: Handshake) -> User:
        """The user whom `load` returns. Raises `Unauthenticated`, and the `ChatError`s of `load`."""
        user = None if handshake.request is None else self._load(handshake.request)
        if inspect.isawaitable(user):
            user = await user
        if user is None:
            raise Unauthenticated("sign in first")
        return user
