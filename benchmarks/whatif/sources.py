"""How exact is a what-if by each source? The same requests, read from each exporter of them.

A made fleet is exported as each would have under Knative (who came to no pod waits for it; scrapes
come once a minute, each in its own second), into one real Prometheus, and each is read and
simulated as `kn-ahead whatif` does. Beside them stand a replay of the requests' own counts by the
minute, which is what errors are of, and another one whose arrivals within minutes are drawn anew,
as errors of that size mean nothing.
"""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from socket import create_server
from typing import Annotated

import numpy as np
import typer
from rich.console import Console

from autoscaler.cli.options import one_line_errors
from autoscaler.core.types import FloatArray
from autoscaler.files import whole_file
from benchmarks.policies.policies import FULL, KPA, priced
from benchmarks.replay import Replay, ReplaySettings
from benchmarks.report.page import Section
from benchmarks.report.screen import Screen
from benchmarks.scores.score import PolicyScore
from benchmarks.simulator.arrivals import Requests
from benchmarks.traces.trace import Trace
from benchmarks.whatif.accuracy import AGAIN, COMMAND, MEASURED, Accuracy
from benchmarks.whatif.exporters import ELSEWHERE, GENERATIONS
from benchmarks.whatif.exposition import GONE_S, START_S, backfill_requests
from benchmarks.whatif.made_fleet import made_fleet
from benchmarks.whatif.past import DAY_S, read_past
from benchmarks.whatif.run import with_prior
from learner.settings import LearnerSettings
from learner.sources.counters import Grid
from learner.sources.presets import OwnQueries
from learner.sources.queries import MAX_POINTS, PrometheusServer
from learner.sources.request_reader import POINTS

STEP_S, START_UP_S, SCORED_DAYS = 60, 5.0, 1.0
LEARNER = LearnerSettings(max_rows=10_000, rounds=60)
QUEUE_PROXIES = {"knative": GENERATIONS["1.23"], "knative-legacy": GENERATIONS["1.18"]}
OWN = OwnQueries(
    requests="sum by (namespace, app) (rate(http_requests_total[2m]))",
    duration="sum by (namespace, app) (rate(http_request_seconds_sum[1h]))"
    " / sum by (namespace, app) (rate(http_requests_total[1h]))",
    labels=("namespace", "app"),
)
COLUMNS = ("source", "cold, Knative", "cold, kn-ahead", "pod-h, Knative", "pod-h, kn-ahead")

Figures = tuple[int, int, float, float]  # cold requests and pod-hours, as COLUMNS names them


def measure(n_services: int, days: float, screen: Screen) -> dict[str, Accuracy]:
    """Of each source, and of a replay that is drawn again."""
    names, made = made_fleet(n_services, days)
    requests = replace(made, arrival_s=made.arrival_s + START_S)
    trace = counted_by_minute(names, requests, days)
    direct, again = (_figures(trace, days, seed) for seed in (0, 1))
    screen.print(f"A replay of the requests themselves: {_shown(direct)}")
    found = {AGAIN: _errors(again, direct)}
    with tempfile.TemporaryDirectory() as folder:
        _export(names, requests, Path(folder))
        with _prometheus(Path(folder)) as url:
            for source in (*QUEUE_PROXIES, *ELSEWHERE):
                figures = _figures(_read(url, source, days), days, seed=0)
                screen.print(f"{source or 'own query'}: {_shown(figures)}")
                found[source] = _errors(figures, direct)
    return found


def waits_of(requests: Requests) -> FloatArray:
    """(n_requests,) s for a pod, under Knative: of those that come while the first one starts."""
    waits = np.zeros(len(requests.arrival_s))
    for begin, end in pairwise(requests.offset.tolist()):
        at = requests.arrival_s[begin:end]
        if not len(at):
            continue
        first = np.diff(at, prepend=-np.inf) > GONE_S
        started_s = at[np.maximum.accumulate(np.where(first, np.arange(len(at)), 0))] + START_UP_S
        waits[begin:end] = np.maximum(started_s - at, 0.0)
    return waits


def counted_by_minute(names: tuple[str, ...], requests: Requests, days: float) -> Trace:
    """By the minute in which they came."""
    minutes = round(days * DAY_S / STEP_S)
    counts, took_s = np.zeros((2, len(names), minutes))
    for row, (a, b) in enumerate(pairwise(requests.offset)):
        at = ((requests.arrival_s[a:b] - START_S) // STEP_S).astype(np.int64)
        counts[row] = np.bincount(at, minlength=minutes)
        took_s[row] = np.bincount(at, requests.service_s[a:b], minlength=minutes)
    return Trace(
        services=names,
        start_s=START_S,
        step_s=float(STEP_S),
        counts=counts,
        duration_s=np.divide(took_s, counts, out=np.full_like(counts, np.nan), where=counts > 0),
        kind="counts",
    )


def _export(names: tuple[str, ...], requests: Requests, folder: Path) -> None:
    """Pods time requests from when they are there, everybody else from when they came."""
    waits = waits_of(requests)
    at_pods = replace(requests, arrival_s=requests.arrival_s + waits)
    before = replace(requests, service_s=requests.service_s + waits)
    for seed, (name, exporter) in enumerate((QUEUE_PROXIES | ELSEWHERE).items()):
        seen = at_pods if exporter.at_pods else before
        if name == "kn-ahead":  # counts what comes, not what ends
            seen = replace(requests, service_s=np.full(len(waits), 1e-3))
        backfill_requests(names, seen, exporter, folder / "data", np.random.default_rng(seed))


def _read(url: str, source: str, days: float) -> Trace:
    server = PrometheusServer(url, points=(POINTS, MAX_POINTS), attempts=8)
    grid = Grid(start_s=int(START_S), step_s=STEP_S, n_points=round(days * DAY_S / STEP_S) + 1)
    return read_past(server, grid, source or OWN, lambda *_: None).trace()


def _figures(trace: Trace, days: float, seed: int) -> Figures:
    settings = ReplaySettings(
        fit_until_s=START_S + (days - SCORED_DAYS) * DAY_S,
        step_s=float(STEP_S),
        start_up_s=START_UP_S,
        concurrency=0,
        swept=(),
        seed=seed,
        learner=LEARNER,
    )
    replay = Replay(trace, settings)
    replay.fit(model=with_prior(settings))
    scores = {each.policy: each for each in replay.run()}
    now, ahead = scores[KPA], scores[priced(FULL, settings.price_s)]
    return now.total.cold_requests, ahead.total.cold_requests, _hours(now), _hours(ahead)


def _hours(score: PolicyScore) -> float:
    return score.total.allocated_pod_s / 3600


def _errors(figures: Figures, direct: Figures) -> Accuracy:
    errors = [round(one / other - 1, 4) for one, other in zip(figures, direct, strict=True)]
    return Accuracy(
        cold_now=errors[0], cold_ahead=errors[1], pods_now=errors[2], pods_ahead=errors[3]
    )


def _shown(figures: Figures) -> str:
    cold, ahead, hours, hours_ahead = figures
    return (
        f"{cold:,} cold under Knative on {hours:,.1f} pod-hours, {ahead:,} under kn-ahead on"
        f" {hours_ahead:,.1f}"
    )


@contextmanager
def _prometheus(folder: Path) -> Iterator[str]:
    """Serves the data in a folder; yields its address."""
    with create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    (folder / "prometheus.yml").write_text("")
    command = ["prometheus", f"--config.file={folder / 'prometheus.yml'}", "--log.level=error"]
    command += [f"--storage.tsdb.path={folder / 'data'}", "--storage.tsdb.retention.time=100y"]
    with subprocess.Popen([*command, f"--web.listen-address={address}"]) as it:  # noqa: S603 - ours
        try:
            yield f"http://{address}"
        finally:
            it.terminate()


def table(found: dict[str, Accuracy]) -> Section:
    """Errors by source."""
    rows = [
        (name or "own query", *(f"{error:+.1%}" for error in asdict(each).values()))
        for name, each in found.items()
    ]
    return Section("Errors by source", COLUMNS, tuple(rows))


def main(
    services: Annotated[int, typer.Option(min=1)] = 30,
    days: Annotated[float, typer.Option(min=1.5)] = 3.0,
    output: Annotated[Path, typer.Option(help="What reports quote.")] = MEASURED,
) -> None:
    """Measure how far a what-if is off by each source of its requests."""
    with one_line_errors():
        screen = Screen(Console())
        found = measure(services, days, screen)
        screen.print_table(table(found))
        kept = {
            "made_by": f"{COMMAND} --services {services} --days {days:g}",
            "sources": {name: asdict(each) for name, each in found.items()},
        }
        with whole_file(output) as file:
            file.write(f"{json.dumps(kept, indent=1)}\n".encode())


if __name__ == "__main__":
    typer.run(main)
