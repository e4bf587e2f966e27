"""Every text of the code is there in every language, whole; and what machines read or what is kept is in none of them.

Whether a translation is a good one is for people to say.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils.translation import override

ROOT = Path(__file__).resolve().parents[2]
CODES = [code for code, _name in settings.LANGUAGES]
TAG = re.compile(r"{%-?\s*(?:translate|blocktranslate|trans|blocktrans)\s|(?<![\w.])_\(\"")


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """A request leaves its language behind in its thread."""
    with override("en"):
        yield


def messages() -> Any:
    """The maintainer's script as a module."""
    loader = SourceFileLoader("plimsoll_messages", str(ROOT / ".ci" / "messages"))
    module = module_from_spec(spec_from_loader(loader.name, loader))  # type: ignore[arg-type]
    loader.exec_module(module)
    return module


def test_every_text_is_there_in_every_language_and_the_compiled_catalogues_are_those() -> None:
    check = subprocess.run([sys.executable, ROOT / ".ci" / "messages", "--check"], capture_output=True, text=True)
    assert check.returncode == 0, check.stdout + check.stderr


def test_every_tag_of_a_template_is_found() -> None:
    script = messages()
    for path in script.sources():
        if path.suffix != ".py":
            source = re.sub(r"{#.*?#}", "", path.read_text(encoding="utf-8"))
            assert len(list(script.texts(path))) == len(TAG.findall(source)), path


@pytest.mark.parametrize(
    ("text", "became", "fault"),
    [
        ("%(n)d left", "noch %(n)s", "places"),
        ("from {}", "von", "places"),
        ("a<br>b", "a b", "places"),
        (" then", "dann", "spaces"),
        ("over", "", "missing"),
        ("50 %% of %(n)s", "50 %% von %(n)s", None),
    ],
)
def test_what_is_lost_on_the_way_is_noticed(text: str, became: str, fault: str | None) -> None:
    script = messages()
    filled = script.Texts(locale="de")
    filled.add(text, became, locations=[("x.py", None)])
    assert [found.split()[0] for found in script.faults("de", filled)] == ([fault] if fault else [])


def test_the_languages_of_the_settings_are_those_of_the_catalogues() -> None:
    folders = {path.name.lower().replace("_", "-") for path in settings.LOCALE_PATHS[0].iterdir()}
    assert set(CODES) == folders | {"en"}


# --- what stays as it is in every language ---


def in_each_language(answer: Any) -> list[Any]:
    """What a function answers to readers of each language."""
    answers = []
    for code in CODES:
        with override(code):
            answers.append(answer())
    return answers


def test_what_is_signed_and_given_out_is_in_no_readers_language() -> None:
    from kpis.registry import KPIS
    from portal.web.schema import document

    first, *others = in_each_language(lambda: [(k.digest, k.plain()) for k in KPIS])
    assert others == [first, first]
    document.cache_clear()
    first, *others = in_each_language(lambda: (document.cache_clear(), document())[1])
    assert others == [first, first]
