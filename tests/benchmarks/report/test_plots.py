import re

import numpy as np
import pytest

from benchmarks.report.figures import Curve, Timeline
from benchmarks.report.plots import draw_curves, draw_timeline


@pytest.mark.parametrize(
    ("least", "most"), [(15, 40), (10, 210), (15, 320), (20, 500), (15, 15_000)]
)
def test_memory_over_any_range_is_told_in_plain_numbers(least: float, most: float) -> None:
    memory = np.array([least, most], dtype=np.float64)
    curve = Curve(
        name="kn-ahead",
        normalised_memory=memory,
        cold_rate=np.array([0.01, 0.0]),
        labels=("cheap", "dear"),
        line=True,
    )
    told = re.findall(r"<text[^>]*>([^<]*)</text>", draw_curves((curve,), {"kn-ahead": "#000000"}))
    assert not [text for text in told if "math" in text]
    assert len([text for text in told if re.fullmatch(r"\d+", text)]) >= 3


@pytest.mark.parametrize("narrow", [False, True], ids=["wide", "narrow"])
@pytest.mark.parametrize("hours", [0.02, 0.5, 3, 30, 47, 49, 72, 119, 121, 500, 2_000, 9_000])
def test_times_over_any_range_have_ticks(hours: float, narrow: bool) -> None:
    """Where no interval suits a range, matplotlib warns, which is an error here."""
    ones = np.ones(12)
    timeline = Timeline(
        service="shop/cart",
        start_s=1.7e9,
        step_s=hours * 300,
        peak=ones,
        band=(),
        pods=(("kn-ahead", ones),),
        cold=(),
    )
    told = re.findall(
        r"<text[^>]*>([^<]*)</text>",
        draw_timeline(timeline, {"kn-ahead": "#000000"}, narrow=narrow),
    )
    assert len([text for text in told if re.search(r"\d", text)]) >= 3
