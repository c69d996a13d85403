"""Errors of the chat as HTTP answers: problem documents (RFC 9457)."""

import contextlib
import math
from http import HTTPStatus
from typing import Any

from sanic import Request, json
from sanic.exceptions import ServerError
from sanic.response import HTTPResponse

from ..errors import ChatError, Unauthenticated

__all__ = ["RETRY_AFTER", "answer_problems", "problem_headers", "problem_of"]

RETRY_AFTER = 5.0
"""Seconds after which a client may try again, unless the error says otherwise."""


def answer_problems(app: Any) -> None:
    """Answer every `ChatError` that a request handler of the app raises, unless the app has an exception handler for it."""
    with contextlib.suppress(ServerError):  # the app has one, or another instance has added ours
        app.error_handler.add(ChatError, _answer)


def _answer(_: Request, problem: ChatError) -> HTTPResponse:
    return problem_of(problem)


def problem_of(problem: ChatError) -> HTTPResponse:
    """The problem document of an error."""
    status = problem.http_status
    about = {"type": "about:blank", "title": _title(status), "status": status, "detail": problem.message}
    fixed = {**about, "code": problem.code, "temporary": problem.temporary}
    return json(
        {**problem.fields, **fixed},
        status=status,
        headers=problem_headers(problem),
        content_type="application/problem+json",
    )


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def problem_headers(problem: ChatError) -> dict[str, str]:
    """What an answer with this error says in its headers: how to sign in, or when to come back."""
    if isinstance(problem, Unauthenticated):
        return {"WWW-Authenticate": f'Bearer error="invalid_token", error_description="{problem.code}"'}
    if problem.temporary:
        return {"Retry-After": str(math.ceil(problem.fields.get("retryAfter", RETRY_AFTER)))}
    return {}
