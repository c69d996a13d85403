"""`POST <prefix>/api/tickets`: a ticket for a connection, for whoever shows an identity in this request."""

import asyncio

from sanic import Request, json
from sanic.exceptions import NotFound
from sanic.response import HTTPResponse

from ..chat import Chat
from ..errors import ChatError, Forbidden, Unavailable
from ..sessions.route import Route
from ..verbs.identity import of_request
from .handshake import handshake_of, is_deliberate, is_same_origin
from .problems import problem_of

__all__ = ["give_ticket"]


async def give_ticket(request: Request, chat: Chat, route: Route) -> HTTPResponse:
    """`{"ticket": …, "expiresIn": seconds}`, or a problem document. 404 where tickets are off."""
    if route.tickets is None:
        raise NotFound("there are no tickets here; see CHATROOMS_TICKETS")
    try:
        if not is_deliberate(request) and not is_same_origin(request):
            # The browser may have added a cookie that another page knows nothing of.
            raise Forbidden("ask with Authorization, or from a page of this server")
        async with asyncio.timeout(route.settings.auth_timeout):
            user = await of_request(chat.core, route, handshake_of(request, route))
            ticket = await chat.core.tickets.issue(user)
    except ChatError as problem:
        return problem_of(problem)
    except TimeoutError:
        return problem_of(Unavailable("your identity could not be checked in time"))
    answer = {"ticket": ticket, "expiresIn": chat.core.tickets.ttl}
    return json(answer, headers={"Cache-Control": "no-store"})
