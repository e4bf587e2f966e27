"""Signatures are those of the Standard Webhooks specification, and what we tell developers to check them with does."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest

from portal.webhooks import signatures
from tests.servers import ROOT

pytestmark = pytest.mark.req("H1")
VECTORS: list[dict[str, Any]] = json.loads((ROOT / "tests/golden/webhooks/signatures.json").read_text("utf-8"))
BODY = b'{"n": 1}'


def verifier() -> Any:
    """The function that docs/webhooks.md shows, as a reader would copy it."""
    block = re.search(r"```python\n(.*?)```", (ROOT / "docs/webhooks.md").read_text("utf-8"), re.S)
    assert block is not None
    names: dict[str, Any] = {}
    exec(block[1], names)  # the document's own example
    return names["verify"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["says"])
def test_a_known_message_has_its_known_signature(vector: dict[str, Any]) -> None:
    body = vector["body"].encode()
    made = signatures.headers(
        vector["secrets"], message_id=vector["id"], timestamp=vector["timestamp"], body=body
    )  # fmt: skip
    assert made == {
        "webhook-id": vector["id"], "webhook-timestamp": str(vector["timestamp"]),
        "webhook-signature": vector["signature"],
    }  # fmt: skip
    for secret in vector["secrets"]:
        assert verifier()(secret, made, body, now=vector["timestamp"]) == vector["id"]


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "whsec_" + base64.b64encode(bytes(23)).decode(), "whsec_" + base64.b64encode(bytes(65)).decode(),
     base64.b64encode(bytes(32)).decode(), "whsec_not base64!", "WHSEC_" + base64.b64encode(bytes(32)).decode()],
)  # fmt: skip
def test_what_is_no_secret_signs_nothing(secret: str) -> None:
    with pytest.raises(ValueError, match=r"whsec_|Base64"):
        signatures.secret_bytes(secret)


@pytest.mark.parametrize("size", [24, 32, 64])
def test_a_secret_has_24_to_64_bytes(size: int) -> None:
    assert len(signatures.secret_bytes("whsec_" + base64.b64encode(bytes(size)).decode())) == size


@pytest.mark.parametrize("change", ["body", "id", "timestamp", "secret", "signature", "version", "old", "early"])
def test_the_documents_verifier_refuses_whatever_was_changed(change: str) -> None:
    secret, at, body = signatures.secret_new(), 1_770_000_000, BODY
    headers = signatures.headers([secret], message_id="msg_1", timestamp=at, body=body)
    verify = verifier()
    assert verify(secret, headers, body, now=at + 299) == "msg_1"
    now = {"old": at + 301, "early": at - 301}.get(change, at)
    if change == "body":
        body = BODY + b" "
    elif change == "id":
        headers["webhook-id"] = "msg_2"
    elif change == "timestamp":
        headers["webhook-timestamp"] = str(at + 1)
    elif change == "secret":
        secret = signatures.secret_new()
    elif change == "signature":
        given = headers["webhook-signature"]
        headers["webhook-signature"] = given[:-2] + ("E=" if given.endswith("A=") else "A=")
    elif change == "version":
        headers["webhook-signature"] = headers["webhook-signature"].replace("v1,", "v2,")
    with pytest.raises(ValueError, match=r"signature|old"):
        verify(secret, headers, body, now=now)


def test_new_secrets_are_never_the_same() -> None:
    assert len({signatures.secret_new() for _n in range(200)}) == 200
