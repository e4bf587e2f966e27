"""Damaged messages of every format: never a fault of ours, always an event or a reason (G6, G7)."""

from __future__ import annotations

import json
import random
from collections import Counter
from itertools import islice
from typing import Any

import pytest

from tests.tracking.adapters import mutate
from tracking.registry import ADAPTERS
from tracking.types import Parsed

pytestmark = pytest.mark.req("G6", "G7")
KEYS = ADAPTERS.keys()
ORDINARY, NIGHTLY = 2_000, 100_000
PLAIN_LISTS = ("dcsa", "dcsa_3")  # formats whose items can be counted without reading them


def run(seed: int, count: int, key: str = "") -> Counter[str]:
    """Reads so many damaged messages; the seed and the number of a failing one say which it was."""
    seen: Counter[str] = Counter()
    for number, (sample, raw) in enumerate(islice(mutate.stream(random.Random(seed), key=key), count)):
        try:
            parsed = mutate.parsed_or_refused(sample, raw)
            if parsed is not None and sample.key in PLAIN_LISTS:
                _every_item_counts(raw, parsed)
        except Exception as fault:
            fault.add_note(f"seed {seed}, number {number}, {sample.path.name}: {raw[:4_000]!r}")
            raise
        seen["whole" if parsed is None else "part"] += 1
        seen["events"] += len(parsed.events) if parsed else 0
        seen["refusals"] += len(parsed.refusals) if parsed else 0
    return seen


def _every_item_counts(raw: bytes, parsed: Parsed) -> None:
    """Each item of the list became one event or one refusal, at its own number."""
    try:
        value: Any = json.loads(raw.removeprefix(b"\xef\xbb\xbf"))
    except ValueError:  # another format by now
        return
    listed = value.get("events") if isinstance(value, dict) else value
    count = len(listed) if isinstance(listed, list) else 1
    numbers = [item.position.partition("]")[0] for item in (*parsed.events, *parsed.refusals)]
    assert sorted(numbers) == sorted(f"$[{n}" for n in range(count))


@pytest.mark.parametrize("key", KEYS)
def test_a_damaged_message_gives_events_and_reasons(key: str) -> None:
    seen = run(20260315, ORDINARY // len(KEYS), key)
    assert seen["events"], "the damage leaves something to read"
    assert seen["whole"] + seen["refusals"], "and there is something to refuse"


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(10))
def test_a_hundred_thousand_damaged_messages_give_events_and_reasons(seed: int) -> None:
    seen = run(seed, NIGHTLY // 10)
    assert min(seen[name] for name in ("whole", "events", "refusals")) > NIGHTLY // 100
