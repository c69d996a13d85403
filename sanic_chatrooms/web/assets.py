"""The files that a browser gets: the client, and the ready page with what it needs. A fixed list, read once.

The page's scripts and style sheets are served without comments and needless spaces, and most of its modules as two files; in debug mode
they are served as they are. The client is always served as it is, because apps check it with `integrity` and copy it.
"""

import asyncio
import functools
import hashlib
import mimetypes
import re
import threading
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path

import msgspec
from sanic import Request, empty, raw
from sanic.exceptions import NotFound
from sanic.response import HTTPResponse

from sanic_chatrooms.web.bundle import bundle
from sanic_chatrooms.web.compact import compact_script, compact_style
from sanic_chatrooms.web.joined import FIRST, joined_modules
from sanic_chatrooms.web.scoped import scoped_bundle

__all__ = [
    "ADMIN",
    "CLIENT",
    "CLIENTS",
    "CLIENT_HTTP",
    "COMPONENT",
    "PAGE_HEADERS",
    "PAGE_POLICY",
    "SHARED",
    "STYLE",
    "WORDS",
    "Assets",
    "component",
    "package_assets",
    "with_slash",
]

FOLDER = Path(__file__).parent / "static"
CLIENT = "client.js"
CLIENT_HTTP = "client-http.js"
"""What the client loads from beside itself where no WebSocket gets through."""
CLIENTS = CLIENT, CLIENT_HTTP
COMPONENT = "chat-room.js"
ADMIN = "admin"
"""The folder with the files of the operator's page."""
WORDS = "words"
"""The folder with a file of words for each language. The page has it beside its modules, the component beside itself."""
STYLE = "style"
"""The folder with the style sheet page: every component of the page in every state. Served in debug mode only."""
PAGE = "page.html"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The ready page's Content-Security-Policy: nothing inline, nothing from elsewhere."""
PAGE_HEADERS = {"Content-Security-Policy": PAGE_POLICY, "Referrer-Policy": "no-referrer"}
SHARED = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}
"""For what pages of other sites may import: code that anybody can read. Whether such a page may connect is another question."""
_PLACE = '<div id="chat"'
"""Where the page begins; what the app says about it becomes attributes there."""
_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
COMPACT = {".js": compact_script, ".css": compact_style}
TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".ts": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
}


class _Asset(msgspec.Struct, frozen=True):
    body: bytes
    type: str
    tag: str


class Assets:
    """Files by name. Only names in the folder's list exist, so no spelling of a path leads out of the folder."""

    def __init__(self, folder: Path = FOLDER) -> None:
        below = [path for name in (WORDS, ADMIN, STYLE) for path in sorted((folder / name).glob("*.*"))]
        paths = [*sorted(folder.iterdir()), *below]
        files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths if path.is_file()}
        for name in CLIENTS:
            if name in files:
                files[name] = bundle(folder / name).encode()
        if COMPONENT in files:
            files[COMPONENT] = component(folder).encode()
        self._folder = folder
        self._files = {name: _asset(name, body) for name, body in files.items()}
        self._compact: dict[str, _Asset] = {}
        self._joining = threading.Lock()
        self._pages: dict[tuple[bool, str | None], _Asset] = {}

    async def answer(
        self, request: Request, name: str, headers: dict[str, str] | None = None, status: int = 200
    ) -> HTTPResponse:
        """The file, or 304 where the browser has it already; with another `status` always the file. Raises `NotFound`."""
        if name not in self._files:
            raise NotFound(f"there is no file {name[:64]!r} here")
        asset = self._files[name] if request.app.debug else await self._compacted(name)
        return _answered(request, asset, headers or {}, status)

    def page(self, request: Request, guests: bool, sign_in: str | None) -> HTTPResponse:
        """The ready page. It asks for a name only where that lets somebody in, and knows the app's page to sign in at."""
        if (guests, sign_in) not in self._pages:
            said = ("" if guests else ' data-guests="no"') + (
                f' data-sign-in="{escape(sign_in)}"' if sign_in else ""
            )
            body = self._files[PAGE].body.decode().replace(_PLACE, _PLACE + said)
            self._pages[guests, sign_in] = _asset(PAGE, body.encode())
        return _answered(request, self._pages[guests, sign_in], PAGE_HEADERS)

    # Made at the first request, since no start should wait for it, and in a thread, since the largest takes 0.2 s.
    async def _compacted(self, name: str) -> _Asset:
        compact = COMPACT.get(Path(name).suffix)
        if compact is None or name in CLIENTS:
            return self._files[name]
        if name not in self._compact:
            self._compact[name] = await asyncio.to_thread(self._smaller, compact, name)
        return self._compact[name]

    def _smaller(self, compact: Callable[[str], str], name: str) -> _Asset:
        with self._joining:
            text = self._joined.get(name)
        return _asset(name, compact(text or self._files[name].body.decode()).encode())

    @functools.cached_property
    def _joined(self) -> dict[str, str]:
        return joined_modules(self._folder, (*CLIENTS, COMPONENT), self._text) if FIRST in self._files else {}

    # As it was when the app started: the files of another version may be there by now.
    def _text(self, path: Path) -> str:
        return self._files[path.relative_to(self._folder.resolve()).as_posix()].body.decode()


@functools.cache  # once for all instances of a process
def package_assets() -> Assets:
    """The files of the package."""
    return Assets()


@functools.cache
def component(folder: Path = FOLDER) -> str:
    """`<chat-room>` with all that it needs but the client, which it imports from beside itself."""
    return scoped_bundle(folder / COMPONENT, {folder.parent / CLIENT: f"./{CLIENT}"})


def with_slash(request: Request) -> str:
    """The same address with a slash at its end. It is relative, because a proxy may have removed the beginning of the path."""
    query = f"?{request.query_string}" if request.query_string else ""
    return f"./{request.path.rpartition('/')[2]}/{query}"


def _answered(request: Request, asset: _Asset, headers: Mapping[str, str], status: int = 200) -> HTTPResponse:
    common = {
        "ETag": asset.tag,
        "Cache-Control": "no-cache",
        "X-Content-Type-Options": "nosniff",
        **headers,
    }
    if status == 200 and _has(request, asset.tag):
        return empty(304, headers=common)
    return raw(asset.body, status, content_type=asset.type, headers=common)


def _has(request: Request, tag: str) -> bool:
    """Does the browser have the file with this tag? Compared weakly (RFC 9110 §13.1.2), because a proxy that compresses makes
    the tag a weak one."""
    given = ",".join(request.headers.getall("if-none-match", []))
    return given.strip() == "*" or tag in _TAG.findall(given)


def _asset(name: str, body: bytes) -> _Asset:
    guessed = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if guessed.startswith("text/") or guessed == "image/svg+xml":
        guessed += "; charset=utf-8"
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return _Asset(body, TYPES.get(Path(name).suffix, guessed), tag)
