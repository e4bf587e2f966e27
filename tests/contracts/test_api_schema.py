"""The API's document says what the API does: every address, every field, every example (W10).

`UPDATE_API_EXAMPLES=1 pytest tests/contracts/test_api_schema.py` writes the examples anew from real answers.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any

import jsonschema
import pytest
from django.conf import settings
from django.urls import get_resolver

from portal.lib import clock
from portal.web.api import ApiView
from portal.web.checks import routes
from portal.web.schema import EXAMPLES, document, examples
from tests import apiworld

pytestmark = pytest.mark.req("W10", "T9")
_built: list[apiworld.ApiAccount] = []
NOT_THE_API = ("web:api_schema", "web:api_docs", "web:api_docs_operation")  # tell of it
_STABLE = re.compile(r"^[0-9a-z]{20}$")


def account() -> apiworld.ApiAccount:
    """One account with everything, for the module."""
    if not _built:
        _built.append(apiworld.build("ACME"))
    return _built[0]


def operations() -> dict[str, tuple[str, dict[str, Any]]]:
    """operation id -> (path, operation)."""
    return {op["operationId"]: (path, op) for path, by in document()["paths"].items() for op in by.values()}


def views() -> dict[str, type[ApiView]]:
    """operation id -> its view, from the resolver."""
    found: dict[str, type[ApiView]] = {}

    def walk(patterns: Any) -> None:
        for pattern in patterns:
            if hasattr(pattern, "url_patterns"):
                walk(pattern.url_patterns)
            elif issubclass(getattr(pattern.callback, "cls", object), ApiView):
                found[pattern.callback.cls.operation] = pattern.callback.cls

    walk(get_resolver().url_patterns)
    return found


def ask(operation: str, query: dict[str, Any] | None = None) -> Any:
    """The answer to the account's own key, as of a fixed day."""
    path, _told = operations()[operation]
    with clock.set_to(apiworld.NOW):
        return account().client.get(path.format(**account().arguments(operation)), query or {})


def with_references(schema: Any) -> dict[str, Any]:
    """A schema that can find its components."""
    return {**schema, "components": document()["components"]}


def test_the_document_is_openapi_3_1_and_names_every_address_of_the_api() -> None:
    told = document()
    assert told["openapi"].startswith("3.1.")
    assert told["servers"] == [{"url": settings.PUBLIC_URL}]
    routed = {
        "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", r.pattern): set(r.methods)
        for r in routes()
        if r.pattern.startswith("api/v1/") and r.name not in NOT_THE_API
    }
    documented = {path: {method.upper() for method in by} for path, by in told["paths"].items()}
    assert documented == routed
    assert {op["operationId"] for by in told["paths"].values() for op in by.values()} == set(views())


def test_every_parameter_and_field_has_its_words() -> None:
    for path, operation in operations().values():
        assert operation["summary"], path
        assert operation["description"], path
        assert all(p["description"] for p in operation["parameters"]), path
    for name, component in document()["components"]["schemas"].items():
        for field, schema in component["properties"].items():
            assert schema.get("description"), f"{name}.{field}"


@pytest.mark.parametrize("operation", sorted(views()))
def test_an_answer_has_the_fields_of_its_shape_and_no_others(operation: str) -> None:
    answer = ask(operation)
    assert answer.status_code == 200, answer.content
    view = views()[operation]
    if view.shape is None:
        assert answer.headers["Content-Type"].partition(";")[0] in view.media
        return
    body = answer.json()
    _path, told = operations()[operation]
    schema = told["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.Draft202012Validator(with_references(schema)).validate(body)
    items = body["items"] if view.is_list else [body]
    assert items, f"the world has nothing for {operation}"
    for item in items:
        declared(item, view.shape())


def declared(value: dict[str, Any], shape: Any) -> None:
    """Every declared field is there, in order, and nothing else; also in objects inside."""
    assert list(value) == list(shape.fields), type(shape).__name__
    for name, field in shape.fields.items():
        inner = getattr(field, "child", field)
        if not hasattr(inner, "fields") or value[name] is None:
            continue
        for one in value[name] if hasattr(field, "child") else [value[name]]:
            declared(one, inner)


@pytest.mark.parametrize("operation", sorted(views()))
def test_every_example_of_a_parameter_is_accepted(operation: str) -> None:
    for parameter in views()[operation].query.parameters:
        if parameter.example:
            answer = ask(operation, {parameter.name: parameter.example})
            assert answer.status_code == 200, f"{parameter.name}: {answer.content!r}"


def test_fields_leave_out_the_rest() -> None:
    for operation, view in views().items():
        if view.shape is None:
            continue
        first, second = view.shape.names()[:2]
        body = ask(operation, {"fields": f"{second},{first}"}).json()
        for item in body["items"] if view.is_list else [body]:
            assert set(item) == {first, second}


# --- examples ---


def shortened(value: Any) -> Any:
    """An answer as an example: one item a list, two of lists inside; made-up ids and references."""
    ids: dict[str, str] = {}

    def stable(text: str) -> str:
        if _STABLE.match(text):
            return ids.setdefault(text, f"{len(ids) + 1:02d}k3m9x7q2w8v4t6r5z0")
        text = re.sub(r"[0-9A-Z]{8}-(\d{4})", r"100-\1", text)
        text = re.sub(r"src-[0-9a-f]{10}", "carrier-1", text)
        text = re.sub(r"\b[0-9a-f]{16}\b", "evt-1", text)
        text = re.sub(r"MSKU\d{7}", "MSKU0000006", text)
        return re.sub(r"\b(S-|BKG)[0-9A-F]{8}\b", r"\g<1>1001", text)

    def walk(part: Any, depth: int) -> Any:
        if isinstance(part, dict):
            return {
                name: "WzAsImV4YW1wbGUiXQ" if name in ("next", "previous") and inner else walk(inner, depth + 1)
                for name, inner in part.items()
            }
        if isinstance(part, list):
            return [walk(inner, depth + 1) for inner in part[: 1 if depth < 2 else 2]]
        return stable(part) if isinstance(part, str) else part

    return walk(value, 0)


def form(value: Any) -> Any:
    """What of an example must be as in a real answer: names and kinds, not what is told."""
    if isinstance(value, dict):
        return {name: form(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [form(inner) for inner in value[:1]]
    return type(value).__name__


@pytest.mark.parametrize("operation", sorted(name for name, view in views().items() if view.shape is not None))
def test_an_example_is_an_answer_that_the_api_gives(operation: str) -> None:
    now = shortened(ask(operation, {"limit": "1"} if "limit" in _names(operation) else {}).json())
    if os.environ.get("UPDATE_API_EXAMPLES"):
        kept = json.loads(EXAMPLES.read_text("utf-8")) if EXAMPLES.exists() else {}
        EXAMPLES.write_text(json.dumps({**kept, operation: now}, indent=1, ensure_ascii=False) + "\n", "utf-8")
        return
    assert form(examples()[operation]) == form(now)
    _path, told = operations()[operation]
    content = told["responses"]["200"]["content"]["application/json"]
    assert content["example"] == examples()[operation]
    jsonschema.Draft202012Validator(with_references(content["schema"])).validate(content["example"])


def _names(operation: str) -> set[str]:
    return {p.name for p in views()[operation].query.parameters}


def test_no_example_is_left_of_an_operation_that_is_gone() -> None:
    assert set(examples()) == {name for name, view in views().items() if view.shape is not None}
