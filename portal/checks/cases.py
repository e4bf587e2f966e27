"""Runs worked examples through the product's own rules and compares field by field.

How each kind is put to the product stands in kinds/; nothing here knows a formula.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

from portal.checks.types import CaseFault, CaseKind, Failure, Fields
from portal.lib.registry import Registry

KINDS: Final[Registry[CaseKind]] = Registry("portal.checks.kinds", of=CaseKind)
_NOTHING: Final = object()
_SHOWN: Final = 300


class UnreadableCases(ValueError):
    """The file is no file of cases; the message says why."""


def read_cases(path: Path) -> Sequence[Any]:
    """The cases of a file, unjudged; UnreadableCases when it is not of this format."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnreadableCases(f"{path}: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise UnreadableCases(f"{path}: not JSON in UTF-8: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("cases"), list):
        raise UnreadableCases(f"{path}: not a file of cases: it needs an object with a list named cases")
    if document.get("version") != 1:
        raise UnreadableCases(f"{path}: version {document.get('version')!r} is not known; this reads version 1")
    cases: Sequence[Any] = document["cases"]
    return cases


def kind_of(case: Any) -> str:
    """The kind a case names, empty when it names none."""
    kind = case.get("kind") if isinstance(case, dict) else None
    return kind if isinstance(kind, str) else ""


def run_case(case: Any) -> Failure | None:
    """None when the case passes. An unknown kind or input field, or any exception, is a failure."""
    name = str(case.get("id", "?")) if isinstance(case, dict) else "?"
    kind = KINDS.get(kind_of(case))
    if kind is None:
        return Failure(name, kind_of(case) or "?", "kind", "a known kind", _shown(kind_of(case)))
    try:
        fields = Fields(case.get("input"))
        found = kind.answer(fields)
        fields.done()
        expected = Fields(case.get("expected"), "expected").all()
        tolerance = case.get("tolerance")
        for path, want, got in _differences(expected, found, "", float(tolerance) if tolerance else 0.0):
            return Failure(name, kind.key, path, _shown(want), _shown(got))
    except CaseFault as fault:
        return Failure(name, kind.key, fault.field, "a valid case", fault.fault)
    except Exception as error:  # any fault of a case fails it; the run goes on
        return Failure(name, kind.key, "input", "an answer", f"{type(error).__name__}: {error}".replace("\n", " "))
    return None


def run_cases(cases: Iterable[Any]) -> Iterator[Failure | None]:
    """One result for each case, in order; cases do not depend on each other."""
    return (run_case(case) for case in cases)


def _differences(
    expected: Mapping[str, Any], found: Mapping[str, Any], path: str, tolerance: float
) -> Iterator[tuple[str, Any, Any]]:
    """Fields that differ. The outermost object is compared only in the fields expected names."""
    for name, want in expected.items():
        yield from _compare(want, found.get(name, _NOTHING), f"{path}{name}", tolerance)


def _compare(want: Any, got: Any, path: str, tolerance: float) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(want, dict) and isinstance(got, Mapping):
        for key in [*want, *(k for k in got if k not in want)]:
            yield from _compare(want.get(key, _NOTHING), got.get(key, _NOTHING), f"{path}.{key}", tolerance)
    elif isinstance(want, list) and isinstance(got, list | tuple) and len(want) == len(got):
        for i, (one, other) in enumerate(zip(want, got, strict=True)):
            yield from _compare(one, other, f"{path}[{i}]", tolerance)
    elif not _equal(want, got, tolerance):
        yield path, want, got


def _equal(want: Any, got: Any, tolerance: float) -> bool:
    if isinstance(got, Decimal):
        try:
            return isinstance(want, str) and Decimal(want) == got
        except InvalidOperation:
            return False
    if isinstance(want, bool) or isinstance(got, bool):
        return want is got
    if isinstance(want, float) and isinstance(got, int | float):
        return abs(want - got) <= tolerance
    if isinstance(want, int) and isinstance(got, int | float):
        return want == got
    return type(want) is type(got) and bool(want == got) if not isinstance(want, str) else str(want) == got


def _shown(value: Any) -> str:
    if value is _NOTHING:
        return "nothing"
    text = str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
