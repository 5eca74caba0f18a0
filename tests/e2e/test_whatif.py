"""`kn-ahead whatif` on a real Prometheus, against a replay of the same traffic."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from autoscaler.cli.main import app
from benchmarks.policies.policies import FULL, KPA
from benchmarks.replay import Replay, ReplaySettings
from benchmarks.whatif.exposition import START_S
from benchmarks.whatif.made_fleet import made_fleet
from benchmarks.whatif.run import with_prior
from benchmarks.whatif.sources import counted_by_minute
from learner.settings import LearnerSettings
from tests.e2e.made_prometheus import end_of, made_prometheus

DAYS = 1.0
END = end_of(DAYS)


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Ten made services over a day, as Knative 1.23 exports them."""
    folder = tmp_path_factory.mktemp("prometheus")
    with made_prometheus(folder, 10, DAYS) as url:
        yield url


def whatif(url: str, folder: Path, *more: str) -> Result:
    given = {"prometheus": url, "history": "1d", "end": END, "score": "6h"}
    given |= {"fit-rows": "2000", "fit-rounds": "10"}
    given |= {"report": str(folder / "report.html"), "json": str(folder / "scores.json")}
    options = [word for name, value in given.items() for word in (f"--{name}", value)]
    return CliRunner().invoke(app, ["whatif", *options, *more])


@pytest.fixture(scope="module")
def answer(prometheus: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    """What the command said, and the folder that it wrote into."""
    folder = tmp_path_factory.mktemp("answer")
    return whatif(prometheus, folder), folder


def policies(path: Path) -> dict[str, dict[str, Any]]:
    return {each["policy"]: each["total"] for each in json.loads(path.read_text())["policies"]}


def test_the_answer_is_given_in_words_and_figures_and_files(answer: tuple[Result, Path]) -> None:
    result, folder = answer
    assert result.exit_code == 0, result.output
    for part in (
        "10 services, ",
        "counted by queue-proxies of Knative 1.19 or newer (--source knative)",
        "Not known: requests between a pod's last scrape and its end",
        "would have served",
        "Assumed of every service",
        "Figures from this source were off by up to ",
    ):
        assert part in result.stdout
    page = (folder / "report.html").read_text()
    assert "would have served" in page
    assert "shop/regular-001" in page
    scores = policies(folder / "scores.json")
    ours = scores["kn-ahead full @ 600 s"]["cold_requests"]
    assert 0 < ours < scores[KPA]["cold_requests"]


def test_figures_are_those_of_a_replay_of_the_same_traffic(prometheus: str, tmp_path: Path) -> None:
    """But for minutes: requests are counted when they end, and when in a minute is drawn."""
    whatif(prometheus, tmp_path)
    read = policies(tmp_path / "scores.json")
    names, made = made_fleet(10, DAYS)
    moved = replace(made, arrival_s=made.arrival_s + START_S)
    settings = ReplaySettings(
        fit_until_s=START_S + (DAYS - 0.25) * 86_400,
        concurrency=0,
        swept=(FULL,),
        learner=LearnerSettings(max_rows=2000, rounds=10),
    )
    replay = Replay(counted_by_minute(names, moved, DAYS), settings)
    replay.fit(model=with_prior(settings))
    for score in replay.run():
        total = read[score.policy]
        assert total["requests"] == pytest.approx(score.total.requests, rel=0.02)
        assert total["allocated_pod_s"] == pytest.approx(score.total.allocated_pod_s, rel=0.05)
        cold = score.total.cold_requests
        assert total["cold_requests"] == pytest.approx(cold, rel=0.1, abs=10)


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
        (("--history", "12m"), "minutes of requests, counted by queue-proxies of Knative 1.19"),
        (("--end", "2020-01-01"), "has 0 metrics from 2019-12-31T00:00:00+00:00 to"),
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
