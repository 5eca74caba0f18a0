"""Pods that a real Prometheus did not see, though they were there."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from autoscaler.core.types import BoolArray
from benchmarks.traces.openmetrics import make_blocks
from learner.sources import presence_reader
from learner.sources.counters import Grid
from learner.sources.presence_reader import UNSEEN_S, Presence, PresenceReader
from learner.sources.presets import BY_NAME
from learner.sources.queries import PrometheusServer
from tests.conftest import prometheus_server

START_S, STEP_S, HOUR = 1_612_051_200, 60, 60
HOURS = 8
GRID = Grid(start_s=START_S, step_s=STEP_S, n_points=HOURS * HOUR + 1)
ALL = range(HOURS * HOUR)
Minutes = Sequence[int]  # in the middle of which it was scraped
Read = Callable[..., Presence]


@pytest.fixture
def read(tmp_path: Path) -> Iterator[Read]:
    """Call it with a preset's name and series: what a real Prometheus shows of them."""
    with contextlib.ExitStack() as stack:

        def start(preset: str, series: Mapping[str, Minutes]) -> Presence:
            lines = [
                f"{name} 1 {START_S + STEP_S * minute + 30}"
                for name, minutes in series.items()
                for minute in minutes
            ]
            text = tmp_path / "series.om"
            text.write_text("\n".join([*lines, "# EOF\n"]))
            make_blocks(text, tmp_path / "data")
            url = stack.enter_context(prometheus_server(tmp_path))
            shares: list[float] = []
            reader = PresenceReader(PrometheusServer(url))
            found = reader.read(BY_NAME[preset], GRID, shares.append)
            assert shares == sorted(shares)
            assert shares[-1] == 1
            return found

        yield start


def info(service: str, pod: str = "a", **more: str) -> str:
    labels = {"k8s_namespace_name": "shop", "kn_service_name": service, "pod": f"{service}-{pod}"}
    return named("target_info", labels | more)


def legacy(service: str, pod: str = "a") -> str:
    labels = {"namespace_name": "shop", "service_name": service, "pod_name": f"{service}-{pod}"}
    return named("revision_app_request_count", labels)


def ready(service: str) -> str:
    return named(
        "kn_revision_pods_count", {"k8s_namespace_name": "shop", "kn_service_name": service}
    )


def named(metric: str, labels: Mapping[str, str]) -> str:
    pairs = ",".join(f'{name}="{value}"' for name, value in labels.items())
    return f"{metric}{{{pairs}}}"


def minutes(missed: BoolArray) -> tuple[int, int, int]:
    """How many were missed, the first of them, and the last."""
    (at,) = np.nonzero(missed)
    return len(at), int(at[0]), int(at[-1])


@pytest.mark.parametrize("pods", [2, presence_reader.PODS_AT_ONCE])
@pytest.mark.parametrize(("preset", "series"), [("knative", info), ("knative-legacy", legacy)])
def test_a_pod_whose_series_go_on_was_there_meanwhile(
    read: Read,
    preset: str,
    series: Callable[..., str],
    pods: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(presence_reader, "PODS_AT_ONCE", pods)
    hole = range(2 * HOUR, 6 * HOUR)
    found = read(
        preset,
        {
            series("cart"): [minute for minute in ALL if minute not in hole],
            series("always"): ALL,
            # Pods that come and go: it went to zero.
            series("idle", "a"): range(HOUR),
            series("idle", "b"): range(6 * HOUR, 7 * HOUR),
            # Who is missed for some minutes is counted all the same.
            series("short"): [minute for minute in ALL if minute not in range(70, 80)],
        },
    )
    assert found.seen == {f"shop/{name}" for name in ("cart", "always", "idle", "short")}
    assert found.silent == frozenset()
    assert found.missed.keys() == {"shop/cart"}
    # And as long after it, for what was counted in it.
    after = UNSEEN_S // STEP_S
    assert minutes(found.missed["shop/cart"]) == (4 * HOUR + after, 2 * HOUR, 6 * HOUR + after - 1)


def test_a_pod_that_is_away_for_too_long_is_not_missed(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence_reader, "LONGEST_S", 2 * HOUR * STEP_S)
    found = read("knative", {info("cart"): [*range(2 * HOUR), *range(6 * HOUR, 8 * HOUR)]})
    assert found.missed == {}


def test_two_servers_that_scrape_the_same_miss_only_what_both_miss(read: Read) -> None:
    one, other = (info("cart", prometheus_replica=replica) for replica in "ab")
    found = read("knative", {one: [*range(100), *range(300, 480)], other: range(90, 310)})
    assert found.missed == {}


def test_knative_s_autoscaler_knows_who_had_pods(read: Read) -> None:
    found = read(
        "knative",
        {
            info("cart"): range(2 * HOUR),
            ready("cart"): ALL,
            info("always"): ALL,
            ready("always"): ALL,
            info("idle"): range(HOUR),
            ready("silent"): ALL,
        },
    )
    assert found.silent == {"shop/silent"}
    assert found.missed.keys() == {"shop/cart"}
    assert minutes(found.missed["shop/cart"]) == (6 * HOUR, 2 * HOUR, HOURS * HOUR - 1)
