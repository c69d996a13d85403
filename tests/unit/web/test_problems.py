"""Errors as answers to HTTP requests."""

from __future__ import annotations

import json

import pytest

from sanic_chatrooms import (
    ChatError,
    Conflict,
    InvalidField,
    RateLimited,
    RoomNotFound,
    TokenExpired,
    Unavailable,
)
from sanic_chatrooms.web.problems import problem_of


class Teapot(ChatError):
    code = "teapot"
    http_status = 499


@pytest.mark.parametrize(
    ("problem", "status", "title", "headers"),
    [
        (RoomNotFound(), 404, "Not Found", {}),
        (Conflict(), 409, "Conflict", {}),
        (
            TokenExpired(),
            401,
            "Unauthorized",
            {"www-authenticate": 'Bearer error="invalid_token", error_description="token_expired"'},
        ),
        (RateLimited(retry_after=2.2), 429, "Too Many Requests", {"retry-after": "3"}),
        (Unavailable(), 503, "Service Unavailable", {"retry-after": "5"}),
        (Teapot(), 499, "Error", {}),
    ],
)
def test_an_error_is_a_problem_document(
    problem: ChatError, status: int, title: str, headers: dict[str, str]
) -> None:
    answer = problem_of(problem)
    assert answer.body is not None
    document = json.loads(answer.body)

    assert (answer.status, answer.content_type) == (status, "application/problem+json")
    assert {key.lower(): value for key, value in answer.headers.items()} == headers
    assert (document["type"], document["title"], document["status"]) == ("about:blank", title, status)
    assert (document["detail"], document["code"]) == (problem.message, problem.code)


def test_values_travel_in_the_document_and_hide_nothing() -> None:
    answer = problem_of(InvalidField("must be above 0", field="price", status=200, item_id=7))
    assert answer.body is not None
    document = json.loads(answer.body)

    assert (document["field"], document["itemId"], document["status"]) == ("price", 7, 400)
