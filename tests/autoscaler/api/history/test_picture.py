"""What the picture of a service's past shows."""

import re
from datetime import UTC, datetime
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.advisor.history import KEPT_S, SAMPLE_S, SERIES, Past
from autoscaler.api.answers import WindowAnswer
from autoscaler.api.history.picture import NARROW, WIDE, Chart, Mark, draw

NOW_S = 1_772_442_000.0  # 2026-03-02T09:00:00Z
SIZES = pytest.mark.parametrize("width", [WIDE, NARROW])


def a_past(start_s: np.ndarray, **series: np.ndarray) -> Past:
    unknown = np.full(len(start_s), np.nan)
    return Past(start_s=start_s, **dict.fromkeys(SERIES, unknown) | series)


def a_chart(
    past: Past | None = None,
    *,
    marks: tuple[Mark, ...] = (),
    windows: tuple[WindowAnswer, ...] = (),
) -> Chart:
    past = a_past(np.zeros(0)) if past is None else past
    return Chart(
        now=NOW_S,
        span_s=KEPT_S,
        past=past,
        windows=windows,
        marks=marks,
        applied=True,
        all_marks_s=0.0,
    )


def a_mark(number: int, ago_s: float, *, ours: bool = True, text: str = "3 pods") -> Mark:
    return Mark(
        number=number, at_s=NOW_S - ago_s, ours=ours, up=True, billed=number == 2, text=text
    )


def drawn(chart: Chart, width: float = WIDE) -> ElementTree.Element:
    return ElementTree.fromstring(draw(chart, width))


def path(root: ElementTree.Element, kind: str) -> str:
    (found,) = (p for p in root.iter("path") if p.get("class") == kind)
    return found.get("d", "")


def labels(root: ElementTree.Element) -> list[str]:
    return [link.findtext("text", "") for link in root.iter("a")]


@SIZES
def test_without_a_past_there_is_a_frame(width: float) -> None:
    root = drawn(a_chart(), width)
    assert path(root, "peak") == ""
    assert "now" in [text.text for text in root.iter("text")]


def test_a_line_has_a_gap_where_nothing_is_known() -> None:
    start_s = NOW_S - SAMPLE_S * np.array([9.0, 8.0, 7.0, 2.0, 0.5])
    root = drawn(a_chart(a_past(start_s, peak=np.array([1, 1, 2, np.nan, 3]))))
    lines = path(root, "peak")
    assert lines.count("M") == 2
    assert lines.count("V") == 1  # equal values are one line
    ends = re.findall(r"H([\d.]+)", lines)
    assert ends[-1] == re.findall(r"M([\d.]+)", path(root, "now"))[0]  # the last one goes on


def test_the_forecast_ahead_is_to_the_right_of_now() -> None:
    begin, end = (datetime.fromtimestamp(NOW_S + s, UTC) for s in (60.0, 660.0))
    window = WindowAnswer(start=begin, end=end, probability_of_any=1, p50=2, p90=3, p95=4, p99=9)
    root = drawn(a_chart(windows=(window,)))
    now = float(re.findall(r"M([\d.]+)", path(root, "now"))[0])
    assert path(root, "band") == ""
    xs = [float(x) for x in re.findall(r"[MH]([\d.]+)", path(root, "band coming"))]
    assert min(xs) > now
    assert max(xs) == WIDE - 8.0
    assert "10" in [text.text for text in root.iter("text") if text.get("class") == "y"]


def test_each_policy_has_a_lane_and_each_mark_its_reason() -> None:
    marks = (a_mark(1, 60, text="<i>1 & 2</i>"), a_mark(2, 2000, ours=False))
    root = drawn(a_chart(marks=marks))
    assert labels(root) == ["1", "2"]
    kinds = [link.get("class") for link in root.iter("a")]
    assert kinds == ["mark of-ahead", "mark of-knative"]
    bills = [p.get("class") for p in root.iter("path") if "bill" in p.get("class", "")]
    assert bills == ["of-bill"]
    titles = [link.findtext("title", "").strip() for link in root.iter("a")]
    assert titles == ["1. <i>1 & 2</i>", "2. 3 pods"]


def test_marks_that_are_too_old_are_in_the_table_alone() -> None:
    past = a_past(np.array([NOW_S - SAMPLE_S]))
    assert labels(drawn(a_chart(past, marks=(a_mark(1, 2 * KEPT_S),)))) == []


@given(
    st.lists(st.floats(min_value=0.0, max_value=3600.0), max_size=60),
    st.sampled_from([WIDE, NARROW]),
)
def test_no_label_overlaps_another_and_none_is_lost(ago_s: list[float], width: float) -> None:
    marks = tuple(a_mark(i, at_s) for i, at_s in enumerate(sorted(ago_s), start=1))
    root = drawn(a_chart(marks=marks), width)
    boxes = [
        (float(box.get("x", 0)), float(box.get("width", 0)))
        for box in root.iter("rect")
        if box.get("class") == "area"
    ]
    assert all(x + w <= further + 1.2 for (x, w), (further, _) in pairwise(sorted(boxes)))
    assert sum(len(link.findall("path")) for link in root.iter("a")) == len(marks)
