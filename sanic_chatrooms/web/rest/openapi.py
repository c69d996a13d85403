"""REST in the OpenAPI document of an app that uses sanic-ext: from the table of routes, and from the structs that decode and answer."""

import importlib
from typing import Any

import msgspec

from ..schemas import schemas_of
from .routes import EVENTS, ROUTES, RestRoute, types_of
from .schema import answers_of, asked_of, named_in, payload_of, query_names

__all__ = ["describe", "document"]

_JSON, _PROBLEM = "application/json", "application/problem+json"
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The command's msgId: the same key again is answered with the first result.",
    "schema": {"type": "string", "pattern": '^("[!-~]{16,64}"|[!-~]{16,64})$'},
}
_FORMS: dict[str, dict[str, Any]] = {"room": {"pattern": "^[A-Za-z0-9_.:~-]{1,128}$"}}
_PROBLEMS = {
    "400": "The request is not of the right form",
    "401": "Nobody is known who asks this, or their token has expired",
    "403": "The user may not do this",
    "404": "There is no such room or message, or none that the user may know of",
    "409": "It conflicts with what is there",
    "410": "The position is lost",
    "412": "It was changed meanwhile",
    "413": "It is too large",
    "429": "Too many requests",
    "500": "A defect of the server",
    "503": "The server cannot do this now",
}


def describe(app: Any, prefix: str) -> None:
    """Add the routes to the app's document, at this prefix. Without sanic-ext it does nothing."""
    if not hasattr(app, "_ext"):
        return
    builders = importlib.import_module("sanic_ext.extensions.openapi.builders")
    builders.SpecificationBuilder().raw(document(prefix))


def document(prefix: str) -> dict[str, Any]:
    """`paths` and `components` of an OpenAPI document."""
    schemas, components = schemas_of(kind for route in ROUTES for kind in _kinds(route) if kind is not None)
    paths: dict[str, Any] = {}
    for route in ROUTES:
        paths.setdefault(prefix + route.path, {})[route.method.lower()] = _operation(route, schemas)
    problem = {
        "type": "object",
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "code": {"type": "string"},
            "temporary": {"type": "boolean"},
        },
        "required": ["type", "title", "status", "detail", "code", "temporary"],
    }
    return {"paths": paths, "components": {"schemas": {**components, "Problem": problem}}}


def _kinds(route: RestRoute) -> tuple[type | None, ...]:
    return payload_of(route), *answers_of(route)


def _operation(route: RestRoute, schemas: dict[Any, Any]) -> dict[str, Any]:
    types = types_of(route) or (route.type,)
    operation: dict[str, Any] = {
        "operationId": f"{route.method.lower()}~{route.path.strip('/')}",
        "summary": " or ".join(types),
        "tags": ["chat rooms"],
        "parameters": [_in_path(name) for name in named_in(route.path)],
        "responses": _responses(route, schemas),
    }
    if route.method == "GET":
        operation["parameters"] += map(_in_query, asked_of(route))
        if "room" in query_names(route):
            operation["parameters"].append({"name": "room", "in": "query", "schema": {"type": "string"}})
        return operation
    operation["parameters"].append(_KEY)
    if route.precise:
        operation["parameters"].append(
            {"name": "If-Match", "in": "header", "required": False, "schema": {"type": "string"}}
        )
    if (body := _body(route, schemas)) is not None:
        operation["requestBody"] = {"required": _needs(route), "content": {_JSON: {"schema": body}}}
    return operation


def _in_path(name: str) -> dict[str, Any]:
    schema = {"type": "string", **_FORMS.get(name, {"minLength": 1, "maxLength": 128})}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _in_query(field: msgspec.structs.FieldInfo) -> dict[str, Any]:
    schema: dict[str, Any] = _without_null(msgspec.json.schema(field.type))
    described = {"name": field.encode_name, "in": "query", "required": field.required, "schema": schema}
    return {**described, "style": "form", "explode": False} if schema.get("type") == "array" else described


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A query leaves out what a payload calls null."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    return kinds[0] if kinds else schema


def _body(route: RestRoute, schemas: dict[Any, Any]) -> dict[str, Any] | None:
    payload, fields = payload_of(route), asked_of(route)
    if payload is None or not fields:
        return None
    if route.wraps:
        return {"type": "object"}
    if not named_in(route.path) or not set(named_in(route.path)) & _names(payload):
        described: dict[str, Any] = schemas[payload]
        return described
    properties = {field.encode_name: msgspec.json.schema(field.type) for field in fields}
    required = [field.encode_name for field in fields if field.required]
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}


def _names(kind: Any) -> set[str]:
    return set(kind.__struct_encode_fields__)


def _needs(route: RestRoute) -> bool:
    return bool(route.wraps) or any(field.required for field in asked_of(route))


def _responses(route: RestRoute, schemas: dict[Any, Any]) -> dict[str, Any]:
    kinds = [schemas[kind] for kind in answers_of(route)]
    told_of = {"anyOf": kinds} if len(kinds) > 1 else kinds[0] if kinds else {"type": "object"}
    content: dict[str, Any] = {_JSON: {"schema": told_of}}
    if route.type == EVENTS:
        content["text/event-stream"] = {"schema": {"type": "string"}}
    told = {"description": "Done", "content": content}
    if route.made:
        told["headers"] = {"Location": {"schema": {"type": "string"}}}
    problem = {_PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        "201" if route.made else "200": told,
        **({"304": {"description": "As it was read before"}} if route.method == "GET" else {}),
        **{status: {"description": why, "content": problem} for status, why in _PROBLEMS.items()},
    }
