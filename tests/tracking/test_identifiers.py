"""Check digits and normal forms: what is right passes, what only looks right does not."""

from __future__ import annotations

import random

import pytest

from tracking import identifiers as ids

# published examples: ISO 6346 (CSQU3054383), DCSA (APZU4812090), real boxes of public EDI samples
GOOD_BOXES = ["CSQU3054383", "APZU4812090", "TRHU4307252"]
BAD_BOXES = [
    "TRHU4561222", "CSQU3054384", "CSQU305438", "CSQU30543830", "CSQX3054383", "", "AB_U1234567", "ÁBCU1234567",
    "CSQU305438３", "ＣSQU3054383", "csqu3054383", "CSQU-305438-3",
]  # fmt: skip


@pytest.mark.parametrize("number", GOOD_BOXES)
def test_a_right_container_number_passes(number: str) -> None:
    assert ids.container_ok(number)


@pytest.mark.parametrize("number", BAD_BOXES)
def test_a_wrong_container_number_fails_without_an_error(number: str) -> None:
    assert not ids.container_ok(number)


def test_one_wrong_digit_is_found_unless_the_remainder_is_ten() -> None:
    """A remainder of 10 counts as 0, so a number with digit 0 has two kinds of twins; every other change is seen."""
    dice = random.Random(1)
    for _time in range(300):
        prefix = "".join(dice.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _n in range(3)) + f"U{dice.randrange(10**6):06d}"
        right = [d for d in range(10) if ids.container_ok(f"{prefix}{d}")]
        assert right == [ids.container_digit(prefix)]


@pytest.mark.parametrize(("written", "normal"), [(" csqu 305438-3", "CSQU3054383"), ("CSQU/305438.3", "CSQU3054383")])
def test_a_container_number_has_one_normal_form(written: str, normal: str) -> None:
    assert ids.container(written) == normal


@pytest.mark.parametrize(
    ("number", "right"),
    [
        *[("9321483", True), ("1234567", True), ("9074729", True), ("9330141", False), ("9999999", False)],
        *[("932148", False), ("93214833", False), ("９３２１４８３", False), ("932148A", False), ("", False)],
    ],
)
def test_an_imo_number_is_right_or_wrong(number: str, right: bool) -> None:
    assert ids.imo_ok(number) is right
    assert ids.imo(f" IMO {number}") == number


@pytest.mark.parametrize(
    ("written", "normal", "is_locode"),
    [("nlrtm", "NLRTM", True), ("NL RTM", "NLRTM", True), ("USNY1", "USNY1", False), ("HUB 7", "HUB 7", False),
     ("N\u0130RTM", "Nİ RTM".replace(" ", ""), False)],
)  # fmt: skip
def test_a_place_code_has_one_normal_form(written: str, normal: str, is_locode: bool) -> None:
    assert (ids.place(written), ids.locode_ok(ids.place(written))) == (normal, is_locode)
