"""A dearer price buys fewer cold calls: copies of the same services, at the same time.

Takes about an hour: five kinds of callers, each with a copy that no forecast may touch and copies
in mode full at four prices, a real Prometheus, and the learner as its manifest has it. It prints
what is paid: pod-seconds from creation to gone, for each cold call avoided from price to price.
"""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pytest

from autoscaler.core.types import FloatArray
from tests.cluster.conftest import NAMESPACE, Cluster, Deploy
from tests.cluster.learning import learner

LEARNING_S, MEASURED_S = 1_500.0, 1_800.0
TOTAL_S = LEARNING_S + MEASURED_S
PRICES = ("off", "20s", "60s", "200s", "600s")
APART_S = 7.0  # from one copy's calls to the next one's: starts of all at once would delay all
START_MS, WORK_MS, COLD_S = 2000, 200, 1.0


def timer(random: np.random.Generator) -> FloatArray:
    return np.arange(10.0, TOTAL_S, 75.0)


def rare(random: np.random.Generator) -> FloatArray:
    return np.cumsum(random.uniform(120.0, 240.0, int(TOTAL_S / 120)))


def day_and_night(random: np.random.Generator) -> FloatArray:
    """Of four minutes: up to one call in two seconds by day, none by night."""
    at = np.sort(random.uniform(0, TOTAL_S, random.poisson(0.5 * TOTAL_S)))
    return at[random.random(len(at)) < np.maximum(np.sin(2 * np.pi * at / 240.0), 0.0)]


def at_random(random: np.random.Generator) -> FloatArray:
    return np.cumsum(random.exponential(100.0, int(2 * TOTAL_S / 100)))


def chain(random: np.random.Generator) -> FloatArray:
    return np.cumsum(random.uniform(90.0, 200.0, int(TOTAL_S / 90)))


KINDS: dict[str, Callable[[np.random.Generator], FloatArray]] = {
    "timer": timer, "rare": rare, "daynight": day_and_night, "random": at_random, "chain": chain,
}  # fmt: skip


@dataclass
class Measured:
    """Of each revision, in the second part."""

    cold: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    pod_s: Counter[str] = field(default_factory=Counter)


@pytest.fixture(scope="module")
def learning(cluster: Cluster) -> Iterator[None]:
    """Prometheus and a learner."""
    with learner(cluster, refit="5m"):
        yield


def test_a_dearer_price_buys_fewer_cold_calls(
    cluster: Cluster, deploy: Deploy, learning: None
) -> None:
    copies = {kind: [copy_of(deploy, kind, price) for price in PRICES] for kind in KINDS}
    measured = driven(cluster, copies)
    assert not measured.failed
    cold, pod_s = (
        np.array(
            [
                [sum(counts[one] for one in parts_of(kind, copies[kind][i])) for kind in KINDS]
                for i in range(len(PRICES))
            ],
            dtype=np.float64,
        )
        for counts in (measured.cold, measured.pod_s)
    )
    show(cold, pod_s, [measured.calls[copies[kind][0]] for kind in KINDS])
    total = cold.sum(axis=1)
    assert total[0] > total[1] >= total[-1]
    assert pod_s[-1].sum() > pod_s[1].sum()


def copy_of(deploy: Deploy, kind: str, price: str) -> str:
    """Its revision; that of a chain's head calls a second one."""
    ours = {"mode": "off"} if price == "off" else {"mode": "full", "cold-price": price}
    name = f"e2e-{kind}-{price}"
    tail = deploy(f"{name}-tail", start_ms=START_MS, ours=ours) if kind == "chain" else ""
    return deploy(name, start_ms=START_MS, ours=ours, calls=tail)


def parts_of(kind: str, revision: str) -> list[str]:
    """All revisions of a copy."""
    tail = revision.removesuffix("-00001") + "-tail-00001"
    return [revision, tail] if kind == "chain" else [revision]


def driven(cluster: Cluster, copies: dict[str, list[str]]) -> Measured:
    """Call all at their times, and count in the second part."""
    due = sorted(
        (at + i * APART_S, revision)
        for (kind, revisions), seed in zip(copies.items(), itertools.count())
        for i, revision in enumerate(revisions)
        for at in KINDS[kind](np.random.default_rng(seed)).tolist()
        if at + i * APART_S < TOTAL_S
    )
    measured, over = Measured(), threading.Event()
    begin = time.monotonic()  # noqa: TID251
    counting = threading.Thread(target=count_pods, args=(cluster, measured, begin, over))
    counting.start()

    def call(revision: str, counts: bool) -> None:
        status, _, took = cluster.call(revision, WORK_MS)
        if counts:
            measured.calls[revision] += 1
            measured.cold[revision] += took > COLD_S
            measured.failed[revision] += status != 200

    with ThreadPoolExecutor(64) as pool:
        for at, revision in due:
            time.sleep(max(0.0, begin + at - time.monotonic()))  # noqa: TID251
            pool.submit(call, revision, at >= LEARNING_S)
    over.set()
    counting.join()
    measured.failed += Counter()  # without those that are 0
    return measured


def count_pods(cluster: Cluster, measured: Measured, begin: float, over: threading.Event) -> None:
    """Pods of each revision, every second, those on their way out as well."""
    then = begin + LEARNING_S
    while not over.wait(1.0):
        now = time.monotonic()  # noqa: TID251
        if now < begin + LEARNING_S:
            continue
        found = cluster.core.list_namespaced_pod(NAMESPACE)
        for pod in found.items:
            revision = (pod.metadata.labels or {}).get("serving.knative.dev/revision", "")
            measured.pod_s[revision] += now - then  # type: ignore[assignment]
        then = now


def show(cold: FloatArray, pod_s: FloatArray, calls: list[int]) -> None:
    """Print what each price missed and cost, by kind and in total, and what was paid for less."""
    print(
        f"{'':10}" + "".join(f"{kind:>18}" for kind in (*KINDS, "all")) + "   paid for each avoided"
    )
    print(f"{'calls':10}" + "".join(f"{n:18,}" for n in (*calls, sum(calls))))
    for i, price in enumerate(PRICES):
        cells = [f"{c:.0f} at {s:,.0f}" for c, s in zip(cold[i], pod_s[i], strict=True)]
        cells.append(f"{cold[i].sum():.0f} at {pod_s[i].sum():,.0f}")
        fewer = cold[i - 1].sum() - cold[i].sum() if i else 0.0
        paid = f"{(pod_s[i].sum() - pod_s[i - 1].sum()) / fewer:.0f} s" if fewer > 0 else ""
        print(f"{price:10}" + "".join(f"{cell:>18}" for cell in cells) + f"   {paid}")
