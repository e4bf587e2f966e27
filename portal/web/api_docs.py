"""The API's reference for people: its addresses, and for each what may be asked and what is answered.

Made from the OpenAPI document alone (portal.web.schema), so that it cannot say anything else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from portal.lib.errors import NotFound
from portal.web.pages import PageView
from portal.web.policy import Policy, signed_in
from portal.web.schema import document

_JSON: Final = "application/json"
_MADE_UP: Final = {
    "public_id": "01k3m9x7q2w8v4t6r5z0", "document": "02k3m9x7q2w8v4t6r5z0", "number": "1", "name": "facts.csv",
}  # fmt: skip
_DEEPEST: Final = 3  # objects inside objects; none of ours goes further


def operations() -> dict[str, tuple[str, dict[str, Any]]]:
    """operation id -> (path, operation), in the order of the document."""
    return {op["operationId"]: (path, op) for path, by in document()["paths"].items() for op in by.values()}


class Docs(PageView):
    """All addresses, how to sign in, how pages and refusals work."""

    policy: ClassVar[Policy] = signed_in()

    def get(self, request: HttpRequest) -> HttpResponse:
        """The list, grouped as the document groups it."""
        groups: dict[str, list[dict[str, str]]] = {}
        for name, (path, op) in operations().items():
            url = reverse("web:api_docs_operation", kwargs={"operation": name})
            groups.setdefault(op["tags"][0], []).append({"path": path, "summary": op["summary"], "url": url})
        refusals = next(iter(operations().values()))[1]["responses"]
        return self.page("web/api_docs.html", {
            "title": _("API reference"),
            "subtitle": _("What these pages show, for your own systems: JSON, for reading."),
            "groups": [{"label": tag, "rows": rows} for tag, rows in groups.items()],
            "curl": curl("/api/v1/shipments", {}),
            "schema_url": reverse("web:api_schema"),
            "most": settings.API_CALLS_A_MINUTE,
            "refusals": [
                {"status": status, "says": worded(told["description"])}
                for status, told in sorted({**refusals, "404": _any_404()}.items())
                if status != "200"
            ],
        })  # fmt: skip


def _any_404() -> dict[str, Any]:
    return next(op["responses"]["404"] for _path, op in operations().values() if "404" in op["responses"])


class DocsOperation(PageView):
    """One address: what may be asked, what is answered, an example."""

    policy: ClassVar[Policy] = signed_in()

    def get(self, request: HttpRequest, operation: str) -> HttpResponse:
        """NotFound for an operation that there is not."""
        if operation not in operations():
            raise NotFound
        path, told = operations()[operation]
        answer = told["responses"]["200"]["content"]
        example = answer.get(_JSON, {}).get("example")
        asked = {
            p["name"]: ",".join(p["example"]) if isinstance(p["example"], list) else p["example"]
            for p in told["parameters"]
            if p["in"] == "query" and p["name"] == "limit"
        }
        return self.page("web/api_docs_operation.html", {
            "title": told["summary"],
            "subtitle": worded(told["description"]),
            "crumbs": [{"label": _("API reference"), "url": reverse("web:api_docs")}],
            "path": path,
            "curl": curl(path, asked),
            "parameters": [_parameter(p) for p in told["parameters"]],
            "fields": list(fields_of(answer[_JSON]["schema"])) if _JSON in answer else [],
            "media": [] if example is not None else sorted(answer),
            "raw": {"lines": _lines(example), "label": _("The answer of the example")} if example is not None else None,
        })  # fmt: skip


def curl(path: str, asked: Mapping[str, Any]) -> str:
    """A call as one types it; made-up ids stand where an object is named."""
    filled = path
    for name, value in _MADE_UP.items():
        filled = filled.replace(f"{{{name}}}", value)
    query = f"?{urlencode(asked)}" if asked else ""
    return f'curl -H "Authorization: Bearer $PLIMSOLL_KEY" "{settings.PUBLIC_URL}{filled}{query}"'


def worded(text: str) -> SafeString:
    """A description with what stands between backticks as code."""
    parts = text.split("`")
    return format_html_join(
        "", "{}", ((format_html("<code>{}</code>", p) if n % 2 else p,) for n, p in enumerate(parts))
    )


def _parameter(told: Mapping[str, Any]) -> dict[str, Any]:
    usual, kind = told["schema"].get("default"), kind_of(told["schema"])
    if "pattern" in told["schema"] and "example" in told:
        kind = _("%(kind)s, such as %(example)s") % {"kind": kind, "example": told["example"]}
    return {
        "name": told["name"], "kind": kind, "says": worded(told["description"]),
        "usual": "" if usual is None else json.dumps(usual).strip('"'), "is_required": told.get("required", False),
    }  # fmt: skip


def _resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a reference names; of "this or null", this."""
    if "oneOf" in schema:
        inner = next(s for s in schema["oneOf"] if s.get("type") != "null")
        return {**_resolved(inner), "description": schema.get("description", "")}
    if "$ref" in schema:
        found: Mapping[str, Any] = document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return found
    return schema


def fields_of(schema: Mapping[str, Any], before: str = "", depth: int = 0) -> Iterator[dict[str, Any]]:
    """Every field with its path, such as `items[].pol.code`, its kind and its meaning."""
    for name, told in _resolved(schema).get("properties", {}).items():
        yield {"name": f"{before}{name}", "kind": kind_of(told), "says": worded(told.get("description", ""))}
        inner, whole = _resolved(told), _is_list(told)
        if whole:
            inner = _resolved(inner["items"])
        if depth < _DEEPEST:
            yield from fields_of(inner, f"{before}{name}{'[]' if whole else ''}.", depth + 1)


def _is_list(schema: Mapping[str, Any]) -> bool:
    return bool(_resolved(schema).get("type") == "array")


def kind_of(schema: Mapping[str, Any]) -> str:
    """What a value is, in words."""
    told = _resolved(schema)
    kinds = told.get("type", [])
    kinds = kinds if isinstance(kinds, list) else [kinds]
    may_lack = "null" in kinds or any(s.get("type") == "null" for s in schema.get("oneOf", ()))
    word = _word(told, next((k for k in kinds if k != "null"), ""))
    return _("%(kind)s, or null") % {"kind": word} if may_lack else word


def _word(told: Mapping[str, Any], kind: str) -> str:
    words = [str(w) for w in told.get("enum", ()) if w is not None]
    if words:
        return _("one of %(words)s") % {"words": ", ".join(words)}
    if kind == "array" and told["items"].get("enum"):
        return _("some of %(words)s, with commas between") % {"words": ", ".join(told["items"]["enum"])}
    if kind == "integer" and "minimum" in told:
        return _("whole number, %(least)s to %(most)s") % {"least": told["minimum"], "most": told["maximum"]}
    formats = {"date-time": _("moment, UTC"), "date": _("day")}
    kinds = {
        "string": formats.get(told.get("format", ""), _("text")), "integer": _("whole number"),
        "boolean": _("true or false"), "object": _("object"),
        "array": _("list of texts") if _is_texts(told) else _("list"),
    }  # fmt: skip
    return kinds.get(kind, _("JSON"))


def _is_texts(told: Mapping[str, Any]) -> bool:
    return bool(told.get("items", {}).get("type") == "string")


def _lines(example: Any) -> list[dict[str, Any]]:
    text = json.dumps(example, indent=2, ensure_ascii=False)
    return [{"n": n, "text": line} for n, line in enumerate(text.splitlines(), start=1)]
