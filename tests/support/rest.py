"""REST, as one user calls it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.server import LiveServer
from tests.support.wire import token

__all__ = ["Answer", "Rest"]


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, with its JSON."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def code(self) -> str | None:
        """The code of a problem document."""
        is_problem = self.headers.get("content-type") == "application/problem+json"
        return self.body["code"] if is_problem else None


class Rest:
    """`ada = Rest(server, "ada")`; `await ada("POST", "/rooms/general/messages", {"text": "hi"})`."""

    def __init__(self, server: LiveServer, user: str | None = None, **claims: Any) -> None:
        self.server = server
        self.headers = {"Authorization": f"Bearer {token(user, name=user.title(), **claims)}"} if user else {}

    async def __call__(
        self, method: str, path: str, body: Any = None, *, prefix: str = "/chat/api", **headers: str
    ) -> Answer:
        """Ask; the body is bytes, or is made JSON. A header's underscores become hyphens."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response = await self.server.request(method, prefix + path, {**self.headers, **named}, data)
        return Answer(response.status, response.headers, json.loads(response.body) if response.body else None)

    async def get(self, path: str, **headers: str) -> Any:
        """What is read with 200."""
        answer = await self("GET", path, **headers)
        assert answer.status == 200, answer
        return answer.body
