"""The learner's search without one of its parts: what each of them buys."""

from collections.abc import Callable
from dataclasses import replace

from autoscaler.core.prediction.dependencies import Edges
from benchmarks.dependencies.baselines import Past
from learner.dependencies.starts.edges import edges_from_starts
from learner.dependencies.starts.evidence import gather


def as_it_is(past: Past) -> Edges:
    """The whole search."""
    return edges_from_starts(past.evidence)


def without_ends(past: Past) -> Edges:
    """Without the ends of busy periods: a service is idle a minute after its start."""
    return edges_from_starts(gather(replace(past.busy, end_s=past.busy.start_s)))


ABLATIONS: dict[str, Callable[[Past], Edges]] = {
    "the learner": as_it_is,
    "- ends of busy periods": without_ends,
}
