"""Requests as an exporter would have exported them, backfilled into a Prometheus.

Pods come with the first call and go some time after the last one; their counters begin at their
first request; each is scraped now and then. Which pod serves a request is simplified: a service has
one pod at a time.

    python -m benchmarks.whatif.exposition DATA --services 300 --days 14 --generation 1.23

makes a Prometheus data folder of a made fleet: serve it with ``prometheus --storage.tsdb.path DATA
--storage.tsdb.retention.time 100y``.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, TextIO

import numpy as np
import typer

from autoscaler.cli.options import one_line_errors
from autoscaler.core.types import FloatArray
from benchmarks.simulator.arrivals import Requests
from benchmarks.traces.openmetrics import BLOCK_S, make_blocks
from benchmarks.whatif.exporters import GENERATIONS, Exporter
from benchmarks.whatif.made_fleet import made_fleet

SCRAPE_S = 60.0
GONE_S = 90.0  # after its last call ended: Knative's window, and its grace
NEVER_S = 1e12  # longer than any gap between calls
START_S = 1_790_000_000 // BLOCK_S * BLOCK_S  # Unix s of the made traffic's first moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """One pod of a service."""

    namespace: str
    service: str
    name: str
    scraped_s: FloatArray  # (k,) Unix s
    requests: FloatArray  # (k,) that had ended then, one at least
    seconds: FloatArray  # (k,) that they took


def backfill_requests(
    services: Sequence[str],
    requests: Requests,
    exporter: Exporter,
    data: Path,
    phases: np.random.Generator | None = None,
) -> None:
    """Into a Prometheus data folder. Raises PermanentError where promtool is missing or refuses.

    phases: draws when in its interval each is scraped; None = when whole minutes begin.
    """
    pods = list(pods_of(services, requests, phases, gone_s=GONE_S if exporter.at_pods else NEVER_S))
    end_s = max(float(pod.scraped_s[-1]) for pod in pods)
    first_s = min(float(pod.scraped_s[0]) for pod in pods)
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "pods.om"
        for begin_s in np.arange(first_s // BLOCK_S * BLOCK_S, end_s, BLOCK_S):
            with text.open("w", encoding="utf-8") as file:
                _write(pods, exporter, begin_s, begin_s + BLOCK_S, file)
            make_blocks(text, data)


def pods_of(
    services: Sequence[str],
    requests: Requests,
    phases: np.random.Generator | None = None,
    gone_s: float = GONE_S,
) -> Iterator[Pod]:
    """All pods, service by service.

    phases: as of `backfill_requests`. gone_s: after the last call.
    """
    end_s = float((requests.arrival_s + requests.service_s).max()) + GONE_S
    for name, (begin, end) in zip(services, pairwise(requests.offset), strict=True):
        namespace, _, service = name.partition("/")
        order = np.argsort(requests.arrival_s[begin:end] + requests.service_s[begin:end])
        took_s = requests.service_s[begin:end][order]
        ended_s = requests.arrival_s[begin:end][order] + took_s
        last = np.flatnonzero(np.diff(ended_s, append=np.inf) > gone_s)
        for number, (first, end_of) in enumerate(pairwise([0, *(last + 1).tolist()])):
            of_pod = slice(first, end_of)
            phase_s = phases.uniform(0, SCRAPE_S) if phases else 0.0
            begin_s = np.ceil((ended_s[first] - phase_s) / SCRAPE_S) * SCRAPE_S + phase_s
            gone_at_s = min(ended_s[end_of - 1] + gone_s, end_s)
            scraped_s = np.arange(begin_s, gone_at_s, SCRAPE_S)
            so_far = np.searchsorted(ended_s[of_pod], scraped_s, side="right")
            yield Pod(
                namespace=namespace,
                service=service,
                name=f"{service}-00001-deployment-{number:05}",
                scraped_s=scraped_s,
                requests=so_far.astype(np.float64),
                seconds=np.append(0.0, np.cumsum(took_s[of_pod]))[so_far],
            )


def _write(
    pods: Sequence[Pod], exporter: Exporter, begin_s: float, end_s: float, file: TextIO
) -> None:
    """The samples in [begin_s, end_s)."""
    within = [
        (pod, slice(*np.searchsorted(pod.scraped_s, (begin_s, end_s)).tolist())) for pod in pods
    ]
    within = [(pod, some) for pod, some in within if some.start < some.stop]
    g = exporter
    file.write(f"# TYPE {g.family} unknown\n")
    for name, values in ((g.requests, "requests"), (g.seconds, "seconds")):
        if not name:
            continue
        unit = g.unit_s if values == "seconds" else 1.0
        for pod, some in within:
            labels = g.labels(pod.namespace, pod.service, pod.name)
            numbers = getattr(pod, values)[some] / unit
            _lines(f"{name}{labels}", numbers, pod.scraped_s[some], file)
    if g.info:
        file.write("# TYPE target info\n")
        for pod, some in within:
            labels = g.info(pod.namespace, pod.service, pod.name)
            at_s = pod.scraped_s[some]
            _lines(f"target_info{labels}", np.ones(len(at_s)), at_s, file)
    file.write("# TYPE up gauge\n")
    at_s = np.arange(begin_s, min(end_s, max(pod.scraped_s[-1] for pod in pods) + 1), SCRAPE_S)
    _lines('up{job="prometheus",instance="localhost:9090"}', np.ones(len(at_s)), at_s, file)
    file.write("# EOF\n")


def _lines(series: str, values: FloatArray, at_s: FloatArray, file: TextIO) -> None:
    pairs = zip(values.tolist(), at_s.tolist(), strict=True)
    file.writelines(f"{series} {value!r} {at:.3f}\n" for value, at in pairs)


def main(
    data: Annotated[Path, typer.Argument(help="Prometheus data folder, made where it is missing.")],
    services: Annotated[int, typer.Option(min=1)] = 300,
    days: Annotated[float, typer.Option(min=0.1)] = 14.0,
    generation: Annotated[str, typer.Option(help=", ".join(GENERATIONS))] = "1.23",
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Make a Prometheus data folder of a made fleet."""
    with one_line_errors():
        names, requests = made_fleet(services, days, seed)
        shifted = Requests(
            arrival_s=requests.arrival_s + START_S,
            service_s=requests.service_s,
            offset=requests.offset,
        )
        backfill_requests(names, shifted, GENERATIONS[generation], data)
        typer.echo(
            f"{data.resolve()}: {len(names)} services, {len(requests.arrival_s):,} requests,"
            f" Unix s {START_S:.0f} to {START_S + days * 86_400:.0f}"
        )


if __name__ == "__main__":
    typer.run(main)
