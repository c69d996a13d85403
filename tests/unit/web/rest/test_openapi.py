"""The description of REST is a whole OpenAPI document."""

from __future__ import annotations

import json
import re

from sanic_chatrooms.web.rest.openapi import document
from sanic_chatrooms.web.rest.routes import ROUTES
from tests.support.references import references

DOCUMENT = document("/chat/api")


def test_every_route_is_described() -> None:
    described = {(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods}

    assert described == {(route.method, f"/chat/api{route.path}") for route in ROUTES}


def test_every_reference_leads_to_a_schema() -> None:
    schemas = {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}

    assert set(references(DOCUMENT)) <= schemas


def test_parameters_of_paths_are_described() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for operation in methods.values():
            named = [one["name"] for one in operation["parameters"] if one["in"] == "path"]
            assert named == re.findall(r"\{(\w+)\}", path)


def test_names_of_operations_are_unique_and_it_is_json() -> None:
    names = [
        operation["operationId"] for methods in DOCUMENT["paths"].values() for operation in methods.values()
    ]

    assert len(set(names)) == len(names)
    assert json.loads(json.dumps(DOCUMENT)) == DOCUMENT


def test_what_may_be_left_out_of_an_answer_is_not_required() -> None:
    settled = DOCUMENT["components"]["schemas"]["Settled"]

    assert settled["required"] == ["duplicate"]
    assert set(settled["properties"]) == {"seq", "duplicate"}


def test_a_route_that_is_one_of_two_commands_has_the_answers_of_both() -> None:
    gone = DOCUMENT["paths"]["/chat/api/rooms/{room}/members/{user}"]["delete"]["responses"]["200"]
    kinds = gone["content"]["application/json"]["schema"]["anyOf"]

    assert [kind["$ref"].rpartition("/")[2] for kind in kinds] == ["Settled", "Done"]
