"""The style sheet page: every component of the page in every state, for developers. It is there in debug mode only."""

from typing import Any

from sanic import Request
from sanic.exceptions import NotFound
from sanic.response import HTTPResponse

from .assets import PAGE_HEADERS, STYLE

__all__ = ["add_style_page"]


def add_style_page(blueprint: Any) -> None:
    """Add its addresses to an instance's blueprint."""

    async def file(request: Request, name: str) -> HTTPResponse:
        if not request.app.debug:
            raise NotFound(f"{request.path} is there in debug mode only")
        answer: HTTPResponse = await blueprint.ctx.assets.answer(request, f"{STYLE}/{name}", PAGE_HEADERS)
        return answer

    async def page(request: Request) -> HTTPResponse:
        return await file(request, "page.html")

    # What it loads is relative to its address.
    blueprint.add_route(page, f"/{STYLE}", name="style_page", strict_slashes=True)
    blueprint.add_route(file, f"/static/{STYLE}/<name:str>", name="style")
