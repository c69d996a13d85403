"""Rates as operators write them."""

from __future__ import annotations

import pytest

from sanic_chatrooms.access.limits.rate import parse_rate


@pytest.mark.parametrize(
    ("text", "per_second", "burst"),
    [
        ("10/s burst 30", 10, 30),
        ("10/s", 10, 10),
        ("10/min", 10 / 60, 10),
        ("20/h", 20 / 3600, 20),
        ("5/d", 5 / 86_400, 5),
        ("0.5/s burst 1", 0.5, 1),
        ("256 KiB/s burst 2 MiB", 262_144, 2_097_152),
        ("  1 / S   BURST 20 ", 1, 20),
    ],
)
def test_a_rate_is_so_many_in_a_time_and_so_many_at_once(text: str, per_second: float, burst: float) -> None:
    rate = parse_rate(text)

    assert rate.per_second == pytest.approx(per_second)
    assert rate.burst == burst


@pytest.mark.parametrize(
    "text",
    ["", "10", "10/", "/s", "10/week", "-1/s", "10/s burst", "10/s burst -1", "1e3/s", "10/s 30", "fast"],
)
def test_anything_else_is_no_rate(text: str) -> None:
    with pytest.raises(ValueError, match="no rate"):
        parse_rate(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [("0/s", "small"), ("0.5/s", "small"), ("1/s burst 0", "small"), ("1" + "0" * 13 + "/s", "large")],
)
def test_a_rate_lets_at_least_one_pass(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_rate(text)


def test_a_rate_is_shown_as_it_was_written() -> None:
    assert str(parse_rate("10/s  burst 30")) == "10/s burst 30"
