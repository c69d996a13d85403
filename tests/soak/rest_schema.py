"""20,000 requests that schemathesis makes of the description of REST, right ones and wrong ones: no answer is 5xx, or off the description."""

from __future__ import annotations

import asyncio
import random
import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import NonInteractiveExampleWarning, Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from sanic_chatrooms.web.rest.openapi import document
from tests.soak.runs import Progress, Verdict, main
from tests.soak.visitors import served
from tests.support.wire import token

CASES = 20_000
SHORT = 0.001
SEED = 9457
WRONG = 0.3
"""The share of requests that break the description."""
MOST_FINDINGS = 20
CHECKS: Any = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
NAMED = 0.7
"""The share of paths that name what is there: anything else hardly ever is."""
ROOMS, USERS, EMOJI = ("general", "general", "club"), ("bob", "cy", "ada"), ("👍", ":tada:")


class Run:
    """All requests of a run, one after the other."""

    def __init__(self, url: str, cases: int, progress: Progress) -> None:
        self._url = url
        self._progress = progress
        self._cases = cases
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {token('ada', name='Ada', expires_in=36_000)}"
        self._dice = random.Random(SEED)
        self._known: dict[str, Sequence[str]] = {"room": ROOMS, "user": USERS, "emoji": EMOJI}
        self.statuses: Counter[int] = Counter()
        self.wrong: list[str] = []

    def go(self) -> None:
        """Make them. Whatever is wrong is in `wrong`."""
        about = {"openapi": "3.1.0", "info": {"title": "REST", "version": "1"}}
        schema: Any = schemathesis.openapi.from_dict({**about, **document("/chat/api")})
        self._known["msgId"] = self._begin()
        # What there is to ask about goes last, and the rooms after all else.
        operations = sorted((found.ok() for found in schema.get_all_operations()), key=_takes)
        if self._cases < 2 * len(operations):  # as many of them as can be asked twice
            operations = operations[:: 2 * len(operations) // self._cases]
        each = max(2, -(-self._cases // len(operations)))
        for number, operation in enumerate(operations):
            self._progress(number / len(operations), operation.label)
            wrong = max(1, round(each * WRONG))
            try:
                self._try(operation, GenerationMode.NEGATIVE, wrong, SEED + number)
            except Unsatisfiable:  # nothing is asked, so nothing can be wrong
                wrong = 0
            self._try(operation, GenerationMode.POSITIVE, each - wrong, SEED + number)
        if (left := self._cases - self.statuses.total()) > 0:  # some have few ways to be asked
            said = next(its for its in operations if its.method.upper() == "POST")
            self._try(said, GenerationMode.POSITIVE, left, SEED - 1)
        self._progress(1, "done")

    def _begin(self) -> list[str]:
        """Make rooms and messages; -> the ids of the messages."""
        api = f"{self._url}/chat/api"
        self._session.post(f"{api}/rooms", json={"room": "club", "visibility": "private"}, timeout=20)
        found = []
        for room in ROOMS:
            answer = self._session.post(f"{api}/rooms/{room}/messages", json={"text": "hi"}, timeout=20)
            found.append(answer.json()["msgId"])
        return found

    def _try(self, operation: Any, mode: GenerationMode, cases: int, number: int) -> None:
        @seed(number)
        @settings(
            max_examples=cases,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def one(case: Any) -> None:
            self._ask(case)

        one()

    def _ask(self, case: Any) -> None:
        if self._dice.random() < NAMED:
            case.path_parameters.update(
                {name: self._dice.choice(self._known[name]) for name in case.path_parameters}
            )
        answer = case.call(base_url=self._url, session=self._session, timeout=20)
        self.statuses[answer.status_code] += 1
        try:
            case.validate_response(answer, checks=CHECKS)
        except (Failure, FailureGroup) as problem:
            if len(self.wrong) < MOST_FINDINGS:
                self.wrong.append(f"{case.as_curl_command()}: {_told(problem)}")


def _takes(operation: Any) -> tuple[bool, int]:
    return operation.method.upper() == "DELETE", -operation.path.count("/")


def _told(problem: BaseException) -> str:
    inner = problem.exceptions if isinstance(problem, FailureGroup) else [problem]
    return "; ".join(" ".join(str(one).split())[:300] for one in inner)


async def soak(scale: float, progress: Progress) -> Verdict:
    async with served(api=True, rate_limits=False, direct="everyone") as server:
        run = Run(server.url, int(CASES * scale), progress)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NonInteractiveExampleWarning)
            await asyncio.to_thread(run.go)
    figures = {f"answers {status}": n for status, n in sorted(run.statuses.items())}
    return Verdict(wrong=run.wrong, figures={"requests": run.statuses.total(), **figures})


if __name__ == "__main__":
    main(soak)
