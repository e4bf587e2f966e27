"""Vendored browser assets are exactly the ones that the manifest names, each with its licence.

Does not judge the versions: `.ci/vendor` pins and fetches them.
"""

import hashlib
import json
import pathlib

VENDOR = pathlib.Path(__file__).resolve().parents[2] / "portal/web/static/vendor"
MANIFEST = json.loads((VENDOR / "manifest.json").read_text(encoding="utf-8"))


def test_every_vendored_file_still_has_the_hash_it_was_fetched_with() -> None:
    named = {row["path"]: row["sha256"] for asset in MANIFEST for row in asset["files"]}
    found = {
        path.relative_to(VENDOR).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }
    assert found == named


def test_every_vendored_package_comes_with_a_version_and_its_licence_text() -> None:
    for asset in MANIFEST:
        assert asset["version"], asset["name"]
        assert asset["licence"], asset["name"]
        assert any(row["path"].endswith("/LICENSE") for row in asset["files"]), asset["name"]
