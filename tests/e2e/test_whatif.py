"""`kn-ahead whatif` on a real Prometheus, against a replay of the same traffic."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from autoscaler.cli.main import app
from benchmarks.policies.policies import KPA
from benchmarks.simulator.arrivals import Requests
from benchmarks.whatif.exposition import GENERATIONS, START_S, backfill_requests
from benchmarks.whatif.made_fleet import made_fleet
from tests.conftest import prometheus_server

DAYS = 1.0
END = datetime.fromtimestamp(START_S + DAYS * 86_400, UTC).isoformat()


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Ten made services over a day, as Knative 1.23 exports them."""
    folder = tmp_path_factory.mktemp("prometheus")
    names, made = made_fleet(10, DAYS)
    moved = Requests(
        arrival_s=made.arrival_s + START_S, service_s=made.service_s, offset=made.offset
    )
    backfill_requests(names, moved, GENERATIONS["1.23"], folder / "data")
    with prometheus_server(folder) as url:
        yield url


def whatif(url: str, folder: Path, *more: str) -> Result:
    given = {"prometheus": url, "history": "1d", "end": END, "score": "6h"}
    given |= {"fit-rows": "2000", "fit-rounds": "10"}
    given |= {"report": str(folder / "report.html"), "json": str(folder / "scores.json")}
    options = [word for name, value in given.items() for word in (f"--{name}", value)]
    return CliRunner().invoke(app, ["whatif", *options, *more])


def test_the_answer_is_given_in_words_and_figures_and_files(
    prometheus: str, tmp_path: Path
) -> None:
    result = whatif(prometheus, tmp_path)
    assert result.exit_code == 0, result.output
    for part in (
        "10 services, ",
        "counted by queue-proxies of Knative 1.19 or newer (--source knative)",
        "Not known: requests between a pod's last scrape and its end",
        "would have served",
        "Assumed of every service",
    ):
        assert part in result.stdout
    page = (tmp_path / "report.html").read_text()
    assert "would have served" in page
    assert "shop/regular-001" in page
    scores = {
        policy["policy"]: policy["total"]
        for policy in json.loads((tmp_path / "scores.json").read_text())["policies"]
    }
    ours = scores["kn-ahead full @ 600 s"]["cold_requests"]
    assert 0 < ours < scores[KPA]["cold_requests"]


def test_queries_of_ones_own_find_what_the_presets_do(prometheus: str, tmp_path: Path) -> None:
    rate = "rate(kn_serving_invocation_duration_seconds_count[3m])"
    own = f"sum by (namespace, container) ({rate})"
    labels = "namespace,container"
    result = whatif(prometheus, tmp_path, "--requests", own, "--labels", labels)
    assert result.exit_code == 0, result.output
    assert "counted by your own query" in result.stdout


@pytest.mark.parametrize(
    ("more", "part"),
    [
        (("--source", "nginx"), "source is 'nginx'; allowed: auto, kn-ahead, knative"),
        (("--source", "istio"), "none of istio_requests_total; none is near"),
        (("--history", "6h"), "hours of requests, counted by queue-proxies of Knative 1.19"),
        (("--end", "2020-01-01"), "has 0 metrics, and none of kn_ahead_requests_total"),
        (("--end", "2999-01-01"), "allowed: a time after 1970 that is over"),
        (("--duration", "up"), "duration is given without requests"),
        (("--requests", "up", "--labels", "job"), "labels is 'job'; allowed: two"),
        (("--requests", "up"), "no series of up names a service by namespace and service"),
        (("--requests", "rate("), "400"),
        (("--step", "0.5"), "step is 0.5; allowed: whole seconds >= 1"),
        (("--prometheus", "http://127.0.0.1:9"), "cannot be reached: [Errno 111]"),
    ],
)
def test_what_cannot_be_is_one_line_and_nothing_is_written(
    prometheus: str, tmp_path: Path, more: tuple[str, ...], part: str
) -> None:
    result = whatif(prometheus, tmp_path, *more)
    assert result.exit_code == 2
    assert part in result.stderr
    assert result.stderr.startswith("kn-ahead: ")
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())
