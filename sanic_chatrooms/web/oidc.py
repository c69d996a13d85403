"""`POST <prefix>/oidc/logout`: an identity provider reports that somebody has signed out."""

import logging

from sanic import Request, empty, json
from sanic.exceptions import NotFound
from sanic.response import HTTPResponse

from ..auth.jwt import JWTAuth
from ..auth.logout import Logout, read_logout
from ..auth.tokens import Refused
from ..chat import Chat
from ..errors import Unauthenticated, Unavailable
from .problems import RETRY_AFTER

__all__ = ["hear_logout"]

logger = logging.getLogger("sanic_chatrooms.web.oidc")

_HEADERS = {"Cache-Control": "no-store"}


async def hear_logout(request: Request, chat: Chat) -> HTTPResponse:
    """200 when the connections of whoever signed out are closed and their tokens revoked; 400 for what is no logout token or
    came before; 503 while it could not be done; 404 where the setting `OIDC_LOGOUT` is off."""
    if chat.settings.oidc_logout is None:
        raise NotFound("no logouts are heard of here; see CHATROOMS_OIDC_LOGOUT")
    try:
        form = request.form
        logout = await _read(chat, (form.get("logout_token") if form else None) or "")
        if await chat.logouts.has(logout.id):
            raise Refused("this logout token came before")
        until = logout.issued_at
        await chat.revocations.revoke(logout.user, None, logout.sid, until)
        # Afterwards: if the revocation had failed, the provider would have to be able to send the token again.
        await chat.logouts.put(logout.id, b"null", logout.expires_at + 60)
    except Unavailable as problem:
        headers = {**_HEADERS, "Retry-After": str(int(RETRY_AFTER))}
        return json({"error": "temporarily_unavailable", "error_description": problem.message}, 503, headers)
    except Unauthenticated as problem:
        logger.warning("a logout token was refused: %s", problem.message)
        return json({"error": "invalid_request"}, 400, _HEADERS)
    return empty(200, _HEADERS)


async def _read(chat: Chat, token: str) -> Logout:
    problem: Unauthenticated | Unavailable = Refused("no authenticator reads logout tokens")
    audience = (chat.settings.oidc_logout,) if chat.settings.oidc_logout else None
    for auth in chat.authenticator.members if chat.authenticator is not None else ():
        if isinstance(auth, JWTAuth):
            try:
                return await read_logout(auth, token, audience)
            except Refused as refused:
                problem = refused
                if refused.final:
                    break
            except Unavailable as unavailable:
                problem = unavailable
    raise problem
