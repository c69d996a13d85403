"""The token that proves who we are: the app's, or the one that the server gave to a guest."""

import inspect
import time
from collections.abc import Awaitable, Callable

__all__ = ["Identity", "TokenSource"]

TokenSource = str | None | Callable[[], str | None | Awaitable[str | None]]
"""A token, or a function that fetches a fresh one."""


class Identity:
    """Knows whether the token may still be shown."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source
        self._token: str | None = None
        self._good_until = 0.0
        self._guest: str | None = None

    @property
    def renewable(self) -> bool:
        """Only a function can bring a fresh token."""
        return callable(self._source)

    @property
    def is_guest(self) -> bool:
        """No token of the app was shown."""
        return self._token is None

    def use(self, source: TokenSource) -> None:
        """Another token, of the same user."""
        self._source = source
        self.expired()

    async def proof(self) -> str | None:
        """The token for the next connection; None: a new guest. Raises what the function raises."""
        if self._good_until <= time.monotonic():
            await self.renew()
        return self._token or self._guest

    async def renew(self) -> str | None:
        """Fetch the token again. Raises what the function raises."""
        source = self._source
        fetched = source() if callable(source) else source
        token = await fetched if inspect.isawaitable(fetched) else fetched
        if token is not None and not isinstance(token, str):
            raise TypeError(f"the token must be text or None, and not {type(token).__name__}")
        self._token = token or None
        self._good_until = float("inf")
        return self._token

    def expired(self) -> None:
        """Fetch the token again before the next connection."""
        self._good_until = 0.0

    def expires_in(self, seconds: float | None) -> None:
        """The server has told when the token expires; None: never."""
        self._good_until = float("inf") if seconds is None else time.monotonic() + seconds

    def guest(self, token: str) -> None:
        """Be the same guest next time."""
        self._guest = token

    def forget_guest(self) -> bool:
        """Be a new guest next time. True: there was one."""
        had, self._guest = self._guest is not None, None
        return had
