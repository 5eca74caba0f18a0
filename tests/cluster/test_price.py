"""A dearer price buys fewer cold requests: copies of the same services, at the same time.

Takes about an hour: the live benchmark with five kinds of traffic, under Knative's rule and in mode
full at four prices. It prints what is paid.
"""

import asyncio

from rich.console import Console

from benchmarks.live.copies import Span
from benchmarks.live.kinds import kinds_of
from benchmarks.live.learning import Learning
from benchmarks.live.outcome import Outcome
from benchmarks.live.policies import policies_of
from benchmarks.live.run import Asked, run
from benchmarks.live.scores import scores
from benchmarks.live.tables import Found, sections
from benchmarks.report.screen import Screen
from tests.cluster.conftest import DOMAIN, IMAGE, NAMESPACE
from tests.cluster.learning import PROMETHEUS_IMAGE

ASKED = Asked(
    context="",
    kubeconfig=None,
    namespace=NAMESPACE,
    image=IMAGE,
    prometheus_image=PROMETHEUS_IMAGE,
    kinds=kinds_of(("timer", "rare", "daynight", "poisson", "chain")),
    policies=policies_of(("full@20s", "full@60s", "full@200s", "full@600s")),
    span=Span(learning_s=1500.0, round_s=300.0, rounds=6),
    seed=0,
    learning=Learning(),
    ingress="",
    domain=DOMAIN,
)


def test_a_dearer_price_buys_fewer_cold_requests() -> None:
    screen = Screen(Console(width=100))
    with screen.progress() as progress:
        found = Found.of(asyncio.run(run(ASKED, progress)))
    for section in sections(found):
        screen.print_table(section)
    knative, cheapest, *_, dearest = scores(found.counts, found.counts.kinds)
    for score in (knative, cheapest, dearest):
        assert score.outcomes[Outcome.FAILED] == score.outcomes[Outcome.TIMED_OUT] == 0
    assert knative.cold > cheapest.cold >= dearest.cold
    assert dearest.pod_s > cheapest.pod_s
