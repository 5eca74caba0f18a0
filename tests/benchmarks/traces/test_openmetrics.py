import io
from pathlib import Path

import numpy as np
import pytest

from autoscaler.core.types import FloatArray
from autoscaler.errors import PermanentError
from benchmarks.traces.openmetrics import backfill, write_openmetrics
from learner.demand import Demand


def demand(
    arrivals: FloatArray,
    peak: FloatArray | None = None,
    *,
    services: tuple[str, ...] = ("shop/cart",),
    start_s: float = 600.0,
) -> Demand:
    return Demand(
        services=services,
        start_s=start_s,
        step_s=60.0,
        arrivals=arrivals,
        peak=arrivals if peak is None else peak,
        capacity=np.ones(len(arrivals)),
    )


def text_of(written: Demand) -> list[str]:
    file = io.StringIO()
    write_openmetrics(written, file)
    return file.getvalue().splitlines()


def test_counters_come_first_and_samples_stand_at_step_ends() -> None:
    written = demand(np.array([[2.0, 0.0, 3.0]]), np.array([[1.0, 0.0, 1.5]]))
    assert text_of(written) == [
        "# HELP kn_ahead_requests Requests that arrived.",
        "# TYPE kn_ahead_requests counter",
        'kn_ahead_requests_total{namespace="shop",service="cart"} 0.0 600.000',
        'kn_ahead_requests_total{namespace="shop",service="cart"} 2.0 660.000',
        'kn_ahead_requests_total{namespace="shop",service="cart"} 2.0 720.000',
        'kn_ahead_requests_total{namespace="shop",service="cart"} 5.0 780.000',
        "# HELP kn_ahead_peak_in_flight Greatest number of requests in flight in the last step.",
        "# TYPE kn_ahead_peak_in_flight gauge",
        'kn_ahead_peak_in_flight{namespace="shop",service="cart"} 1.0 660.000',
        'kn_ahead_peak_in_flight{namespace="shop",service="cart"} 0.0 720.000',
        'kn_ahead_peak_in_flight{namespace="shop",service="cart"} 1.5 780.000',
        "# HELP kn_ahead_pod_capacity Requests in flight that a pod takes.",
        "# TYPE kn_ahead_pod_capacity gauge",
        'kn_ahead_pod_capacity{namespace="shop",service="cart"} 1.0 660.000',
        'kn_ahead_pod_capacity{namespace="shop",service="cart"} 1.0 720.000',
        'kn_ahead_pod_capacity{namespace="shop",service="cart"} 1.0 780.000',
        "# EOF",
    ]


def test_gaps_are_left_out_and_the_counter_resumes_at_their_end() -> None:
    lines = text_of(demand(np.array([[2.0, np.nan, np.nan, 3.0, np.nan]])))
    counter = [line.split("} ")[1] for line in lines if line.startswith("kn_ahead_requests")]
    assert counter == ["0.0 600.000", "2.0 660.000", "2.0 780.000", "5.0 840.000"]
    gauge = [line.split("} ")[1] for line in lines if line.startswith("kn_ahead_peak")]
    assert gauge == ["2.0 660.000", "3.0 840.000"]


def test_names_are_escaped() -> None:
    lines = text_of(demand(np.zeros((1, 1)), services=('a"b/c\\d\ne/f',)))
    assert r'{namespace="a\"b",service="c\\d\ne/f"} 0.0 600.000' in lines[2]


@pytest.mark.parametrize("name", ["cart", "/cart", "shop/"])
def test_a_service_without_namespace_is_refused(name: str) -> None:
    with pytest.raises(PermanentError, match="allowed: namespace/service"):
        text_of(demand(np.zeros((1, 1)), services=(name,)))


def test_a_gap_in_one_series_only_is_refused() -> None:
    with pytest.raises(PermanentError, match=r"shop/cart has a gap in one .* at step 1; allowed"):
        text_of(demand(np.zeros((1, 2)), np.array([[0.0, np.nan]])))


def test_promtool_makes_one_block_for_each_54_hours(tmp_path: Path) -> None:
    arrivals = np.ones((2, 9 * 1440))
    arrivals[:, 2000:9000] = np.nan  # a whole block of nothing
    written = demand(arrivals, services=("shop/a", "shop/b"), start_s=86_400.0)
    backfill(written, tmp_path / "data")
    assert len(list((tmp_path / "data").iterdir())) == 4


def test_an_error_of_promtool_is_shown(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("no folder")
    with pytest.raises(PermanentError, match=r"promtool made no blocks in .*data: .+"):
        backfill(demand(np.ones((1, 5))), tmp_path / "data")
