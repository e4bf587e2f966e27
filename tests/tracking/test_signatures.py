"""Callback signatures: the published vector, one changed byte, and every named failure."""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path

import pytest

from tracking.signatures import Fault, SignatureFault, secret_bytes, signature, verify

BODY = (Path(__file__).resolve().parents[1] / "golden" / "dcsa" / "sample-events.json").read_bytes()
SECRET = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
HEADER = "sha256=87cff202a3394df941e8ecb4999a1c37af9b7a605d2275ee1a0fcaf0956a5d33"
OTHER = base64.b64encode(bytes(range(64))).decode()


def fault_of(body: bytes, header: object, secrets: list[str]) -> Fault:
    with pytest.raises(SignatureFault) as found:
        verify(body, header, secrets)  # type: ignore[arg-type]
    assert str(found.value)
    return found.value.fault


@pytest.mark.req("G10")
def test_the_published_vector_fits() -> None:
    assert len(BODY) == 9_478
    assert signature(BODY, SECRET) == HEADER
    verify(BODY, HEADER, [SECRET])
    verify(BODY, [f"  SHA256={HEADER[7:].upper()} "], [SECRET])


@pytest.mark.req("G10")
@pytest.mark.parametrize("changed", [BODY + b"\n", BODY[:-1], b" " + BODY, BODY.replace(b"FRPAR", b"FRPAS", 1), b""])
def test_one_changed_byte_does_not_fit(changed: bytes) -> None:
    assert fault_of(changed, HEADER, [SECRET]) == Fault.MISMATCH


@pytest.mark.req("G10")
def test_the_secret_is_used_decoded_never_as_its_text() -> None:
    wrong = "sha256=" + hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()
    assert wrong.startswith("sha256=810f3411")
    assert fault_of(BODY, wrong, [SECRET]) == Fault.MISMATCH


@pytest.mark.req("G10")
def test_during_a_rotation_either_secret_fits_and_an_older_one_no_more() -> None:
    verify(BODY, signature(BODY, OTHER), [SECRET, OTHER])
    verify(BODY, signature(BODY, SECRET), [SECRET, OTHER])
    assert fault_of(BODY, signature(BODY, SECRET), [OTHER]) == Fault.MISMATCH


@pytest.mark.req("G10")
@pytest.mark.parametrize(
    ("header", "fault"),
    [
        (None, Fault.MISSING),
        ("", Fault.MISSING),
        ([], Fault.MISSING),
        ([HEADER, HEADER], Fault.REPEATED),
        (f"{HEADER},{HEADER}", Fault.REPEATED),
        (HEADER.replace("sha256", "sha1"), Fault.UNKNOWN_TYPE),
        (HEADER.replace("sha256=", "md5="), Fault.UNKNOWN_TYPE),
        (HEADER[7:], Fault.MALFORMED),
        ("sha256=", Fault.MALFORMED),
        ("sha256=ｆｆ", Fault.MALFORMED),
        (HEADER[:-1], Fault.MISMATCH),
        (HEADER + "00", Fault.MISMATCH),
    ],
)
def test_each_failure_has_its_name(header: object, fault: Fault) -> None:
    assert fault_of(BODY, header, [SECRET]) == fault


def test_without_a_secret_nothing_fits() -> None:
    assert fault_of(BODY, HEADER, []) == Fault.NO_SECRET


@pytest.mark.parametrize("secret", ["not base64!", "AAEC", base64.b64encode(bytes(31)).decode(), "é"])
def test_a_secret_has_32_to_64_bytes_in_base64(secret: str) -> None:
    with pytest.raises(ValueError):
        secret_bytes(secret)
