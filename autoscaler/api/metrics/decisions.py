"""Decisions of each revision, and demand of each service: `kn_ahead_*`."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from autoscaler.api.metrics.labels import Labels
from autoscaler.api.metrics.text import Kind, Values, braced, family, head, pairs
from autoscaler.core.state.decision import Reason, reasons
from autoscaler.core.state.revision import UNDECIDED
from autoscaler.core.state.services import IDLE_S, LOAD_S, PARTS, PEAK_S, SHORT_PEAK_S
from autoscaler.core.types import BoolArray, FloatArray
from autoscaler.exchange.snapshot import Snapshot

START_UP = "kn_ahead_start_up_seconds"
DRAIN = "kn_ahead_drain_seconds"
CHANGES = "kn_ahead_changes_total"
COLD = "Requests that arrived while no pod was ready"
IN_FLIGHT = f"Mean of requests in flight over the last {PEAK_S} s"
PEAK = (
    "Requests in flight that pods had to be there for, the most of the last {} s: the average of a"
    f" second, or that of the {LOAD_S} s that end with it, whichever is less"
)
CAPACITY = "Requests in flight that a pod takes, of the revision with most of the traffic"
LEDGER_REQUESTS = "Requests that arrived in seconds that were counted for both policies"
_EACH = "under each policy: one was in force, the other is estimated; differences are for PromQL"
LEDGER = (  # column of an account, name, what it is
    ("cold", "cold_requests", f"{COLD}, {_EACH}"),
    ("cold_s", "cold_seconds", f"s that cold requests waited for a pod, {_EACH}"),
    ("pod_s", "pod_seconds", f"s of pod, from creation to gone, {_EACH}"),
    ("starts", "pod_starts", f"Pods that were created, {_EACH}"),
)
LAST_START = f"When a request came after {IDLE_S:g} s or more without one, the last time"
LAST_CALL = "When a request came, the last time"


def of_revisions(snapshot: Snapshot, labels: Labels) -> Iterator[str]:
    """Families with a sample a revision."""
    made = snapshot.decision
    decided = labels.named & (made.want != UNDECIDED)
    own = [braced(one) for one in labels.revision]
    for name, about, pods in (
        ("desired", "Pods wanted, after bounds", made.want),
        ("kpa", "Pods that Knative's own rule asks for", made.kpa),
        ("predicted", "Pods that the forecast asks for", made.predicted),
        ("anticipated", "Pods that calls of upstreams ask for", made.anticipated),
    ):
        yield family(f"kn_ahead_{name}_pods", "gauge", about, own, pods, decided & (pods >= 0))
    ready = snapshot.columns["observed_ready"]
    yield family("kn_ahead_ready_pods", "gauge", "Pods ready", own, ready, decided)
    about = "1 where its forecast is not applied, as the ledger shows that it loses"
    out = made.withdrawn
    yield family("kn_ahead_forecast_withdrawn", "gauge", about, own, out, decided)
    names = [f'reason="{reason.name}"' for reason in Reason]  # which count up from 0
    why = [
        f"{{{one},{names[reason]}}}"
        for one, reason in zip(labels.revision, reasons(made).tolist(), strict=True)
    ]
    yield family(
        "kn_ahead_decision_reason",
        "gauge",
        "1 for the rule that determined the answer",
        why,
        decided,
        decided,
    )


def of_services(snapshot: Snapshot, labels: Labels) -> Iterator[str]:
    """Families with a sample a service."""
    columns, named = snapshot.columns, labels.named_service
    last_start_s, last_call_s = columns["calls_last_start_s"], columns["calls_last_call_s"]
    own = [braced(one) for one in labels.service]
    families: tuple[tuple[str, Kind, str, Values, BoolArray], ...] = (
        ("requests_total", "counter", "Requests that arrived", columns["calls_requests"], named),
        ("cold_requests_total", "counter", COLD, columns["calls_cold"], named),
        ("in_flight", "gauge", IN_FLIGHT, columns["in_flight"], named),
        ("peak_in_flight", "gauge", PEAK.format(PEAK_S), columns["peak"], named),
        (
            "short_peak_in_flight",
            "gauge",
            PEAK.format(SHORT_PEAK_S),
            columns["short_peak"],
            named,
        ),
        ("pod_capacity", "gauge", CAPACITY, _pod_capacity(snapshot), named),
        # Never started or called is NaN, which compares False.
        (
            "last_start_timestamp_seconds",
            "gauge",
            LAST_START,
            last_start_s,
            named & (last_start_s > 0),
        ),
        ("last_call_timestamp_seconds", "gauge", LAST_CALL, last_call_s, named & (last_call_s > 0)),
    )
    for name, kind, about, values, known in families:
        yield family(f"kn_ahead_{name}", kind, about, own, values, known)
    yield from ledger(snapshot, labels)
    yield starts(snapshot, labels)
    yield drains(snapshot, labels)


def ledger(snapshot: Snapshot, labels: Labels) -> Iterator[str]:
    """What services cost under both policies.

    There is no metric of what was saved: it may fall, and a counter must not. In PromQL it is
    ``sum(increase(X{policy="knative"}[7d])) - sum(increase(X{policy="kn-ahead"}[7d]))``.
    """
    counted = LEDGER_REQUESTS, labels.service, snapshot.columns["account_requests"]
    yield _ledger_family("requests", *counted, np.asarray(labels.named_service))
    policies = (("knative", "knative"), ("ahead", "kn-ahead"))
    both = [f'{own},policy="{name}"' for _, name in policies for own in labels.service]
    named = np.tile(labels.named_service, len(policies))
    for column, name, about in LEDGER:
        values = [snapshot.columns[f"account_{policy}_{column}"] for policy, _ in policies]
        yield _ledger_family(name, about, both, np.concatenate(values), named)


def _ledger_family(
    name: str, about: str, labels: Sequence[str], values: Values, known: BoolArray
) -> str:
    own = [braced(one) for one in labels]
    return family(f"kn_ahead_ledger_{name}_total", "counter", about, own, values, known)


def _pod_capacity(snapshot: Snapshot) -> FloatArray:
    """(k,) of the services; NaN where none of its revisions is known."""
    columns, capacity = snapshot.columns, np.full(len(snapshot.service), np.nan)
    # Of two values for one place numpy keeps the last.
    order = np.lexsort((columns["spec_pod_capacity"], columns["spec_share"]))
    capacity[snapshot.service_of[order]] = columns["spec_pod_capacity"][order]
    return capacity


def starts(snapshot: Snapshot, labels: Labels) -> str:
    """How long pods took to start, by part of the start."""
    many, seconds = snapshot.columns["starts"], snapshot.columns["starts_s"]
    lines = [
        head(
            START_UP,
            "summary",
            "How long pods took until they were scheduled, from then until all containers ran, "
            "and from then until they were ready",
        )
    ]
    rows = np.flatnonzero(labels.named_service & (many > 0).any(axis=0))
    measured = zip(rows.tolist(), many.T[rows].tolist(), seconds.T[rows].tolist(), strict=True)
    for row, counts, sums in measured:
        for part, count, total in zip(PARTS, counts, sums, strict=True):
            if count:
                of = f'{{{labels.service[row]},part="{part}"}}'
                lines.append(f"{START_UP}_sum{of} {total}\n{START_UP}_count{of} {count}\n")
    return "".join(lines)


def drains(snapshot: Snapshot, labels: Labels) -> str:
    """How long pods took to go."""
    many, seconds = snapshot.columns["drains"], snapshot.columns["drains_s"]
    lines = [head(DRAIN, "summary", "How long pods took from when they were let go until gone")]
    for row in np.flatnonzero(labels.named_service & (many > 0)).tolist():
        of = braced(labels.service[row])
        lines.append(f"{DRAIN}_sum{of} {seconds[row]}\n{DRAIN}_count{of} {many[row]}\n")
    return "".join(lines)


def changes(changed: Mapping[tuple[str, Reason], int]) -> str:
    """How many decisions were others than those before them, by service and reason."""
    lines = [
        head(CHANGES, "counter", "Decisions that wanted another number of pods than the one before")
    ]
    for (name, reason), many in changed.items():
        namespace, _, service = name.partition("/")
        of = pairs(namespace=namespace, reason=reason.name, service=service)
        lines.append(f"{CHANGES}{{{of}}} {many}\n")
    return "".join(lines)
