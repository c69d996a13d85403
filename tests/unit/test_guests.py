import json
import re
import time
import unicodedata
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sanic_chatrooms.auth.guests import Guests
from sanic_chatrooms.auth.jwt import JWTAuth
from sanic_chatrooms.auth.names import clean_name
from sanic_chatrooms.errors import (
    ChatError,
    ConfigError,
    InvalidField,
    InvalidText,
    TokenExpired,
    Unauthenticated,
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

    renamed = guests.rename(guest, " Ada ")

    assert renamed == User(id=guest.id, name="Ada", guest=True)
    with pytest.raises(InvalidField):
        guests.rename(guest, " ")


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


# ---- names ----


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        ("Ada", "Ada"),
        ("  Ada \t Lovelace\n", "Ada Lovelace"),
        ("\uff21\uff24\uff2d\uff29\uff2e", "ADMIN"),
        ("ad\u200bmin", "admin"),
        ("ad\u00admin", "admin"),
        ("\u202eevil\u202c", "evil"),
        ("\u2066a\u2069\u200e\u200f", "a"),
        ("a\0b\x07c\x7f", "abc"),
        ("\ufeffAda", "Ada"),
        ("a\u2028b\u00a0c\u3000d", "a b c d"),
        ("e\u0301", "é"),
        ("e\u200d\u0301", "é"),
        ("Ada\U000e0041", "Ada"),
        ("\u3164Ada\u115f", "Ada"),
        ("한글", "한글"),
        ("שלום", "שלום"),
        ("👍🏽", "👍🏽"),
        ("👩\u200d🚀", "👩🚀"),
        ("x" * 64, "x" * 64),
        ("7", "7"),
        ("$", "$"),
    ],
)
def test_name_is_cleaned(given: str, clean: str) -> None:
    assert clean_name(given) == clean


@pytest.mark.parametrize(
    "nothing",
    ["", " ", "\n", "\0", "\u200b", "\u202e\u202c", "\u3164", "\uffa0", "\u2800", "\u0301", "\u034f\ufe0f"],
)
def test_name_without_anything_to_see_is_refused(nothing: str) -> None:
    with pytest.raises(InvalidField, match="empty") as caught:
        clean_name(nothing)

    assert caught.value.fields == {"field": "name"}


@pytest.mark.parametrize("long", ["x" * 65, "ﷺ" * 4, "x" * 10_000_000, "\u0301\u0323" * 1_000_000])
def test_long_name_is_refused_at_once(long: str) -> None:
    """Also where normalising makes it long, and where normalising would take minutes."""
    with pytest.raises(InvalidField, match="64"):
        clean_name(long)


@pytest.mark.parametrize("surrogate", ["\ud800", "a\udfffb", "\udc00\ud800"])
def test_name_with_a_lone_surrogate_is_refused(surrogate: str) -> None:
    with pytest.raises(InvalidText):
        clean_name(surrogate)


@given(st.text(st.characters(), max_size=80))
def test_whatever_comes_out_can_be_shown_and_stays(name: str) -> None:
    try:
        clean = clean_name(name)
    except ChatError:
        return

    assert 1 <= len(clean) <= 64
    assert clean == clean_name(clean) == unicodedata.normalize("NFKC", clean)
    assert not {unicodedata.category(c) for c in clean} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert clean == clean.strip()
    assert "  " not in clean
    assert clean.encode()
