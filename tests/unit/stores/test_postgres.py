"""A batch as PostgreSQL takes and answers it, without a server."""

from __future__ import annotations

from typing import Any

import msgspec

from sanic_chatrooms.errors import (
    ChatError,
    Conflict,
    InvalidField,
    MessageNotFound,
    RateLimited,
    RoomNotFound,
    Unavailable,
)
from sanic_chatrooms.models import Appended, Draft, Fact, Fold, Relation, Sender
from sanic_chatrooms.stores.base import Stale
from sanic_chatrooms.stores.sql.append_postgres import append_call, append_function
from sanic_chatrooms.stores.sql.batch_postgres import Batch
from sanic_chatrooms.stores.sql.schema import Schema


def draft(room: str, text: str = "hi", sender: Sender | None = None, **more: Any) -> Draft:
    return Draft(room, "message", text.encode(), f"id-{text}", 1.5, sender, ("u1", text), b"#", **more)


def arguments(drafts: list[Draft]) -> dict[str, Any]:
    names = [part.split()[0] for part in _signature().split(", ") if part.startswith("p_")]
    return dict(zip(names, Batch(drafts).arguments(wait=True, keep=5, cutoff=None, now=1.0), strict=True))


def _signature() -> str:
    _, _, statement = append_function(Schema(), 100)
    return statement.partition("(")[2].partition(", OUT")[0]


def test_the_function_takes_as_many_arguments_as_the_call_gives() -> None:
    assert f"${len(arguments([draft('a')]))}" in append_call(Schema()).rpartition(", ")[2]


def test_what_json_would_escape_is_quoted_as_in_an_array_of_postgresql() -> None:
    odd = draft("a", sender=Sender("u1", 'back\\slash "quoted"\nnew line'))

    assert arguments([odd, draft("b")])["p_sender_name"] == '{"back\\\\slash \\"quoted\\"\nnew line",NULL}'


def test_numbers_and_texts_go_as_text_and_times_to_the_last_bit() -> None:
    late = msgspec.structs.replace(draft("a"), timestamp=1764439549.1234567)

    assert arguments([draft("a"), late])["p_stamp"] == f"{{1.5,{late.timestamp!r}}}"
    assert append_call(Schema()).count("::text::float8[]") == 3


def test_rooms_are_sent_once_and_drafts_say_their_place() -> None:
    given = arguments([draft("a", "1"), draft("b", "2"), draft("a", "3")])

    assert (given["p_names"], given["p_counts"]) == ('{"a","b"}', "{2,1}")
    assert (given["p_room"], given["p_rank"]) == ("{1,2,1}", "{1,1,2}")
    assert (given["p_singly"], given["p_fold"], given["p_judged"], given["p_facts_end"]) == (
        False,
        None,
        None,
        None,
    )


def test_a_batch_that_changes_something_goes_draft_by_draft() -> None:
    changing = [
        draft("a", "1"),
        draft("a", "2", facts=(Fact("ban", "u2", b"1"), Fact("read", "u2", b"7", "max"))),
        draft("a", "3", about=Relation("id-1", Fold.REPLACE, value=b"{}")),
        draft("a", "4", about=Relation("id-1", Fold.TOGGLE, "pin", value=True), facts=(Fact("x", "", None),)),
    ]

    given = arguments(changing)

    assert given["p_singly"]
    assert given["p_fold"] == '{null,null,"replace","toggle"}'
    assert given["p_target"] == '{null,null,"id-1","id-1"}'
    assert (given["p_value"], given["p_turn_on"]) == ([None, None, b"{}", None], "{null,null,false,true}")
    assert given["p_facts_end"] == "{0,2,2,3}"
    assert given["p_fact_kind"] == '{"ban","read","x"}'
    assert (given["p_fact_value"], given["p_fact_max"]) == ([b"1", b"7", None], "{false,true,false}")


def test_drafts_that_were_judged_say_when() -> None:
    given = arguments([draft("a", "1", judged=5), draft("a", "2")])

    assert (given["p_singly"], given["p_judged"]) == (False, "{5,null}")


def test_an_answer_by_rooms_numbers_the_drafts_and_tells_missing_rooms_from_locked_ones() -> None:
    batch = Batch([draft("a", "1"), draft("gone"), draft("a", "2"), draft("held")])
    row = {"ids": [7, None, None], "bases": [40, None, 3], "epochs": ["e", None, "f"], "outcomes": None}

    answers = batch.results(row)

    assert answers[0] == Appended("id-1", 41, 1.5, "e")
    assert answers[2] == Appended("id-2", 42, 1.5, "e")
    assert [type(answers[n]) for n in (1, 3)] == [RoomNotFound, Unavailable]


def test_an_answer_by_drafts_has_a_result_or_an_error_for_each() -> None:
    batch = Batch([draft("a", text) for text in "123456789"])
    row = {
        "ids": [7], "bases": [40], "epochs": ["e"],
        "outcomes": [
            "stored", "repeated", "unchanged", "conflict", "no message", "stale", "no parent", "is a reply", "too early"
        ],
        "seqs": [41, 5, 6, 7, None, None, None, None, None],
        "msg_ids": [None, "first", None, "x", None, None, None, None, None],
        "stamps": [None, 0.5, None, 0.5, None, None, None, None, 2.5],
        "payloads": [b'{"seq":1}', b"{}", None, None, None, None, None, None, None],
    }  # fmt: skip

    answers: list[Appended | ChatError] = batch.results(row)

    assert answers[0] == Appended("id-1", 41, 1.5, "e", payload=b'{"seq":1}')
    assert answers[1] == Appended("first", 5, 0.5, "e", duplicate=True, payload=b"{}")
    assert answers[2] == Appended("id-3", 6, 1.5, "e", unchanged=True)
    assert [type(answer) for answer in answers[3:]] == [
        Conflict, MessageNotFound, Stale, InvalidField, InvalidField, RateLimited
    ]  # fmt: skip
