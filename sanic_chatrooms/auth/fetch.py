"""One bounded GET in a thread of its own, so that a slow server holds up nothing: `urllib` cannot be ended, this can."""

import asyncio
import contextlib
import socket
import ssl
import threading
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import SplitResult, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from ..errors import ConfigError

__all__ = ["Fetched", "Fetcher", "checked_url"]

SECONDS = 5.0
"""For the whole request, with its redirects."""
MAX_BODY = 64 * 1024
MAX_REDIRECTS = 3


class Fetched(NamedTuple):
    """An answer: `body` is None where nothing has changed since `etag`."""

    body: bytes | None
    etag: str | None


def checked_url(name: str, url: str) -> str:
    """The address, if it is one that may be asked: https, or http on this machine. Raises `ConfigError`."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises for what is no number
    except ValueError:
        raise ConfigError(f"{name} is no URL") from None
    if not parts.hostname or parts.username is not None or parts.fragment:
        raise ConfigError(f"{name} is no URL with a host and without a password and a fragment")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname)):
        raise ConfigError(f"{name} must begin with https:// (http:// only to 127.0.0.1, ::1 or localhost)")
    return url


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"


class Fetcher:
    """Asks one address, one request at a time."""

    def __init__(self, url: str, *, seconds: float = SECONDS, limit: int = MAX_BODY) -> None:
        self._url = url
        self._seconds = seconds
        self._limit = limit
        self._request: _Request | None = None

    async def get(self, etag: str | None) -> Fetched:
        """The answer, or `OSError` that says in words why there is none. `etag` is that of the last answer."""
        if self._request is not None and not self._request.ended:
            raise OSError("the last request has not ended yet")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Fetched] = loop.create_future()
        request = self._request = _Request(self._url, etag, self._seconds, self._limit)

        def run() -> None:
            try:
                settle, outcome = _accept, request.run()
            except TimeoutError:  # of the socket, which has as much time as the whole
                settle, outcome = _fail, self._too_late()  # type: ignore[assignment]
            except Exception as exc:  # noqa: BLE001 - it is raised where the answer is awaited
                settle, outcome = _fail, exc  # type: ignore[assignment]
            request.ended = True
            with contextlib.suppress(RuntimeError):  # the loop may have ended meanwhile
                loop.call_soon_threadsafe(settle, done, outcome)

        # A daemon: a name server that does not answer must not keep the process alive.
        threading.Thread(target=run, name="chatrooms-keys", daemon=True).start()
        try:
            async with asyncio.timeout(self._seconds):
                return await done
        except TimeoutError:
            raise self._too_late() from None
        finally:
            request.abort()

    def _too_late(self) -> OSError:
        return OSError(f"no answer within {self._seconds:g} seconds")


def _accept(done: "asyncio.Future[Fetched]", fetched: Fetched) -> None:
    if not done.done():
        done.set_result(fetched)


def _fail(done: "asyncio.Future[Fetched]", problem: Exception) -> None:
    if not done.done():
        known = isinstance(problem, OSError | HTTPException | ValueError)
        done.set_exception(OSError(_words(problem)) if known else problem)


def _words(problem: Exception) -> str:
    said = (
        str(problem) if type(problem) is OSError else f"{type(problem).__name__}: {problem}"
    )  # that one is ours
    return said[:200]


class _Request:
    """A GET with its redirects. `run` blocks; `abort`, from another thread, ends it."""

    def __init__(self, url: str, etag: str | None, seconds: float, limit: int) -> None:
        self._url = url
        self._etag = etag
        self._seconds = seconds
        self._limit = limit
        self._socket: socket.socket | None = None
        self._aborted = False
        self.ended = False

    def run(self) -> Fetched:
        url = self._url
        for _ in range(1 + MAX_REDIRECTS):
            with contextlib.closing(_connection(urlsplit(url), self._seconds)) as connection:
                connection.connect()
                self._socket = connection.sock  # a connection forgets it once the answer has begun
                if self._aborted:
                    raise TimeoutError("too late")
                with contextlib.closing(self._ask(connection, urlsplit(url))) as response:
                    if response.status not in (301, 302, 303, 307, 308):
                        return self._read(response)
                    url = self._redirected(url, response)
        raise OSError("too many redirects")

    def _ask(self, connection: HTTPConnection, parts: SplitResult) -> HTTPResponse:
        headers = {"Accept": "application/jwk-set+json, application/json", "Connection": "close"}
        if self._etag is not None:
            headers["If-None-Match"] = self._etag
        connection.request(
            "GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), headers=headers
        )
        return connection.getresponse()

    def _read(self, response: HTTPResponse) -> Fetched:
        if response.status == 304 and self._etag is not None:
            return Fetched(None, self._etag)
        if response.status != 200:
            raise OSError(f"status {response.status}")
        body = response.read(self._limit + 1)
        if len(body) > self._limit:
            raise OSError(f"more than {self._limit:,} bytes")
        if not body or response.length:
            raise OSError("an empty or incomplete answer")
        return Fetched(body, response.getheader("etag"))

    def _redirected(self, url: str, response: HTTPResponse) -> str:
        to = urljoin(url, response.getheader("location") or "")
        if _server(to) != _server(self._url):
            raise OSError("a redirect to another host")
        return to

    def abort(self) -> None:
        """End it, wherever it is."""
        self._aborted = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


def _server(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _connection(parts: SplitResult, seconds: float) -> HTTPConnection:
    host = parts.hostname or ""
    if parts.scheme == "http":
        return HTTPConnection(host, parts.port, timeout=seconds)
    context = ssl.create_default_context()
    proxy = urlsplit(getproxies().get("https", ""))
    if not proxy.hostname or proxy_bypass(host):
        return HTTPSConnection(host, parts.port, timeout=seconds, context=context)
    through = HTTPSConnection(proxy.hostname, proxy.port or 80, timeout=seconds, context=context)
    through.set_tunnel(host, parts.port or 443)
    return through
