"""A notice as subject, text and HTML: one template a fact, with a block for each (house rule 15).

Links are built from settings.PUBLIC_URL, never from a request (W3). Nothing is sent here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import css_inline
from django.conf import settings
from django.core import signing
from django.template import Context, loader
from django.template.base import Template
from django.template.loader_tags import BlockNode
from django.urls import reverse
from django.utils import translation

from portal.brand.colours import DEFAULT
from portal.lib import seal
from portal.lib.facts import Audience, Fact

_SALT: Final = "notices.unsubscribe"
_BLANK_LINES: Final = re.compile(r"\n{3,}")


@dataclass(frozen=True, slots=True)
class Notice:
    """What a person reads; `subject` is one line of plain text."""

    subject: str
    text: str
    html: str
    unsubscribe_url: str  # empty where the mail is not one of a kind


@dataclass(frozen=True, slots=True)
class Reader:
    """For whom a notice is written: the brand above it, the account it is about, the person."""

    brand: str
    account: str
    name: str
    language: str
    unsubscribe_token: str  # empty for mails that one cannot unsubscribe from
    ink: str = DEFAULT  # the colour of the brand, readable on white


def template_name(fact_key: str) -> str:
    """Where the notice of a fact stands."""
    return f"notices/{fact_key}.html"


def notice_render(fact: Fact, reader: Reader) -> Notice:
    """Renders the fact's template; TemplateDoesNotExist when the fact has none."""
    with translation.override(reader.language):
        values = _values(fact, reader)
        template = _template(fact.key)
        text = _block(template, "text", values) + "\n" + loader.render_to_string("notices/_foot.txt", values)
        return Notice(
            subject=_block(template, "subject", values).strip(),
            text=_BLANK_LINES.sub("\n\n", text).strip() + "\n",
            html=_inliner().inline(template.render(Context(values))),
            unsubscribe_url=values["unsubscribe_url"],
        )


def _values(fact: Fact, reader: Reader) -> dict[str, Any]:
    token = reader.unsubscribe_token
    return {
        "fact": fact,
        "link": _link(fact),
        "portal_url": settings.PUBLIC_URL,
        "brand": {"name": reader.brand, "ink": reader.ink},
        "for_staff": fact.audience == Audience.STAFF,
        "account": reader.account,
        "name": reader.name,
        "unsubscribe_url": settings.PUBLIC_URL + reverse("notices:unsubscribe", kwargs={"token": token})
        if token
        else "",
        "preferences_url": settings.PUBLIC_URL + reverse("notices:settings"),
    }


def _link(fact: Fact) -> str:
    """The address a fact leads to: its `path` in the portal, or its `link`, which is sealed because it opens doors.

    ValueError when it was sealed under another key, or leads elsewhere (W3).
    """
    sealed = getattr(fact, "link", "")
    if sealed:
        address = seal.unseal(sealed)
        if not settings.PRODUCTION or address.startswith(settings.PUBLIC_URL + "/"):
            return address
        raise ValueError("The link does not lead to the portal.")
    path = str(getattr(fact, "path", "/"))
    return settings.PUBLIC_URL + (path if path.startswith("/") else "/")


def _template(fact_key: str) -> Template:
    found: Template = loader.get_template(template_name(fact_key)).template  # type: ignore[attr-defined]
    return found


def _block(template: Template, name: str, values: dict[str, Any]) -> str:
    """One block as plain text: neither subject nor text is HTML, so nothing is escaped."""
    context = Context(values, autoescape=False)
    blocks: list[Any] = template.nodelist.get_nodes_by_type(BlockNode)
    node = next(block for block in blocks if block.name == name)
    with context.render_context.push_state(template), context.bind_template(template):
        return str(node.nodelist.render(context))


@cache
def _inliner() -> css_inline.CSSInliner:
    return css_inline.CSSInliner(keep_style_tags=False, load_remote_stylesheets=False)


def optional(audience: Audience) -> bool:
    """Whether a person may do without: all but what was asked for by one person."""
    return audience != Audience.PERSON


def unsubscribe_token(*, tenant_id: int, member: str, fact_key: str) -> str:
    """Names a person and a kind of notice; good without a sign-in, for nothing else."""
    return signing.dumps([tenant_id, member, fact_key], salt=_SALT)


def unsubscribe_read(token: str) -> tuple[int, str, str] | None:
    """(tenant id, member's public id, fact key) of a genuine token, else None."""
    try:
        tenant_id, member, fact_key = signing.loads(token, salt=_SALT)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return int(tenant_id), str(member), str(fact_key)
