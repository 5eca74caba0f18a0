"""Memory that the mirrored objects of a cluster take, and the CPU time of reading them.

    python -m benchmarks.controller.mirror --revisions 10000 --pods 1000

Every revision has a PodAutoscaler, a ServerlessService and a Deployment; the pods are spread over
them. They are read as pages of a list, as from an API server, and stored as the caches and the pod
counts of the controller store them.
"""

import gc
import json
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.controller.fake_objects import (
    a_deployment,
    a_pod,
    a_podautoscaler,
    a_serverlessservice,
)
from knative.client.answers import Page
from knative.client.api import Object
from knative.mirror.objects import deployment, pod, podautoscaler, serverlessservice
from knative.mirror.pods import Pods

PAGE = 250  # objects


@dataclass(frozen=True, slots=True, kw_only=True)
class KindCost:
    """Cost of one kind of objects."""

    kind: str
    objects: int
    text_bytes: int  # of an object as JSON, on average
    seconds: float  # CPU time to read and store all
    mb: float  # that remain


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    name: str
    objects: int
    make: Callable[[int], Object]
    parse: Callable[[Object], Any]


def measure(revisions: int, pods: int, *, memory: bool = True) -> list[KindCost]:
    """Store all objects of so many revisions. memory: measure it, which is slow."""
    kinds = (
        _Kind(name="ServerlessServices", objects=revisions, make=a_serverlessservice,
              parse=serverlessservice),
        _Kind(name="Deployments", objects=revisions, make=a_deployment, parse=deployment),
        _Kind(name="Pods", objects=pods, make=a_pod, parse=pod),
        _Kind(name="PodAutoscalers", objects=revisions, make=a_podautoscaler, parse=podautoscaler),
    )  # fmt: skip
    stored: list[dict[str, Any]] = []  # held until the last kind was measured
    counts, costs = Pods(), []
    if memory:
        tracemalloc.start()
    try:
        for kind in kinds:
            before = _allocated()
            stored.append({})
            seconds, text_bytes = _store(kind, stored[-1], counts)
            gc.collect()
            costs.append(
                KindCost(
                    kind=kind.name,
                    objects=kind.objects,
                    text_bytes=text_bytes,
                    seconds=seconds,
                    mb=(_allocated() - before) / 1e6,
                )
            )
    finally:
        tracemalloc.stop()
    return costs


def _store(kind: _Kind, stored: dict[str, Any], counts: Pods) -> tuple[float, int]:
    """Read all objects of a kind page by page; CPU s, and mean bytes of an object as JSON."""
    seconds, text_bytes, n_pages = 0.0, 0, -(-kind.objects // PAGE)
    for at in range(0, kind.objects, PAGE):
        page = Page.of([kind.make(i) for i in range(at, min(at + PAGE, kind.objects))], "1")
        text_bytes += len(json.dumps(kind.make(at), separators=(",", ":")))
        begin = time.process_time()
        for item in page.items():
            meta = item["metadata"]
            key = f"{meta['namespace']}/{meta['name']}"
            stored[key] = kind.parse(item)
            if kind.name == "Pods":
                counts.put(key, stored[key])
        seconds += time.process_time() - begin
    return seconds, text_bytes // n_pages


def _allocated() -> int:
    """Bytes; 0 where memory is not traced."""
    return tracemalloc.get_traced_memory()[0]


def main(
    revisions: Annotated[int, typer.Option(min=1)] = 10_000,
    pods: Annotated[int, typer.Option(min=1)] = 1_000,
) -> None:
    """Print memory, and CPU times of a second run without tracing."""
    table = Table("kind", "objects", "JSON kB each", "CPU ms", "MB stored", "kB stored each")
    costs, timed = measure(revisions, pods), measure(revisions, pods, memory=False)
    for cost, run in zip(costs, timed, strict=True):
        table.add_row(
            cost.kind,
            f"{cost.objects:,}",
            f"{cost.text_bytes / 1e3:.1f}",
            f"{run.seconds * 1e3:,.0f}",
            f"{cost.mb:.1f}",
            f"{cost.mb * 1e3 / cost.objects:.2f}",
        )
    Console().print(table)
    Console().print(f"{sum(cost.mb for cost in costs):.1f} MB in all")


if __name__ == "__main__":
    typer.run(main)
