"""From a request to a connection: by Sanic's handshake, or by the door."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol
from urllib.parse import unquote

from sanic import Request, Websocket
from sanic.exceptions import SanicException
from sanic.response import HTTPResponse

from ..access.limits.addresses import network_of
from ..declaration import RouteDeclaration
from ..errors import ChatError, Unavailable
from ..wire.codes import CloseCode
from .handshake import Admission, admit, check_limits, refuse
from .mounted import App, Mounted
from .socket.door import Door, verdict_on
from .socket.fast import FastConnection
from .socket.plain import PlainConnection
from .upgrade import Handler, accepted, is_upgraded, prepare_handshake, refuse_handshake

__all__ = ["Entrance"]


class _Blueprint(Protocol):
    def mounted(self, app: App) -> Mounted: ...


class Entrance:
    """The way in by one WebSocket route."""

    def __init__(self, blueprint: _Blueprint, route: RouteDeclaration) -> None:
        self._blueprint = blueprint
        self._route = route

    def handler(self, upgrade: Handler) -> Handler:
        """The handler of the route, which admits a request before the upgrade. A request that an extension sends to this handler
        by another route is admitted too."""

        def admitting(request: Request, **params: str) -> Coroutine[Any, Any, HTTPResponse | None]:
            return self._admit(upgrade, request, params)

        admitting.is_websocket = True  # type: ignore[attr-defined]  # it may return without an answer
        admitting.entrance = self  # type: ignore[attr-defined]  # for the door
        return admitting

    async def _judge(self, mounted: Mounted, request: Request, *, seen: bool) -> Admission | HTTPResponse:
        route = mounted.routes[self._route.path]
        return await admit(request, mounted.running(), route, mounted.by_ip, len(mounted.arriving), seen=seen)

    # ---- by Sanic's handshake ----

    async def _admit(self, upgrade: Handler, request: Request, params: dict[str, str]) -> HTTPResponse | None:
        """Admit a request and serve its connection to the end; -> the answer to a request that is refused."""
        mounted = self._blueprint.mounted(request.app)
        mounted.arriving.add(request)
        try:
            admission = verdict_on(request)
            if admission is None:
                admission = await self._judge(mounted, request, seen=False)
            if isinstance(admission, HTTPResponse):
                return admission
            request.ctx.chat_admission = admission
            paused = mounted.parts is not None
            prepare_handshake(request, admission.route.settings.max_frame, pause=paused)
            # Sanic's handshake, and the connection until its end. Each coroutine between Sanic's and ours costs
            # every connection half a kilobyte, so there is none.
            try:
                return await upgrade(request, **params)
            except SanicException:
                if is_upgraded(request):
                    raise
                return refuse_handshake(request, pause=paused)
        finally:
            mounted.arriving.discard(request)

    def serve(self, request: Request, ws: Websocket, params: dict[str, str]) -> Coroutine[Any, Any, None]:
        """Serve what Sanic's handshake has made of an admitted request."""
        mounted = self._blueprint.mounted(request.app)
        admission: Admission = request.ctx.chat_admission
        connection = mounted.connection(ws, admission.route.settings)
        mounted.arriving.discard(request)
        return self._serve(mounted, connection, admission, params)

    # ---- by the door ----

    def where(self, app: App) -> Mounted | None:
        """The instance into which requests come by the door; None: they do not."""
        mounted = self._blueprint.mounted(app)
        return mounted if mounted.has_door and mounted.chat is not None else None

    def arrive(self, mounted: Mounted, request: Request, door: Door) -> None:
        """Let a request begin to come in when it is its turn. If too many wait, it is refused."""
        if not mounted.turns.take(door.begin):
            chat = mounted.running()
            door.hand_over(refuse(chat, Unavailable("too many arrive at once; come back in a moment")))

    async def come_in(self, mounted: Mounted, request: Request, door: Door) -> None:
        """Admit a request and serve its connection as long as it takes to begin, or give it to Sanic with the verdict."""
        mounted.arriving.add(request)
        try:
            verdict: Admission | HTTPResponse | Exception = await self._judge(mounted, request, seen=True)
        except Exception as problem:  # noqa: BLE001 - the app's authenticator may raise any, and Sanic answers and logs it
            verdict = problem
        finally:
            mounted.arriving.discard(request)
        if isinstance(verdict, Admission) and mounted.parts is not None:
            settings = verdict.route.settings
            connection = door.upgrade(mounted.parts, settings.outbox_limit, settings.max_frame)
            await self._serve(mounted, connection, verdict, request.match_info, accepted(request))
        else:
            door.hand_over(verdict)

    # ---- both ----

    async def _serve(
        self,
        mounted: Mounted,
        connection: FastConnection | PlainConnection,
        admission: Admission,
        params: dict[str, str],
        answer: bytes = b"",
    ) -> None:
        chat = mounted.running()
        room = self._route.room or (unquote(params["room"]) if "room" in params else None)
        ip = network_of(admission.handshake.remote_ip)
        session = chat.commands.connect(connection, admission.route, admission.handshake, room)
        mounted.opened(ip)
        if answer:  # it shares a write with what is said next
            session.reply_soon(session, answer)
        try:
            check_limits(chat, admission, mounted.by_ip[ip])
            if admission.user is None:
                chat.sessions.unknown(session)
            else:
                await chat.commands.introduce(session, admission.user, heard=admission.heard)
            await connection.serve(session)
        except asyncio.CancelledError:
            session.close(CloseCode.RESTART if chat.draining else CloseCode.GOING_AWAY)
            raise
        except ChatError as problem:
            session.close(problem.close_code, problem.message)
            await connection.serve(session)
        finally:
            connection.leave_handler(session, mounted.closed, ip)
