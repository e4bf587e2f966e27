"""`manage.py demo` as a person runs it: the story from an empty folder, a second start, its logins, its end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
OURS = ("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_OPERATOR_URL", "CELERY_BROKER_URL", "EMAIL_URL",
        "PLIMSOLL_MODE", "DJANGO_SETTINGS_MODULE")  # fmt: skip

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def surroundings() -> Iterator[dict[str, str]]:
    """An environment like a fresh shell's, with an empty folder for the demo's files."""
    folder = tempfile.mkdtemp(prefix="pld-")
    environment = {name: value for name, value in os.environ.items() if name not in OURS}
    yield {**environment, "PLIMSOLL_VAR": folder, "PLIMSOLL_NO_BOOTSTRAP": "1"}
    shutil.rmtree(folder, ignore_errors=True)


def command(*words: str) -> list[str]:
    return [sys.executable, "-W", "ignore", str(ROOT / "manage.py"), *words]


@pytest.mark.req("G1", "G2", "G5", "O7", "M7")
def test_the_story_is_told_from_an_empty_folder(surroundings: dict[str, str]) -> None:
    told = subprocess.run(
        command("demo", "--check", "--json"), env=surroundings, capture_output=True, text=True, timeout=540, check=False
    )
    lines = [json.loads(line) for line in told.stdout.splitlines() if line.startswith("{")]
    assert told.returncode == 0, (lines[-1:], told.stderr[-2000:])
    assert [step["name"] for step in lines if "name" in step][-1] == "the invariants hold"
    assert sum("name" in step for step in lines) == 11


def test_a_second_start_is_quick_says_who_may_sign_in_and_ends_on_ctrl_c(surroundings: dict[str, str]) -> None:
    began = time.monotonic()
    with subprocess.Popen(command("demo", "--json"), env=surroundings, stdout=subprocess.PIPE, text=True,
                          start_new_session=True) as demo:  # fmt: skip
        try:
            assert demo.stdout is not None
            told: dict[str, Any] = json.loads(demo.stdout.readline())
            assert time.monotonic() - began < 40  # under 10 s on a machine of its own
            with urllib.request.urlopen(f"{told['url']}/accounts/login/", timeout=10) as page:
                assert page.status == 200
        finally:
            asked = time.monotonic()
            demo.send_signal(signal.SIGINT)
            assert demo.wait(timeout=30) == 0
    assert time.monotonic() - asked < 30
    assert {tuple(sorted(user)) for user in told["users"]} == {
        ("account", "login", "password", "role", "tier", "totp_secret")
    }
    roles = sorted((user["role"], user["tier"] or "") for user in told["users"])
    assert roles == sorted([
        ("ops", ""), ("account_manager", ""), ("finance", ""), ("finance", ""), ("admin", ""),
        *((role, tier) for tier in ("PREMIUM", "PRIORITY", "STANDARD") for role in ("manager", "member")),
    ])  # fmt: skip
    assert {a["account"] for a in told["accounts"]} == {"ACME", "GLOBEX", "INITECH"}
    assert all(len(a["references"]) > 50 for a in told["accounts"])
    assert all(s["key"].startswith("plm_") and s["dcsa_secret"].endswith("=") for s in told["sources"])
