"""Asking an authenticator: what it may return, and what becomes of everything else."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from typing import Any

import pytest

from sanic_chatrooms import Authenticator, Credentials
from sanic_chatrooms.auth.asking import AGAIN, MAX_ACCEPTED, MAX_FAULTS, Asking, Unseen
from sanic_chatrooms.auth.jwt import JWTAuth
from sanic_chatrooms.auth.tokens import Refused
from sanic_chatrooms.errors import ChatError, Forbidden, RateLimited, TokenExpired, Unauthenticated
from sanic_chatrooms.models import Handshake, User
from tests.support.wire import SECRET, token

TOKEN = "s3cret-token-of-somebody"
HANDSHAKE = Handshake(
    "/chat/ws",
    {
        "authorization": f"Bearer {TOKEN}",
        "cookie": "sid=s3cret-cookie",
        "sec-websocket-protocol": "bearer.s3cret-offer",
    },
    {"ticket": "s3cret-ticket"},
    {"sid": "s3cret-cookie"},
    "127.0.0.1",
    secure=False,
)


class Answers(Authenticator):
    """Returns or raises what it was made with."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    async def authenticate(self, credentials: Credentials, handshake: Handshake) -> User:
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer  # type: ignore[no-any-return]


async def ask(answer: Any, token: str | None = TOKEN, asking: Asking | None = None) -> User:
    return await (asking or Asking()).ask(Answers(answer), Credentials(token), HANDSHAKE)


# ---- what it may return ----


@pytest.mark.parametrize(
    "user",
    [
        User("u1", "Ada"),
        User("u1", "Ada", scopes=("chat:read", "room:a b:write")),
        User("u1", "Ada", expires_at=4_000_000_000),
        User("u1", "Ada", expires_at=4_000_000_000.5, claims={"any": {"thing": 1}}),
        User("guest-of-honour", "Ada", guest=True),
    ],
)
async def test_a_user_is_believed(user: User) -> None:
    assert await ask(user) == user


@pytest.mark.parametrize("scopes", [["a", "b"], ("a", "b"), frozenset(("a",)), set()])
async def test_scopes_are_a_tuple_afterwards(scopes: Any) -> None:
    assert (await ask(User("u1", "Ada", scopes=scopes))).scopes == tuple(scopes)


@pytest.mark.parametrize(
    ("name", "shown"),
    [("\u202eAda\u200b", "Ada"), ("", "u1"), (" ", "u1"), ("x" * 999, "x" * 64), ("a\0b\n", "ab")],
)
async def test_a_name_is_cleaned(name: str, shown: str) -> None:
    assert (await ask(User("u1", name))).name == shown


CLAIMS: dict[str, dict[str, Any]] = {
    "no name": {},
    "a name": {"name": "Ada"},
    "a name that nobody sees": {"name": "\u202e\u200b"},
    "a long name": {"name": "e\u0301" * 99},
    "an id that cannot be shown": {"sub": "\u200b"},
    "scopes": {"scope": "a b a", "scopes": ["c"]},
    "all else": {"amr": "mfa", "jti": 7, "sid": "s", "iat": 1.5, "more": [None]},
}


@pytest.mark.parametrize("claims", CLAIMS.values(), ids=CLAIMS)
async def test_a_user_that_was_made_of_claims_is_like_one_that_was_looked_at(claims: dict[str, Any]) -> None:
    """The users of JWTAuth itself are believed, and those of a class that derives from it are not."""

    class Derived(JWTAuth):
        pass

    shown = token("u1", **claims)

    one, other = [
        await Asking().ask(kind(SECRET), Credentials(shown), HANDSHAKE) for kind in (JWTAuth, Derived)
    ]

    assert one == other


@pytest.mark.parametrize("amr", [[], ["pwd"], ["pwd", "mfa"]])
async def test_a_user_of_claims_must_have_signed_in_as_well_as_all_others(amr: list[str]) -> None:
    asked = Asking(["mfa"]).ask(JWTAuth(SECRET), Credentials(token("u1", amr=amr)), HANDSHAKE)
    if "mfa" in amr:
        assert (await asked).amr == tuple(amr)
    else:
        with pytest.raises(Unauthenticated):
            await asked


FAULTS: dict[str, Any] = {
    "nothing": None,
    "true": True,
    "an id": "u1",
    "a dict": {"id": "u1", "name": "Ada"},
    "the class": User,
    "a coroutine's neighbour": lambda: User("u1", "Ada"),
    "id a number": User(7, "Ada"),  # type: ignore[arg-type]
    "id nothing": User(None, "Ada"),  # type: ignore[arg-type]
    "id bytes": User(b"u1", "Ada"),  # type: ignore[arg-type]
    "id empty": User("", "Ada"),
    "id too long": User("u" * 129, "Ada"),
    "id with a NUL": User("u\0", "Ada"),
    "id with a surrogate": User("\ud800", "Ada"),
    "id of a guest": User("guest-9fjV", "Ada"),
    "guest without the id of one": User("u1", "Ada", guest=True),
    "name a number": User("u1", 7),  # type: ignore[arg-type]
    "name nothing": User("u1", None),  # type: ignore[arg-type]
    "name with a surrogate": User("u1", "A\ud800"),
    "scopes a string": User("u1", "Ada", scopes="chat:read"),  # type: ignore[arg-type]
    "scopes nothing": User("u1", "Ada", scopes=None),  # type: ignore[arg-type]
    "scopes of numbers": User("u1", "Ada", scopes=(1,)),  # type: ignore[arg-type]
    "scopes with a surrogate": User("u1", "Ada", scopes=("\udfff",)),
    "scopes with a NUL": User("u1", "Ada", scopes=("a\0",)),
    "amr a string": User("u1", "Ada", amr="pwd"),  # type: ignore[arg-type]
    "jti a number": User("u1", "Ada", jti=7),  # type: ignore[arg-type]
    "jti empty": User("u1", "Ada", jti=""),
    "jti of 257 characters": User("u1", "Ada", jti="x" * 257),
    "sid with a NUL": User("u1", "Ada", sid="a\0"),
    "issued_at a string": User("u1", "Ada", issued_at="now"),  # type: ignore[arg-type]
    "issued_at not a number": User("u1", "Ada", issued_at=float("nan")),
    "expires_at a string": User("u1", "Ada", expires_at="tomorrow"),  # type: ignore[arg-type]
    "expires_at true": User("u1", "Ada", expires_at=True),
    "expires_at a date": User("u1", "Ada", expires_at=dt.datetime.now()),  # type: ignore[arg-type]  # noqa: DTZ005
    "expires_at never": User("u1", "Ada", expires_at=float("inf")),
    "expires_at no number": User("u1", "Ada", expires_at=float("nan")),
    "claims a list": User("u1", "Ada", claims=[1]),  # type: ignore[arg-type]
    "an error of its own": KeyError(f"no session {TOKEN}"),
    "an error that cannot be encoded": ValueError("\ud800"),
    "running out of time": TimeoutError(),
}


@pytest.mark.parametrize("what", FAULTS)
async def test_anything_else_is_a_refusal_and_one_line_for_the_developer(
    what: str, caplog: pytest.LogCaptureFixture
) -> None:
    asking = Asking()

    for _ in range(3):
        with pytest.raises(Unauthenticated, match="could not be checked") as caught:
            await ask(FAULTS[what], asking=asking)
        assert caught.value.__cause__ is None

    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert "the authenticator Answers " in record.getMessage()
    assert record.getMessage().encode()


@pytest.mark.parametrize(
    "problem", [Unauthenticated(), TokenExpired(), Forbidden("not you"), RateLimited(retry_after=3)]
)
async def test_a_refusal_of_its_own_is_passed_on_and_no_news(
    problem: ChatError, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(type(problem)) as caught:
        await ask(problem)

    assert caught.value is problem
    assert caplog.records == []


async def test_the_traceback_is_there_and_shows_nothing_that_the_client_showed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shown = f"{TOKEN} s3cret-cookie s3cret-ticket bearer.s3cret-offer"

    with pytest.raises(Unauthenticated):
        await ask(KeyError(shown))

    assert "in authenticate" in caplog.text
    assert "KeyError" in caplog.text
    assert "s3cret" not in caplog.text


async def test_a_fault_is_told_again_later_with_how_often_it_happened(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = [0.0]
    asking = Asking(clock=lambda: now[0])

    for at in (0, 1, AGAIN - 1, AGAIN):
        now[0] = at
        with pytest.raises(Unauthenticated):
            await ask(None, asking=asking)

    assert len(caplog.records) == 2
    assert "2 times more" in caplog.records[1].getMessage()


async def test_different_faults_are_told_each_and_not_all_are_remembered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    asking = Asking()

    for number in range(MAX_FAULTS + 5):
        with pytest.raises(Unauthenticated):
            await ask(type(f"Error{number}", (Exception,), {})(), asking=asking)

    assert len(caplog.records) == MAX_FAULTS + 5
    assert len(asking._faults) <= MAX_FAULTS


# ---- what it is asked ----


@pytest.mark.parametrize("token", ["x" * 8193, "é" * 4097, "a\0b", "\ud800", "a\nb"])
async def test_what_is_no_token_is_not_shown_to_it(token: str) -> None:
    asked = []

    class Asked(Authenticator):
        async def authenticate(self, credentials: Credentials, handshake: Handshake) -> User:
            asked.append(credentials)
            return User("u1", "Ada")

    with pytest.raises(Unauthenticated, match="token"):
        await Asking().ask(Asked(), Credentials(token), HANDSHAKE)

    assert asked == []


@pytest.mark.parametrize("token", ["x" * 8192, "é" * 4096, "a b", "", None])
async def test_every_other_token_is(token: str | None) -> None:
    assert (await ask(User("u1", "Ada"), token)).id == "u1"


LOOKS: dict[str, tuple[Callable[[Credentials], Any], bool]] = {
    "at the token": (lambda c: c.token, True),
    "at all": (repr, True),
    "at the name": (lambda c: c.name, False),
    "at nothing": (lambda c: None, False),
}


@pytest.mark.parametrize("how", LOOKS)
def test_credentials_tell_whether_somebody_looked_for_a_token(how: str) -> None:
    look, looked = LOOKS[how]
    nothing = Unseen()

    look(nothing)

    assert bool(nothing.looked) is looked
    assert nothing.token is None
    assert isinstance(nothing, Credentials)


def test_credentials_and_a_handshake_do_not_show_what_they_hold() -> None:
    assert "s3cret" not in repr(Credentials(TOKEN, "Ada"))
    assert "s3cret" not in repr(HANDSHAKE)
    assert "/chat/ws" in repr(HANDSHAKE)


async def test_a_ticket_that_is_refused_is_called_a_ticket() -> None:
    with pytest.raises(Unauthenticated, match="this ticket is not accepted here"):
        await Asking().ask(Answers(Refused("used")), Credentials(ticket="x" * 32), HANDSHAKE)


def test_tokens_that_were_accepted_are_remembered_within_a_bound() -> None:
    asking = Asking()
    for n in range(MAX_ACCEPTED + 1):
        asking.accepted(f"token-{n}")
        asking.accepted("token-0")

    assert asking.has_accepted("token-0")
    assert asking.has_accepted(f"token-{MAX_ACCEPTED}")
    assert not asking.has_accepted("token-1")
    assert not asking.has_accepted("nobody's")
