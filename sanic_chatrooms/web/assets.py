"""The files that the browser gets from us: the client, the ready page and what it needs. A fixed list, read once."""

import hashlib
import mimetypes
from pathlib import Path

import msgspec
from sanic import Request, empty, raw
from sanic.exceptions import NotFound
from sanic.response import HTTPResponse

__all__ = ["PAGE_POLICY", "Assets"]

FOLDER = Path(__file__).parent / "static"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The ready page's Content-Security-Policy: nothing inline, nothing from elsewhere."""
TYPES = {".js": "text/javascript; charset=utf-8", ".ts": "text/plain; charset=utf-8"}


class _Asset(msgspec.Struct, frozen=True):
    body: bytes
    type: str
    tag: str


class Assets:
    """Files by name. A name that is not in the folder's list does not exist, whatever it is spelled like."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._files = {path.name: _read(path) for path in sorted(folder.iterdir()) if path.is_file()}

    def answer(self, request: Request, name: str, headers: dict[str, str] | None = None) -> HTTPResponse:
        """The file, or 304 where the browser has it already. Raises `NotFound`."""
        asset = self._files.get(name)
        if asset is None:
            raise NotFound(f"there is no file {name[:64]!r} here")
        common = {
            "ETag": asset.tag,
            "Cache-Control": "no-cache",
            "X-Content-Type-Options": "nosniff",
            **(headers or {}),
        }
        if request.headers.get("if-none-match") == asset.tag:
            return empty(304, headers=common)
        return raw(asset.body, content_type=asset.type, headers=common)


def _read(path: Path) -> _Asset:
    body = path.read_bytes()
    guessed = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if guessed.startswith("text/") or guessed == "image/svg+xml":
        guessed += "; charset=utf-8"
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return _Asset(body, TYPES.get(path.suffix, guessed), tag)
