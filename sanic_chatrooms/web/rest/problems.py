"""Errors that only REST has, and its answers that are none of the chat's errors."""

from collections.abc import Iterable

from sanic.response import HTTPResponse

from ...errors import ChatError, UnknownCommand
from ..problems import problem_of

__all__ = ["ChangedMeanwhile", "not_allowed", "nothing_here"]


class ChangedMeanwhile(ChatError):
    """What `If-Match` names is not what is there now."""

    code = "changed"
    http_status = 412
    default = "this was changed meanwhile; read it again, and send what you want to change with its new ETag"


class NotAllowed(UnknownCommand):
    """The path has other methods."""

    http_status = 405
    default = "this address has other methods; see the header Allow"


def nothing_here() -> UnknownCommand:
    """The error for a path that is not in the table."""
    return UnknownCommand("there is nothing at this address; see the reference of REST")


def not_allowed(methods: Iterable[str]) -> HTTPResponse:
    """The answer to a method that a path does not have."""
    answer = problem_of(NotAllowed())
    answer.headers["Allow"] = ", ".join(sorted(methods))
    return answer
