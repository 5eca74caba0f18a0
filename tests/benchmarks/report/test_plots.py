import re

import numpy as np
import pytest

from benchmarks.report.figures import Curve
from benchmarks.report.plots import draw_curves


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
