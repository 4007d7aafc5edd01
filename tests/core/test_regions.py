"""Regions of the picture."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qavix_watch.core.regions import NAMED, Region, make_region, read_region, spell_region
from qavix_watch.errors import OrderError


def test_the_named_regions_are_where_the_manual_says() -> None:
    assert read_region("bottom") == Region(0, 0.8, 1, 0.2, "subtitle")
    assert read_region("top") == Region(0, 0, 1, 0.2, "subtitle")
    assert read_region("top-left") == Region(0, 0, 0.25, 0.2, "watermark")
    assert read_region("TOP RIGHT") == Region(0.75, 0, 0.25, 0.2, "watermark")
    assert read_region("bottom_left") == Region(0, 0.8, 0.25, 0.2, "watermark")
    assert read_region("bottom-right") == Region(0.75, 0.8, 0.25, 0.2, "watermark")


def test_the_wire_says_1_for_a_watermark_and_2_for_a_subtitle() -> None:
    assert read_region("0.1,0.2,0.3,0.4,watermark").wire() == {"x": 0.1, "y": 0.2, "width": 0.3, "height": 0.4, "type": 1}
    assert read_region("0.1,0.2,0.3,0.4").wire()["type"] == 2


@pytest.mark.parametrize("region", [*NAMED.values(), Region(0.1, 0.2, 0.3, 0.4, "subtitle"), Region(0, 0, 1, 1, "watermark")])
def test_a_region_is_spelled_as_it_is_read(region: Region) -> None:
    assert read_region(spell_region(region)) == region


def test_numbers_are_kept_to_four_decimals() -> None:
    assert read_region("0.33333333,0,0.66666667,1") == Region(0.3333, 0, 0.6667, 1, "subtitle")
    assert read_region("0.33335,0.,.66665,1") == Region(0.3334, 0, 0.6666, 1, "subtitle")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("middle", "is no region"),
        ("0,0,1", "is no region"),
        ("0,0,1,1,subtitle,x", "is no region"),
        ("", "is no region"),
        ("0,0,1,1,logo", "neither subtitle nor watermark"),
        ("a,0,1,1", "`a` in region"),
        ("-0.1,0,1,1", "no number"),
        ("0,0,1e-1,1", "no number"),
        ("nan,0,1,1", "no number"),
        ("٠,0,1,1", "no number"),
        ("0,0,1.1,1", "not all from 0 to 1"),
        ("0.5,0,0.6,1", "outside the picture"),
        ("0,0.5,1,0.6", "outside the picture"),
        ("0,0,0,1", "no area"),
        ("0,0,1,0.00001", "no area"),
        ("0.99996,0,0.00004,1", "no area"),
    ],
)
def test_what_is_no_region_is_refused(text: str, says: str) -> None:
    with pytest.raises(OrderError, match=says) as caught:
        read_region(text)
    assert caught.value.hint.startswith("Write bottom")


shares = st.floats(0, 1)


@settings(deadline=None)
@given(shares, shares, shares, shares, st.sampled_from(["subtitle", "watermark"]))
def test_any_numbers_are_a_region_inside_the_picture_or_refused(x: float, y: float, width: float, height: float, kind: str) -> None:
    try:
        region = make_region([x, y, width, height], kind, "it")
    except OrderError:
        return
    assert region.x + region.width <= 1 + 1e-9
    assert region.y + region.height <= 1 + 1e-9
    assert read_region(spell_region(region)) == region
