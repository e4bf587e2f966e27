"""Raw messages in tests/golden with the outcome, and for some the mapping, that stands beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tracking.management.commands.canonical import _lines
from tracking.registry import ADAPTERS
from tracking.types import PLAIN, Partner

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
_BESIDE = (".expected.json", ".mapping.json", ".md")


def messages(key: str) -> list[Path]:
    """The raw messages of a format, in its own folder or in that of its syntax."""
    folder = next(f for f in (GOLDEN / key, GOLDEN / key.partition("_")[0], GOLDEN / "edifact") if f.is_dir())
    found = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.endswith(_BESIDE)]
    if folder.name == key:
        return found
    return [path for path in found if ADAPTERS[key].recognises(path.read_bytes())]  # a folder of several formats


def mapping_of(path: Path) -> dict[str, Any]:
    """The mapping of a message, or of its family (what stands before the first hyphen of its name); empty if none."""
    names = (path.name, path.stem.partition("-")[0])
    mapping = next((m for name in names if (m := path.parent / f"{name}.mapping.json").exists()), None)
    return dict(json.loads(mapping.read_text("utf-8"))) if mapping else {}


def partner_of(path: Path) -> Partner:
    """The partner that sends a message."""
    mapping = mapping_of(path)
    return Partner(mapping=mapping) if mapping else PLAIN


def outcome(path: Path, key: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What is said of a message, in the fields that are expected; and what is expected."""
    expected = json.loads(path.with_suffix(".expected.json").read_text("utf-8"))
    lines = list(_lines(path.read_bytes(), key, partner_of(path)))
    assert len(lines) == len(expected)
    return [{name: line.get(name) for name in want} for line, want in zip(lines, expected, strict=True)], expected
