"""What messages show beside their payload."""

from __future__ import annotations

import msgspec
import pytest

from sanic_chatrooms.models import Event, Page, Related, Sender, Toggle
from sanic_chatrooms.verbs import beside as module
from sanic_chatrooms.verbs.beside import beside, encode_as_now
from sanic_chatrooms.verbs.pages import cut
from sanic_chatrooms.wire.encode import encode_event

EVENT = Event("m1", 1.0, "message", msgspec.Raw(b'{"text": "hi"}'), "general", 1)
STARRED = Related({"star": Toggle(2, 7, 5.0, Sender("u1", "Ada"))})


@pytest.fixture(autouse=True)
def _stars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_shows", {})

    @beside("stars")
    def stars(related: Related) -> int | None:
        star = related.toggles.get("star")
        return None if star is None else star.count


def test_a_message_shows_what_a_feature_tells_of_it() -> None:
    shown = msgspec.json.decode(encode_as_now(EVENT, STARRED))

    assert shown == {**msgspec.json.decode(encode_event(EVENT)), "stars": 2}


def test_a_message_of_which_there_is_nothing_to_tell_is_as_it_was_stored() -> None:
    assert encode_as_now(EVENT, None) == encode_event(EVENT)
    assert encode_as_now(EVENT, Related()) == encode_event(EVENT)


def test_a_page_shows_it_with_the_message_that_it_belongs_to() -> None:
    other = msgspec.structs.replace(EVENT, msg_id="m2", seq=2)

    messages = cut(Page([EVENT, other], False, "e", 2, related={1: STARRED}), newest=True).messages

    assert ["stars" in msgspec.json.decode(one) for one in messages] == [True, False]


def test_two_functions_for_one_name_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="two functions show stars"):
        beside("stars")(lambda related: None)
