"""A bill holds under forecasts that are wrong on purpose, in what is wanted and in real pods.

Takes some seven minutes: a service that is called now and then, its copy under Knative's rule alone
that is called at the same time, and a service that nobody calls. Every few seconds other forecasts
ask for up to six pods of the first and the last, or for none.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from autoscaler.core.prediction.predictive import TICK_S
from tests.cluster.adversary import adversary
from tests.cluster.conftest import NAMESPACE, Cluster, Deploy

MAX_EXTRA, ALLOWANCE_S = 0.2, 200.0
CALLS, PERIOD_S, WORK_MS = 12, 25.0, 1500
SEED = 1
LOOK_S = 0.25
MOST_MISSED = 0.1  # of all ticks; what was wanted then is taken for what was wanted before
BY_KNATIVE = {"LAST_POD"}  # its scale-to-zero rule alone, whatever is asked for


@dataclass
class Watch:
    """What was wanted of a service tick by tick, and the pods that there were."""

    service: str
    ticks: dict[float, Any] = field(default_factory=dict)  # each decision by its Unix s
    pod_s: float = 0.0  # from pods' creation until they were gone

    def look(self, cluster: Cluster, seconds: float) -> None:
        self.pod_s += seconds * len(cluster.there(f"{self.service}-00001"))
        page = json.loads(cluster.page(f"/v1/decisions/{NAMESPACE}/{self.service}"))
        for made in page["revisions"]:
            self.ticks[datetime.fromisoformat(made["decided_at"]).timestamp()] = made

    def wanted(self) -> Iterator[tuple[int, int, int]]:
        """For each tick: pods, those of Knative's rule in the same state, and further ticks that
        were missed until the next one that was seen."""
        for at, after in pairwise(sorted(self.ticks)):
            made = self.ticks[at]
            pods, kpa = made["desired_scale"] or 0, made["candidates"]["kpa"] or 0
            kept = pods if made["reason"] in BY_KNATIVE else 0
            yield pods, max(kpa, kept), max(0, round((after - at) / TICK_S) - 1)

    def reasons(self) -> Counter[str]:
        return Counter(made["reason"] for made in self.ticks.values())


@contextmanager
def watched(cluster: Cluster, watches: list[Watch]) -> Iterator[None]:
    """Look all the time."""
    over = threading.Event()

    def look() -> None:
        former = time.monotonic()  # noqa: TID251
        while not over.wait(LOOK_S):
            now = time.monotonic()  # noqa: TID251
            for watch in watches:
                watch.look(cluster, now - former)
            former = now

    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(look)
        try:
            yield
        finally:
            over.set()
            looking.result()


def test_a_bill_holds_whatever_is_forecast(
    cluster: Cluster, deploy: Deploy, tmp_path: Path
) -> None:
    bill = {"mode": "outward", "max-extra": "20%", "extra-allowance": f"{ALLOWANCE_S:.0f}s"}
    called = deploy("e2e-called", concurrency=1, ours=bill, max_scale="6")
    copy = deploy("e2e-copy", concurrency=1, ours={"mode": "off"}, max_scale="6")
    never = deploy("e2e-never", concurrency=1, ours=bill, max_scale="6")

    def all_gone() -> bool:
        return not any(cluster.there(revision) for revision in (called, copy, never))

    cluster.until(all_gone, 200, "all at zero")
    watches = [Watch("e2e-called"), Watch("e2e-copy"), Watch("e2e-never")]
    with watched(cluster, watches):
        services = [f"{NAMESPACE}/{name}" for name in ("e2e-called", "e2e-never")]
        with adversary(cluster, services, tmp_path, seed=SEED), ThreadPoolExecutor(2) as pool:
            for _ in range(CALLS):
                time.sleep(PERIOD_S)  # calls come at their own times, whatever goes on meanwhile
                for status, _, _ in pool.map(cluster.call, (called, copy), (WORK_MS,) * 2):
                    assert status == 200
        cluster.until(all_gone, 200, "all at zero again")
    for watch in watches:
        shown(watch)
    for watch in (watches[0], watches[2]):
        obeys(watch)
    by_us, by_knative, by_nobody = (watch.pod_s for watch in watches)
    # An estimate: callers are not served at the same moments, and drains take what they take.
    assert by_us <= (1 + MAX_EXTRA) * by_knative + ALLOWANCE_S
    assert by_nobody <= ALLOWANCE_S
    # Nobody called it, so all that was ever wanted of it was ahead.
    assert sum(pods * (1 + missed) for pods, _, missed in watches[2].wanted()) <= (
        ALLOWANCE_S / TICK_S
    )


def obeys(watch: Watch) -> None:
    """No violation in any prefix; and the bill had something to do."""
    spent_s, violations, ticks, missed = 0.0, 0, 0, 0
    ahead = 0
    for pods, knative, more in watch.wanted():
        assert pods >= knative
        ticks, missed, ahead = ticks + 1 + more, missed + more, ahead + (pods > knative)
        spent_s += (pods - (1 + MAX_EXTRA) * knative) * TICK_S * (1 + more)
        violations += spent_s > ALLOWANCE_S
    print(f"{watch.service}: {violations} violations in {ticks} ticks, {missed} not seen")
    assert violations == 0
    assert missed <= MOST_MISSED * ticks
    assert ahead > 0
    assert watch.reasons()["BILL"] > 0


def shown(watch: Watch) -> None:
    """Print what was seen."""
    wanted = [(pods * (1 + more), knative * (1 + more)) for pods, knative, more in watch.wanted()]
    pods, knative = np.array(wanted).sum(axis=0) * TICK_S
    made = watch.ticks.values()
    undecided = sum(one["desired_scale"] is None for one in made)
    alone = sum(one["candidates"]["predicted"] is None for one in made)
    print(
        f"{watch.service}: wanted {pods:.0f} s of pod, Knative's rule {knative:.0f} s in the same "
        f"state; real pods {watch.pod_s:.0f} s; of {len(made)} ticks {undecided} without a "
        f"decision, {alone} without a forecast; {watch.reasons()}"
    )
