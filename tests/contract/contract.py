"""The project's copy of the OpenAPI contract, and answers judged by it: strictly, so an undocumented field is a fault too."""

from __future__ import annotations

import copy
import functools
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

_URI = "urn:qavix"
_FORMATS = FormatChecker(formats=["date"])


@_FORMATS.checks("date-time", raises=ValueError)
def _is_date_time(value: object) -> bool:
    """RFC 3339, with its time zone."""
    return not isinstance(value, str) or ("T" in value and datetime.fromisoformat(value).tzinfo is not None)


@_FORMATS.checks("uri", raises=ValueError)
def _is_uri(value: object) -> bool:
    return not isinstance(value, str) or bool(urlsplit(value).scheme and urlsplit(value).netloc)


@functools.cache
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("qavix-openapi.yaml").read_text(encoding="utf-8"))
    return loaded


@functools.cache
def operations() -> dict[str, tuple[str, str, dict[str, Any]]]:
    """operationId → method, path, operation."""
    return {
        operation["operationId"]: (method.upper(), path, operation)
        for path, item in document()["paths"].items()
        for method, operation in item.items()
    }


def request_schema(operation_id: str) -> dict[str, Any] | None:
    """The schema of the JSON that an operation takes; None for one without a body."""
    body = operations()[operation_id][2].get("requestBody")
    if body is None:
        return None
    if "$ref" in body:
        body = document()["components"]["requestBodies"][body["$ref"].rpartition("/")[2]]
    schema: dict[str, Any] = body["content"]["application/json"]["schema"]
    return schema


def check_answer(operation_id: str, status: int, body: object) -> None:
    """Raises jsonschema.ValidationError where the contract does not allow this answer."""
    responses = operations()[operation_id][2]["responses"]
    name = responses.get(str(status), responses["default"])["$ref"].rpartition("/")[2]
    pointer = f"{_URI}#/components/responses/{name}/content/application~1json/schema"
    Draft202012Validator({"$ref": pointer}, registry=_registry(), format_checker=_FORMATS).validate(body)


@functools.cache
def _registry() -> Registry[Any]:
    closed = _closed(copy.deepcopy(document()))
    return Registry().with_resource(_URI, Resource(contents=closed, specification=DRAFT202012))


def _closed(node: Any) -> Any:
    """The same document with every object closed, so that a field that it does not name is refused."""
    if isinstance(node, dict):
        if isinstance(node.get("properties"), dict):
            node.setdefault("additionalProperties", False)
        for value in node.values():
            _closed(value)
    elif isinstance(node, list):
        for value in node:
            _closed(value)
    return node
