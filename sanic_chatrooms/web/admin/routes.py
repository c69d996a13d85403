"""The addresses of the operators' page. They are there in every app; without the setting `ADMIN` they answer 404."""

from collections.abc import Callable
from typing import Any

from sanic import Request
from sanic.exceptions import NotFound
from sanic.response import HTTPResponse

from ..assets import ADMIN

__all__ = ["add_admin"]


def add_admin(blueprint: Any) -> Callable[..., Any]:
    """Add them to an instance's blueprint; -> the handler of what the page asks and does."""

    def its(request: Request) -> Any:
        admin = blueprint.mounted(request.app).admin
        if admin is None:
            raise NotFound("there is no page for operators here; see CHATROOMS_ADMIN")
        return admin

    async def page(request: Request) -> HTTPResponse:
        answer: HTTPResponse = await its(request).page(request, blueprint.ctx.assets)
        return answer

    async def static(request: Request, name: str) -> HTTPResponse:
        its(request)
        answer: HTTPResponse = await blueprint.ctx.assets.answer(request, f"{ADMIN}/{name}")
        return answer

    async def answers(request: Request, name: str) -> HTTPResponse:
        answer: HTTPResponse = await its(request).answer(request, name)
        return answer

    blueprint.add_route(page, "/admin", name="admin", strict_slashes=False)
    blueprint.add_route(static, "/admin/static/<name:str>", name="admin_static")
    blueprint.add_route(
        answers, "/admin/api/<name:str>", methods=["GET", "POST"], name="admin_api", stream=True
    )
    return answers
