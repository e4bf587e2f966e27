"""The API's own description: OpenAPI 3.1 made from the views, and its reference page.

A view says everything itself (portal.web.api); nothing is described here that a view does not declare.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import override
from django.views import View
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema

from portal.web.api import ApiView, ListApiView
from portal.web.apishapes import Shape, number, text
from portal.web.policy import Policy, public

EXAMPLES: Final = Path(__file__).with_name("api_examples.json")  # real answers, see tests/contracts/test_api_schema.py
_ID: Final = {"type": "string", "pattern": "^[0-9a-z]{20}$"}
_PATH: Final[Mapping[str, tuple[str, dict[str, Any]]]] = {
    "public_id": ("The `id` that lists tell.", _ID),
    "number": ("The event's `number`.", {"type": "integer", "minimum": 1, "maximum": 999_999_999}),
    "name": ("The file's `name`.", {"type": "string"}),
    "document": ("The document's `id`.", _ID),
}
_PROBLEM: Final = "application/problem+json"
_REFUSALS: Final[Mapping[str, str]] = {
    "400": "A parameter is unknown, repeated, or not of its form; `parameter` names it.",
    "401": "No key, or one that is unknown, revoked or over.",
    "403": "The account's service tier does not include it, or a person's role does not allow it.",
    "404": "Nothing of this account is at this address.",
    "429": "Too many calls; `Retry-After` says for how many seconds.",
    "503": "The database is busy; nothing is wrong with the request. `Retry-After` says when to come again.",
}
_RETRY: Final = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
_HEADERS: Final = {
    "RateLimit-Limit": {"description": "Calls allowed in a minute.", "schema": {"type": "integer"}},
    "RateLimit-Remaining": {"description": "Calls left of them.", "schema": {"type": "integer"}},
    "X-Correlation-ID": {"description": "Names the request in our log.", "schema": {"type": "string"}},
}
_LINK: Final = {"Link": {"description": "The pages after and before this one.", "schema": {"type": "string"}}}


class Problem(Shape):
    """A refusal (RFC 9457)."""

    type = text("Always about:blank: `code` says which refusal it is.")
    title = text("The status in words.")
    status = number("The status.")
    code = text("Which refusal; it does not change with the language.")
    detail = text("What was wrong, in a sentence.")
    correlation_id = text("Names the request in our log.")
    parameter = text("The parameter that was refused, where one was.")


_MEDIA: Final[dict[str, dict[str, Any]]] = {"text/csv": {"type": "string"}, "application/json": {"type": "array"}}
_BYTES: Final[dict[str, Any]] = {"type": "string", "format": "binary"}


@cache
def examples() -> dict[str, Any]:
    """A real answer of each operation, by its id."""
    found: dict[str, Any] = json.loads(EXAMPLES.read_text("utf-8")) if EXAMPLES.exists() else {}
    return found


class ApiSchema(AutoSchema):
    """Reads what an ApiView declares."""

    @property
    def door(self) -> ApiView:
        """The view."""
        assert isinstance(self.view, ApiView), f"{type(self.view).__name__} is no ApiView."
        return self.view

    def get_operation_id(self) -> str:
        """As the view says."""
        return self.door.operation

    def get_summary(self) -> str:
        """As the view says."""
        return self.door.summary

    def get_description(self) -> str:  # type: ignore[override]
        """As the view says."""
        return self.door.says

    def get_tags(self) -> list[str]:
        """As the view says."""
        return [self.door.tag]

    def get_auth(self) -> list[dict[str, Any]]:
        """A key, or the session of a person."""
        return [{"key": []}, {"session": []}]

    def get_serializer_name(self, serializer: Any, direction: Any) -> str:
        """`Place` for PlaceShape."""
        return type(serializer).__name__.removesuffix("Shape")

    def _get_request_body(self, direction: Any = "request") -> None:
        return None

    def _get_parameters(self) -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = []
        for part in self.path.split("{")[1:]:
            name = part.partition("}")[0]
            says, schema = _PATH[name]
            if self.door.files:
                schema = {**schema, "enum": list(self.door.files)} if name == "name" else schema
            told.append({"in": "path", "name": name, "description": says, "required": True, "schema": schema})
        for p in self.door.query.parameters:
            one: dict[str, Any] = {"in": "query", "name": p.name, "description": p.says, "schema": p.schema()}
            if p.several:
                one |= {"style": "form", "explode": False}
            if p.example:
                one["example"] = p.example_value()
            told.append(one)
        return told

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        told = {"200": {"description": "The answer.", "headers": self._headers(), "content": self._content()}}
        problem = self.resolve_serializer(Problem(), "response").ref
        for status, says in _REFUSALS.items():
            if status == "404" and "{" not in self.path:
                continue
            headers = {"X-Correlation-ID": _HEADERS["X-Correlation-ID"], **(_RETRY if status in ("429", "503") else {})}
            content = {_PROBLEM: {"schema": problem}}
            told[status] = {"description": says, "headers": headers, "content": content}
        return told

    def _headers(self) -> dict[str, Any]:
        return {**_HEADERS, **(_LINK if isinstance(self.door, ListApiView) else {})}

    def _content(self) -> dict[str, Any]:
        door = self.door
        if door.shape is None:
            return {kind: {"schema": _MEDIA.get(kind, _BYTES)} for kind in door.media}
        schema = self.resolve_serializer(door.shape(), "response").ref
        if door.is_list:
            schema = self._list(schema)
        content: dict[str, Any] = {"schema": schema}
        if door.operation in examples():
            content["example"] = examples()[door.operation]
        return {"application/json": content}

    def _list(self, item: dict[str, Any]) -> dict[str, Any]:
        cursor = {"type": ["string", "null"]}
        properties: dict[str, Any] = {"items": {"type": "array", "items": item, "description": "What was asked for."}}
        if isinstance(self.door, ListApiView):
            properties["next"] = {**cursor, "description": "`cursor` of the page after this one; null: the last."}
            properties["previous"] = {**cursor, "description": "`cursor` of the page before this one; null: the first."}
        for name, (shape, says) in self.door.beside.items():
            ref = self.resolve_serializer(shape(), "response").ref
            properties[name] = {"oneOf": [ref, {"type": "null"}], "description": says}
        return {"type": "object", "properties": properties, "required": list(properties)}


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document, in English, made once a process."""
    with override("en"):
        generator = SchemaGenerator()  # type: ignore[no-untyped-call]
        made: dict[str, Any] = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    made["servers"] = [{"url": settings.PUBLIC_URL}]
    for component in made["components"]["schemas"].values():
        for told in component["properties"].values():
            told.pop("x-spec-enum-id", None)  # the generator's own mark
    return made


class Schema(View):
    """GET /api/v1/schema: for generators of clients and for tests; it tells nothing about any account."""

    policy: ClassVar[Policy] = public()

    def get(self, request: HttpRequest) -> HttpResponse:
        """OpenAPI 3.1 as JSON."""
        return HttpResponse(json.dumps(document(), ensure_ascii=False), content_type="application/json")
