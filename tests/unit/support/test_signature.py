"""Tests for `sanic_chatrooms.support.signature`: signatures on what travels between processes."""

from __future__ import annotations

import hashlib

import pytest

from sanic_chatrooms.support.signature import STAMPED, Forged, Seal, stamp_keys


def seal(key: bytes = b"key", instance: str = "default") -> Seal:
    made = Seal()
    made.use(key)
    made.bind(instance)
    return made


def stamped(key: bytes, channel: bytes, body: bytes) -> bytes:
    """What a script does, in its words."""
    inner, outer = (part.encode() for part in stamp_keys(key))
    once = hashlib.sha1(inner + channel + b"\n" + body).hexdigest()
    return STAMPED + hashlib.sha1(outer + once.encode()).hexdigest().encode() + body


def test_what_was_signed_under_the_key_is_opened() -> None:
    assert seal().open("room", seal().close("room", b"body")) == b"body"
    assert seal().open("", seal().close("", b"")) == b""


@pytest.mark.parametrize(
    ("other", "place"),
    [
        (seal(b"another"), "room"),
        (seal(instance="another"), "room"),
        (seal(), "roo"),
        (seal(), "roomb"),
        (seal(), ""),
    ],
)
def test_another_key_instance_or_place_opens_nothing(other: Seal, place: str) -> None:
    piece = seal().close("room", b"body")

    with pytest.raises(Forged):
        other.open(place, piece)


def test_no_bit_of_a_piece_can_be_changed() -> None:
    piece = seal().close("room", b"body")

    for place in range(len(piece) * 8):
        changed = bytearray(piece)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(Forged):
            seal().open("room", bytes(changed))
    for length in range(len(piece)):
        with pytest.raises(Forged):
            seal().open("room", piece[:length])


def test_instance_and_place_do_not_run_into_each_other() -> None:
    piece = seal(instance="ab").close("c", b"body")

    with pytest.raises(Forged):
        seal(instance="a").open("bc", piece)


def test_after_a_change_of_the_key_nothing_of_the_old_one_is_opened() -> None:
    changing = seal()
    piece, stamp = changing.close("room", b"body"), stamped(b"key", b"room", b"[]")

    changing.use(b"another")

    with pytest.raises(Forged):
        changing.open("room", piece)
    with pytest.raises(Forged):
        changing.open_stamped(b"room", stamp)
    assert changing.open("room", seal(b"another").close("room", b"body")) == b"body"


def test_what_a_script_stamped_is_opened_and_no_bit_of_it_can_be_changed() -> None:
    piece = stamped(b"key", b"chan", b"[1]")

    assert seal().open_stamped(b"chan", piece) == b"[1]"
    for place in range(len(piece) * 8):
        changed = bytearray(piece)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(Forged):
            seal().open_stamped(b"chan", bytes(changed))
    with pytest.raises(Forged):
        seal().open_stamped(b"other", piece)
    with pytest.raises(Forged):
        seal(b"another").open_stamped(b"chan", piece)


def test_the_two_signatures_do_not_stand_for_each_other() -> None:
    with pytest.raises(Forged):
        seal().open("chan", stamped(b"key", b"chan", b"[1]"))
    with pytest.raises(Forged):
        seal().open_stamped(b"chan", seal().close("chan", b"[1]"))


def test_what_is_kept_of_rooms_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sanic_chatrooms.support.signature._PLACES", 3)
    one, other = seal(), seal()

    for number in (1, 2, 3, 4, 1, 5, 2):
        assert other.open(f"room {number}", one.close(f"room {number}", b"body")) == b"body"
        assert len(one._places) <= 3
