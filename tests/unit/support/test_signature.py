"""Tests for `sanic_chatrooms.support.signature`: signatures on what travels between processes."""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path

import pytest

from sanic_chatrooms.support.signature import SIGNED_BY_SCRIPT, Forged, Signer, script_keys

ROOT = Path(__file__).parents[3]


def signer(key: bytes = b"key", instance: str = "default") -> Signer:
    made = Signer()
    made.use(key)
    made.bind(instance)
    return made


def stamped(key: bytes, channel: bytes, body: bytes) -> bytes:
    """What a script does, in its words."""
    inner, outer = (part.encode() for part in script_keys(key))
    once = hashlib.sha1(inner + channel + b"\n" + body).hexdigest()
    return SIGNED_BY_SCRIPT + hashlib.sha1(outer + once.encode()).hexdigest().encode() + body


def test_what_was_signed_under_the_key_is_opened() -> None:
    assert signer().verify("room", signer().sign("room", b"body")) == b"body"
    assert signer().verify("", signer().sign("", b"")) == b""


@pytest.mark.parametrize(
    ("other", "place"),
    [
        (signer(b"another"), "room"),
        (signer(instance="another"), "room"),
        (signer(), "roo"),
        (signer(), "roomb"),
        (signer(), ""),
    ],
)
def test_another_key_instance_or_place_opens_nothing(other: Signer, place: str) -> None:
    piece = signer().sign("room", b"body")

    with pytest.raises(Forged):
        other.verify(place, piece)


def test_no_bit_of_a_piece_can_be_changed() -> None:
    piece = signer().sign("room", b"body")

    for place in range(len(piece) * 8):
        changed = bytearray(piece)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(Forged):
            signer().verify("room", bytes(changed))
    for length in range(len(piece)):
        with pytest.raises(Forged):
            signer().verify("room", piece[:length])


def test_instance_and_place_do_not_run_into_each_other() -> None:
    piece = signer(instance="ab").sign("c", b"body")

    with pytest.raises(Forged):
        signer(instance="a").verify("bc", piece)


def test_after_a_change_of_the_key_nothing_of_the_old_one_is_opened() -> None:
    changing = signer()
    piece, stamp = changing.sign("room", b"body"), stamped(b"key", b"room", b"[]")

    changing.use(b"another")

    with pytest.raises(Forged):
        changing.verify("room", piece)
    with pytest.raises(Forged):
        changing.verify_script(b"room", stamp)
    assert changing.verify("room", signer(b"another").sign("room", b"body")) == b"body"


def test_what_a_script_stamped_is_opened_and_no_bit_of_it_can_be_changed() -> None:
    piece = stamped(b"key", b"chan", b"[1]")

    assert signer().verify_script(b"chan", piece) == b"[1]"
    for place in range(len(piece) * 8):
        changed = bytearray(piece)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(Forged):
            signer().verify_script(b"chan", bytes(changed))
    with pytest.raises(Forged):
        signer().verify_script(b"other", piece)
    with pytest.raises(Forged):
        signer(b"another").verify_script(b"chan", piece)


def test_the_two_signatures_do_not_stand_for_each_other() -> None:
    with pytest.raises(Forged):
        signer().verify("chan", stamped(b"key", b"chan", b"[1]"))
    with pytest.raises(Forged):
        signer().verify_script(b"chan", signer().sign("chan", b"[1]"))


def test_what_is_kept_of_rooms_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sanic_chatrooms.support.signature._PLACES", 3)
    one, other = signer(), signer()

    for number in (1, 2, 3, 4, 1, 5, 2):
        assert other.verify(f"room {number}", one.sign(f"room {number}", b"body")) == b"body"
        assert len(one._places) <= 3


def compares_a_digest(node: ast.AST) -> bool:
    """Is this a comparison, by == or !=, of what `digest`, `hexdigest` or `hmac.digest` has returned?"""
    if not isinstance(node, ast.Compare):
        return False
    digests = [
        side
        for side in (node.left, *node.comparators)
        if isinstance(side, ast.Call)
        and isinstance(side.func, ast.Attribute)
        and side.func.attr in ("digest", "hexdigest")
    ]
    return bool(digests) and any(isinstance(one, ast.Eq | ast.NotEq) for one in node.ops)


@pytest.mark.parametrize("package", ["sanic_chatrooms", "example_app"])
def test_signatures_are_compared_in_constant_time_everywhere(package: str) -> None:
    sources = {path: ast.parse(path.read_text()) for path in (ROOT / package).rglob("*.py")}

    assert [path for path, tree in sources.items() if any(map(compares_a_digest, ast.walk(tree)))] == []
    assert any("compare_digest" in path.read_text() for path in sources)


def test_a_comparison_that_takes_its_time_is_seen() -> None:
    assert any(map(compares_a_digest, ast.walk(ast.parse("mac.digest() == claimed"))))
    assert not any(map(compares_a_digest, ast.walk(ast.parse("compare_digest(mac.digest(), claimed)"))))
