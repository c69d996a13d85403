from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest

from example_app.accounts import totp

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
NOW = 1_700_000_010.0


def code(at: float) -> str:
    return pyotp.TOTP(SECRET).at(int(at))


@pytest.mark.parametrize(("apart", "step"), [(-30, -1), (0, 0), (30, 1)])
def test_a_code_is_good_in_its_half_minute_and_its_neighbours(apart: int, step: int) -> None:
    assert totp.step_of(code(NOW + apart), SECRET, NOW) == int(NOW // 30) + step


@pytest.mark.parametrize(
    "wrong", [code(NOW - 90), code(NOW + 90), "", "12345", "abcdef", "\uff11" * 6, "\ud800" * 6]
)
def test_every_other_text_is_no_code(wrong: str) -> None:
    assert totp.step_of(wrong, SECRET, NOW) is None


def test_a_code_may_be_typed_with_blanks() -> None:
    right = code(NOW)

    assert totp.step_of(f" {right[:3]} {right[3:]} ", SECRET, NOW) == int(NOW // 30)


def test_the_address_comes_as_a_picture_too_black_on_white() -> None:
    picture = totp.picture(totp.address(SECRET, "Ada"))

    assert picture.startswith("data:image/svg+xml;charset=utf-8,%3Csvg")
    assert "%23000" in picture
    assert "%23fff" in picture


def test_the_address_is_what_authenticator_apps_open() -> None:
    address = urlsplit(totp.address(SECRET, "Ada"))

    assert (address.scheme, address.netloc) == ("otpauth", "totp")
    assert parse_qs(address.query)["secret"] == [SECRET]


def test_recovery_codes_are_all_different_and_compared_as_people_type_them() -> None:
    codes = totp.new_recovery_codes()

    assert len(set(codes)) == totp.RECOVERY_CODES
    assert all(len(one) == 19 for one in codes)
    assert totp.recovery_hash(codes[0]) == totp.recovery_hash(f" {codes[0].upper()}".replace("-", " "))
    assert totp.recovery_hash(codes[0]) != totp.recovery_hash(codes[1])
