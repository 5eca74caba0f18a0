"""How much memory what is kept of a cluster's objects takes, and how long taking it in does.

    python -m benchmarks.controller.mirror --revisions 10000 --pods 1000

Every revision has a PodAutoscaler, a ServerlessService and a Deployment; the pods are spread over
them. They come as pages of a list, as from an API server, and are kept as the caches and the counts
of pods do.
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

from benchmarks.controller.made_objects import (
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
class Kept:
    """What one kind took."""

    kind: str
    objects: int
    text_bytes: int  # of an object, on average
    seconds: float  # to read and keep all
    mb: float  # that stay


def measure(revisions: int, pods: int, *, memory: bool = True) -> list[Kept]:
    """Keep everything of so many revisions. memory: what stays is measured, which is slow."""
    counts = Pods()
    kinds: tuple[tuple[str, int, Callable[[int], Object], Callable[[Object], Any]], ...] = (
        ("ServerlessServices", revisions, a_serverlessservice, serverlessservice),
        ("Deployments", revisions, a_deployment, deployment),
        ("Pods", pods, a_pod, pod),
        ("PodAutoscalers", revisions, a_podautoscaler, podautoscaler),
    )
    held: list[dict[str, Any]] = []  # all of it, until the last was measured
    found = []
    if memory:
        tracemalloc.start()
    try:
        for kind, n, made, parse in kinds:
            before = tracemalloc.get_traced_memory()[0] if memory else 0
            kept: dict[str, Any] = {}
            held.append(kept)
            seconds, text = 0.0, 0
            for at in range(0, n, PAGE):
                page = Page.of([made(i) for i in range(at, min(at + PAGE, n))], "1")
                text += len(json.dumps(made(at), separators=(",", ":")))
                begin = time.process_time()
                for item in page.items():
                    meta = item["metadata"]
                    key = f"{meta['namespace']}/{meta['name']}"
                    kept[key] = parse(item)
                    if kind == "Pods":
                        counts.put(key, kept[key])
                seconds += time.process_time() - begin
            del page, item
            gc.collect()
            after = tracemalloc.get_traced_memory()[0] if memory else 0
            found.append(
                Kept(
                    kind=kind,
                    objects=n,
                    text_bytes=text // -(-n // PAGE),
                    seconds=seconds,
                    mb=(after - before) / 1e6,
                )
            )
    finally:
        tracemalloc.stop()
    return found


def main(
    revisions: Annotated[int, typer.Option(min=1)] = 10_000,
    pods: Annotated[int, typer.Option(min=1)] = 1_000,
) -> None:
    """Print what keeping them takes; the times are of a second run, without the measuring."""
    table = Table("kind", "objects", "kB each, as text", "ms", "MB kept", "kB each, kept")
    kept, timed = measure(revisions, pods), measure(revisions, pods, memory=False)
    for one, run in zip(kept, timed, strict=True):
        table.add_row(
            one.kind,
            f"{one.objects:,}",
            f"{one.text_bytes / 1e3:.1f}",
            f"{run.seconds * 1e3:,.0f}",
            f"{one.mb:.1f}",
            f"{one.mb * 1e3 / one.objects:.2f}",
        )
    Console().print(table)
    Console().print(f"{sum(one.mb for one in kept):.1f} MB in all")


if __name__ == "__main__":
    typer.run(main)
