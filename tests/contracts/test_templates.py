"""Templates keep the strict content policy and say on their first line what they need.

Does not render them: the pages' own tests do.
"""

from __future__ import annotations

import pathlib
import re

import pytest
from django.template.loader import get_template

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEMPLATES = sorted(
    path for app in ("portal", "tracking", "kpis", "tiers") for path in (ROOT / app).glob("**/templates/**/*.html")
)
PAGES = [path for path in TEMPLATES if "notices" not in path.parts and "mail" not in path.parts]
ICONS = set(re.findall(r'<symbol id="([\w-]+)"', (ROOT / "portal/web/static/portal/icons.svg").read_text("utf-8")))
# What the content policy refuses in a browser is refused here first (W2).
REFUSED = {
    "an inline style": re.compile(r"<[^>]*\sstyle\s*=", re.IGNORECASE),
    "an inline handler": re.compile(r"<[^>]*\son[a-z]+\s*=", re.IGNORECASE),
    "an evaluated htmx handler": re.compile(r"\shx-(on|vals\s*=\s*[\"']js)", re.IGNORECASE),
    "an inline script": re.compile(r"<script(?![^>]*\ssrc=)(?![^>]*application/json)", re.IGNORECASE),
    "an inline sheet": re.compile(r"<style", re.IGNORECASE),
    "a foreign address": re.compile(r"<(script|link|img|use)[^>]*(src|href)=[\"'](https?:)?//", re.IGNORECASE),
}


def named(path: pathlib.Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_a_page_holds_nothing_that_the_content_policy_refuses(path: pathlib.Path) -> None:
    text = path.read_text("utf-8")
    assert [what for what, pattern in REFUSED.items() if pattern.search(text)] == []


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_every_icon_that_a_template_names_is_drawn(path: pathlib.Path) -> None:
    assert set(re.findall(r'{% icon "([\w-]+)"', path.read_text("utf-8"))) <= ICONS


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_a_template_says_on_its_first_line_what_it_is(path: pathlib.Path) -> None:
    assert path.read_text("utf-8").startswith(("{#", "{% comment"))


@pytest.mark.parametrize("path", TEMPLATES, ids=named)
def test_every_template_compiles(path: pathlib.Path) -> None:
    name = path.as_posix().rpartition("/templates/")[2]
    assert get_template(name)
