"""`<prefix>/admin/`: the operators' page, what it asks (GET), and what it does (POST).

The page itself has no data. It is there for everybody who may get a 401, because it lets them show a token; everything else
needs the scope `chat:admin`.
"""

import asyncio
import logging
import time
from typing import Any

import msgspec
from sanic import Request, raw
from sanic.response import HTTPResponse, redirect

from ...access.actions import Right
from ...access.scopes import scopes_of
from ...chat import Chat
from ...errors import ChatError, Forbidden
from ...observe.ids import ids
from ...wire.decode import decode_payload, payload_of_texts
from ..assets import ADMIN, PAGE_POLICY, Assets, with_slash
from ..metrics import Metrics
from ..mounted import Mounted
from ..problems import problem_headers, problem_of
from ..rest.problems import not_allowed, nothing_here
from ..rest.reading import body_of
from ..rest.requester import SAFE, identify
from .acting import ACTS
from .fleet import Fleet
from .reading import QUESTIONS, Operator

__all__ = ["Admin"]

logger = logging.getLogger("sanic_chatrooms.web.admin")

PAGE = f"{ADMIN}/index.html"
MOST = 64 * 1024
"""Bytes of a body."""
_PAGE = {
    "Content-Security-Policy": PAGE_POLICY,
    "Referrer-Policy": "no-referrer",
    "Vary": "Authorization, Cookie",
}
_ANSWER = {"Cache-Control": "no-store", "Vary": "Authorization, Cookie"}
_encode = msgspec.json.Encoder().encode


class Admin:
    """The operators' page of one instance on this worker."""

    def __init__(self, mounted: Mounted, chat: Chat, metrics: Metrics) -> None:
        self._mounted = mounted
        self._chat = chat
        self._tasks: set[asyncio.Task[None]] = set()
        multiplexer = getattr(mounted.app, "multiplexer", None)
        restart = None if multiplexer is None else multiplexer.restart
        self.fleet = Fleet(
            chat, metrics, "" if multiplexer is None else multiplexer.name, self._drain, restart
        )

    def start(self) -> None:
        """Show this worker to the others."""
        self.fleet.start()

    async def stop(self) -> None:
        """Say that it ends."""
        await self.fleet.stop()

    def _drain(self) -> None:
        task = asyncio.ensure_future(self._mounted.drain())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ---- the page ----

    async def page(self, request: Request, assets: Assets) -> HTTPResponse:
        """The page. Who may not use it gets it too where they asked for a page, with the status and the reason of the refusal."""
        if not request.path.endswith("/"):
            return redirect(with_slash(request))
        try:
            await self._operator(request)
        except ChatError as problem:
            if "text/html" not in request.headers.get("accept", ""):
                return problem_of(problem)
            answer = await assets.answer(request, PAGE, _PAGE, problem.http_status)
            answer.headers.update(problem_headers(problem))
            return answer
        return await assets.answer(request, PAGE, _PAGE)

    # ---- questions and acts ----

    async def answer(self, request: Request, name: str) -> HTTPResponse:
        """The answer to a question or an act. Errors are problem documents."""
        try:
            op = await self._operator(request)
            asks = request.method in SAFE
            if name not in QUESTIONS and name not in ACTS:
                raise nothing_here()
            if name not in (QUESTIONS if asks else ACTS):
                return not_allowed(["POST" if asks else "GET"])
            told = await (self._ask(op, request, name) if asks else self._act(op, request, name))
        except ChatError as problem:
            return problem_of(problem)
        return raw(_encode(told), 200, _ANSWER, "application/json")

    async def _operator(self, request: Request) -> Operator:
        """Who asks. Raises the refusal."""
        requester = await identify(request, self._chat, self._mounted.routes["/ws"])
        scopes = scopes_of(requester.user.scopes)
        if scopes is None or not scopes.admin:
            raise Forbidden(
                "this is for operators: your token needs the scope chat:admin", needs="chat:admin"
            )
        may_change = self._chat.settings.admin == "write" and scopes.allow(Right.MODERATE, None)
        return Operator(
            requester.user,
            may_change,
            self._mounted.chatrooms,
            self._chat,
            self.fleet,
            self._mounted.readiness,
        )

    async def _ask(self, op: Operator, request: Request, name: str) -> Any:
        question = QUESTIONS[name]
        given = {key: values[-1] for key, values in request.get_args().items()}
        asked: Any = payload_of_texts(given, question.asked)
        return {"at": time.time(), **_fields(await question.answer(op, asked))}

    async def _act(self, op: Operator, request: Request, name: str) -> Any:
        act = ACTS[name]
        if self._chat.settings.admin != "write":
            raise Forbidden("this page only shows: set CHATROOMS_ADMIN to write, to act here")
        if not op.may_change:
            raise Forbidden(
                "to act here, your token needs the scope chat:moderate, too", needs="chat:moderate"
            )
        body = await body_of(request, MOST)
        ask: Any = decode_payload(body or b"{}", msgspec.json.Decoder(act.ask))
        changed = await act.carry_out(op, ask)
        about = {key: getattr(ask, key, None) for key in ("user", "room", "id", "worker")}
        told = ", ".join(f"{key} {value}" for key, value in about.items() if value)
        logger.info(
            "operator %s: %s %s",
            op.user.id,
            name,
            told,
            extra=ids(user=op.user.id, room=about["room"], command=name),
        )
        return {"changed": changed}


def _fields(told: Any) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.structs.asdict(told) if isinstance(told, msgspec.Struct) else told
    return fields
