"""Rules about templates: what the content security policy refuses must not be written in the first place."""

import re

from rules.rule import Found, Rule

PATTERNS = {
    r"""\sstyle\s*=\s*["']""": "an inline style: use a class",
    r"""\shx-on[:\w-]*\s*=""": "hx-on needs eval: use a file of static/portal",
    r"""<[a-z][^>]*\son[a-z]+\s*=\s*["']""": "an inline handler: use a file of static/portal",
    r"""<script(?![^>]*\ssrc\s*=)[^>]*>""": "an inline script: use a file of static/portal",
    r"""<style[\s>]""": "an inline sheet: use a file of static/portal",
    r"""\|\s*(safe|safeseq)\b""": "markup that nobody escaped: build it with format_html",
    r"""\{%\s*autoescape\s+off""": "escaping is never switched off in a page",
    r"""(src|href|action)\s*=\s*["']https?://""": "an address of another host: vendor it, or name it in Python",
}


def _find(source: str, path: str) -> Found:
    for number, line in enumerate(source.splitlines(), start=1):
        for pattern, what in PATTERNS.items():
            if re.search(pattern, line):
                yield number, what


RULES = (
    Rule(
        key="pages-fit-the-policy",
        says="No inline script, style or handler; nothing unescaped; nothing from another host (W7).",
        applies=lambda path: path.endswith(".html") and "/notices/" not in path,
        find=_find,
        example_path="tracking/templates/tracking/shipment.html",
        bad=(
            '<p style="color: red">',
            '<a hx-on:click="x()">',
            '<button onclick="x()">',
            "<script>x()</script>",
            "{{ text|safe }}",
            "{% autoescape off %}",
            '<link href="https://cdn.example.com/a.css">',
        ),
        good=(
            '<p class="late">',
            '<a hx-get="/x">',
            "<script src=\"{% static 'a.js' %}\" defer></script>",
            "{{ text|default:'safe' }}",
            "<a href=\"{% url 'web:home' %}\">",
        ),
    ),
)
