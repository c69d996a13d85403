import json
import re
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest

from sanic_chatrooms.auth.guests import Guests
from sanic_chatrooms.auth.jwt import JWTAuth
from sanic_chatrooms.auth.skeleton import skeletons
from sanic_chatrooms.errors import (
    ChatError,
    ConfigError,
    InvalidField,
    InvalidText,
    TokenExpired,
    Unauthenticated,
    Unavailable,
)
from sanic_chatrooms.models import Credentials, Handshake, User

SECRET = "a-guest-secret-of-thirty-two-bytes-or-more"
HANDSHAKE = Handshake("/chat/ws", {}, {}, {}, "127.0.0.1", secure=False)


@pytest.fixture
def guests() -> Guests:
    return Guests(SECRET, instance="default")


async def ask(guests: Guests, token: str | None = None, name: str | None = None) -> User:
    return await guests.authenticate(Credentials(token, name), HANDSHAKE)


def forged(typ: str | None = "guest+jwt", key: str = SECRET, **changes: Any) -> str:
    claims = {
        "iss": "chatrooms-guest:default",
        "sub": "guest-x",
        "name": "Ada",
        "exp": int(time.time()) + 60,
        **changes,
    }
    whole = {name: value for name, value in claims.items() if value is not ...}
    return jwt.encode(whole, key, "HS256", headers={"typ": typ})


# ---- coming and coming back ----


async def test_without_token_a_new_guest(guests: Guests) -> None:
    guest = await ask(guests)

    assert guest.guest
    assert re.fullmatch(r"guest-[A-Za-z0-9_-]{22}", guest.id)
    assert re.fullmatch(r"Guest [1-9]\d{3}", guest.name)
    assert guest.scopes == ()
    assert guest.expires_at is None


async def test_every_new_guest_is_another(guests: Guests) -> None:
    assert len({(await ask(guests)).id for _ in range(100)}) == 100


async def test_new_guest_has_the_name_of_their_choice(guests: Guests) -> None:
    assert (await ask(guests, name="  Ada\u200b  Lovelace ")).name == "Ada Lovelace"


@pytest.mark.parametrize(
    ("name", "error"), [("", InvalidField), ("a" * 65, InvalidField), ("\ud800", InvalidText)]
)
async def test_name_that_nobody_can_read_is_refused(
    guests: Guests, name: str, error: type[ChatError]
) -> None:
    with pytest.raises(error):
        await ask(guests, name=name)


async def test_with_the_token_the_same_guest_again(guests: Guests) -> None:
    guest = await ask(guests, name="Ada")

    assert await ask(guests, guests.token(guest)) == guest


async def test_the_same_guest_on_another_worker(guests: Guests) -> None:
    guest = await ask(guests)

    assert await ask(Guests(SECRET, instance="default"), guests.token(guest)) == guest


async def test_returning_guest_can_take_another_name(guests: Guests) -> None:
    guest = await ask(guests, name="Ada")

    again = await ask(guests, guests.token(guest), "Grace")

    assert (again.id, again.name) == (guest.id, "Grace")


async def test_rename_keeps_everything_else(guests: Guests) -> None:
    guest = await ask(guests)

    renamed = await guests.rename(guest, " Ada ")

    assert renamed == User(guest.id, "Ada", guest=True, jti=guest.jti, issued_at=guest.issued_at)
    with pytest.raises(InvalidField):
        await guests.rename(guest, " ")


@pytest.mark.parametrize(
    "name", ["Server", "SERVER", "\u0405erver", "S e r v e r", "[server]", "$erver", "Ad\u200bmin"]
)
async def test_reserved_names_are_nobody_s(name: str) -> None:
    guests = Guests(SECRET, instance="default", reserved=["Server", "Admin"])

    with pytest.raises(InvalidField, match="reserved") as caught:
        await ask(guests, name=name)

    assert caught.value.fields == {"field": "name"}


async def test_a_name_that_was_reserved_since_is_exchanged_and_the_guest_stays_who_they_are() -> None:
    before, since = Guests(SECRET, instance="default"), Guests(SECRET, instance="default", reserved=["Boss"])
    guest = await ask(before, name="The Boss")
    boss = await ask(before, name="B0SS")

    assert await ask(since, before.token(guest)) == guest
    again = await ask(since, before.token(boss))

    assert again.id == boss.id
    assert re.fullmatch(r"Guest [1-9]\d{3}", again.name)


async def test_the_app_reserves_names_too_also_those_that_guests_have_already() -> None:
    taken = set[str]()

    async def is_taken(name: str) -> bool:
        return not skeletons(name).isdisjoint(taken)

    guests = Guests(SECRET, instance="default", also_reserved=[is_taken])
    ada = await ask(guests, name="Ada")
    taken |= skeletons("ada")

    with pytest.raises(InvalidField, match="reserved"):
        await guests.rename(ada, "\u0410da \N{BLACK HEART SUIT}")
    again = await ask(guests, guests.token(ada))

    assert again.id == ada.id
    assert re.fullmatch(r"Guest [1-9]\d{3}", again.name)


async def test_a_guest_may_try_again_if_the_app_cannot_say_whether_a_name_is_reserved(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def is_taken(_: str) -> bool:
        raise OSError("the disk is gone")

    broken, guests = (Guests(SECRET, instance="default", also_reserved=also) for also in ([is_taken], []))
    ada = await ask(guests, name="Ada")

    with pytest.raises(Unavailable):
        await broken.rename(ada, "Grace")
    with pytest.raises(Unavailable):
        await ask(broken, broken.token(ada))

    assert "the disk is gone" in caplog.text


# ---- the token ----


async def test_token_says_who_where_and_how_long(guests: Guests) -> None:
    guest = await ask(guests, name="Ada")

    text = guests.token(guest)

    assert jwt.get_unverified_header(text) == {"alg": "HS256", "typ": "guest+jwt"}
    claims = jwt.decode(text, SECRET, ["HS256"])
    assert claims["exp"] == pytest.approx(time.time() + 30 * 86400, abs=5)
    assert claims == {
        "iss": "chatrooms-guest:default",
        "sub": guest.id,
        "name": "Ada",
        "jti": guest.jti,
        "iat": guest.issued_at,
        "exp": claims["exp"],
    }


async def test_expired_token_says_so(guests: Guests) -> None:
    with pytest.raises(TokenExpired):
        await ask(guests, forged(exp=int(time.time()) - 1))


async def test_lifetime_counts_from_the_last_token() -> None:
    guests = Guests(SECRET, instance="default", lifetime=3600)
    almost_over = await ask(guests, forged(exp=int(time.time()) + 5))

    claims = jwt.decode(guests.token(almost_over), SECRET, ["HS256"])

    assert claims["exp"] == pytest.approx(time.time() + 3600, abs=5)


async def test_a_guest_has_the_id_and_the_time_by_which_their_tokens_can_be_revoked(guests: Guests) -> None:
    guest = await ask(guests)

    claims = jwt.decode(guests.token(guest), SECRET, ["HS256"])

    assert guest.issued_at == pytest.approx(time.time(), abs=5)
    assert (claims["jti"], claims["iat"]) == (guest.jti, guest.issued_at)


async def test_the_tokens_of_a_guest_who_comes_back_can_be_revoked_together(guests: Guests) -> None:
    first = await ask(guests)
    again = await ask(guests, guests.token(first))

    assert (again.jti, again.issued_at) == (first.jti, first.issued_at)
    assert (await ask(guests, forged())).jti is None


async def test_only_guests_have_guest_tokens(guests: Guests) -> None:
    with pytest.raises(ValueError, match="only guests"):
        guests.token(User("u1", "Ada"))


REFUSED: dict[str, Callable[[], str]] = {
    "empty": lambda: "",
    "no token": lambda: "hello",
    "another secret": lambda: forged(key=SECRET[::-1]),
    "another instance": lambda: forged(iss="chatrooms-guest:support"),
    "longer instance": lambda: forged(iss="chatrooms-guest:default2"),
    "no issuer": lambda: forged(iss=...),
    "typ JWT": lambda: forged("JWT"),
    "no typ": lambda: forged(None),
    "no sub": lambda: forged(sub=...),
    "sub that is no guest": lambda: forged(sub="u1"),
    "no name": lambda: forged(name=...),
    "name a number": lambda: forged(name=7),
    "empty name": lambda: forged(name=""),
    "no exp": lambda: forged(exp=...),
    "exp a string": lambda: forged(exp=str(int(time.time()) + 60)),
    "exp true": lambda: forged(exp=True),
    "exp infinite": lambda: forged(exp=float("inf")),
    "unsigned": lambda: forged().rsplit(".", 1)[0] + ".",
    "too large": lambda: forged(fill="x" * 8192),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_token_is_refused(guests: Guests, name: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        await ask(guests, REFUSED[name]())

    assert not isinstance(caught.value, TokenExpired)


async def test_guest_of_one_instance_is_nobody_in_another(guests: Guests) -> None:
    elsewhere = Guests(SECRET, instance="support")

    with pytest.raises(Unauthenticated):
        await ask(elsewhere, guests.token(await ask(guests)))


async def test_guest_tokens_and_user_tokens_are_two_things_even_with_one_secret(guests: Guests) -> None:
    guest_token = guests.token(await ask(guests))
    user_token = jwt.encode({"sub": "u1", "exp": int(time.time()) + 60}, SECRET, "HS256")

    with pytest.raises(Unauthenticated):
        await JWTAuth(SECRET).authenticate(Credentials(guest_token), HANDSHAKE)
    with pytest.raises(Unauthenticated):
        await ask(guests, user_token)


async def test_token_tells_whose_it_is_before_it_is_verified(guests: Guests) -> None:
    assert guests.is_guest_token(guests.token(await ask(guests)))
    assert guests.is_guest_token(forged(key=SECRET[::-1], iss="chatrooms-guest:support"))


@pytest.mark.parametrize(
    "token",
    ["", "hello", "...", "e30.e30.e30", "bnVsbA.e30.", "\ud800.a.b", "x" * 9000, forged("JWT"), forged(None)],
)
def test_anything_else_is_no_guest_token(token: str) -> None:
    assert not Guests.is_guest_token(token)


@pytest.mark.parametrize("header", [{"typ": 1}, {"typ": ["guest+jwt"]}, {"typ": "guest+jwt", "crit": ["x"]}])
def test_odd_headers_are_no_guest_token(header: dict[str, Any]) -> None:
    part = jwt.utils.base64url_encode(json.dumps(header).encode()).decode()

    assert not Guests.is_guest_token(f"{part}.e30.e30")


# ---- configuration ----


def test_short_secret_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="GUEST_SECRET"):
        Guests("x" * 31, instance="default")


@pytest.mark.parametrize("lifetime", [0, -1, float("nan"), float("inf")])
def test_lifetime_is_a_time(lifetime: float) -> None:
    with pytest.raises(ConfigError, match="lifetime"):
        Guests(SECRET, instance="default", lifetime=lifetime)


def test_repr_hides_the_secret(guests: Guests) -> None:
    assert "default" in repr(guests)
    assert SECRET not in repr(guests)
