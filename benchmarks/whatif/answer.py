"""The verdict in words, and as rows for people."""

from collections.abc import Sequence

from benchmarks.policies.policies import FULL, KPA
from benchmarks.scores.resampling import Estimate
from benchmarks.scores.score import PolicyScore, ServiceScore
from benchmarks.whatif.past import span
from benchmarks.whatif.verdict import Change, Verdict

PRICE_COLUMNS = ("price of a cold request", "cold", "served warm", "pod-hours", "against now")
CHANGE_COLUMNS = ("service", "cold now", "then", "pod-h now", "then")
FAR_OFF = 2.0  # simulated pod-hours over recorded ones
MOST_SHOWN = 10  # services that lose, and as many that gain


def sentences(verdict: Verdict, *, learned_days: float, scored_days: float) -> list[str]:
    """What a reader should remember, the most important first."""
    v = verdict
    if not v.cold:
        return [
            f"None of your {v.requests:,} requests of the last {span(scored_days)} would have"
            " been cold under Knative as it is: there is nothing to gain here."
        ]
    lines = [
        f"{v.policy} would have served {v.served_warm.value:.0%} of your {v.cold:,} cold requests"
        f" warm ({_between(v.served_warm)}), {_for_pods(v.more_pods)}.",
        _keep_alive(v),
        f"{v.cold_ahead:,} would still be cold, {min(v.cold_foreseen, v.cold_ahead):,} of them for"
        " whoever knew each minute in advance; the others are what better forecasts could win.",
        f"Learned from the first {span(learned_days)}, scored on the {span(scored_days)} after"
        " them, which it had not seen. In brackets: 95 of 100 such samples of your services and"
        " days lie between.",
    ]
    losers = [change for change in v.changes if change.loses]
    if losers:
        lines.append(f"{len(losers)} of {len(v.changes)} services would have lost: see below.")
    return lines


def unforeseen(surprises: int, starts: int) -> list[str]:
    """How many starts came without warning, as `without_warning` counts them."""
    if not starts:
        return []
    return [
        f"Of {starts:,} calls after a pause {surprises / starts:.0%} came without warning: nothing"
        " before them made one likelier than usual. Those are not foreseen, only held ready for."
    ]


def beside_recorded(recorded: float, simulated: float) -> list[str]:
    """Pod-hours of ready pods as they were, and simulated ones; NaN = nobody recorded them."""
    if not recorded > 0:
        return []
    line = (
        f"Knative recorded {recorded:,.1f} pod-hours of ready pods there; simulated under it are"
        f" {simulated:,.1f}, start-up and drain included."
    )
    if not 1 / FAR_OFF <= simulated / recorded <= FAR_OFF:
        line += " That is far off: your settings differ from what is assumed, or pods serve others."
    return [line]


def price_rows(scores: Sequence[PolicyScore]) -> list[tuple[str, ...]]:
    """Knative as it is, and kn-ahead in mode full at each price, as `PRICE_COLUMNS` names them."""
    now = next(each for each in scores if each.policy == KPA).total
    rows: list[tuple[str, ...]] = [("(as it is)", f"{now.cold_requests:,}", "", _hours(now), "")]
    for each in scores:
        if each.policy.startswith(FULL):
            ours, price = each.total, each.policy.partition("@ ")[2]
            warm = 1 - ours.cold_requests / max(now.cold_requests, 1)
            more = ours.allocated_pod_s / max(now.allocated_pod_s, 1.0) - 1
            cells = f"{ours.cold_requests:,}", f"{warm:.0%}", _hours(ours), f"{more:+.0%}"
            rows.append((price, *cells))
    return rows


def _hours(score: ServiceScore) -> str:
    return f"{score.allocated_pod_s / 3600:,.1f}"


def change_rows(changes: Sequence[Change]) -> list[tuple[str, ...]]:
    """The services that lose most, then those that gain most, as `CHANGE_COLUMNS` names them."""
    losers = [change for change in changes if change.loses][:MOST_SHOWN]
    others = [change for change in changes if not change.loses][:MOST_SHOWN]
    return [
        (
            each.service,
            f"{each.cold:,}",
            f"{each.cold_ahead:,}",
            f"{each.pod_s / 3600:,.1f}",
            f"{each.pod_s_ahead / 3600:,.1f}",
        )
        for each in (*losers, *others)
    ]


def _for_pods(more: Estimate) -> str:
    if abs(more.value) < 0.005:
        return f"for as many pod-hours ({_between(more)})"
    word = "more" if more.value > 0 else "fewer"
    low, high = sorted((more.low, more.high))
    return f"for {abs(more.value):.0%} {word} pod-hours ({low:+.0%} to {high:+.0%})"


def _keep_alive(v: Verdict) -> str:
    if v.as_good_more_pods is None:
        return "No keep-alive of up to 20 minutes is as good, nor is min-scale 1."
    more = v.as_good_more_pods
    if more.value < 0:
        return (
            f"The setting {v.as_good} is as good, and costs {-more.value:.0%} less"
            f" ({_between(more)}): prefer it."
        )
    return (
        f"The cheapest setting of Knative that is as good, {v.as_good}, costs {more.value:.0%} more"
        f" pod-hours than that ({_between(more)})."
    )


def _between(estimate: Estimate) -> str:
    return f"{estimate.low:.0%} to {estimate.high:.0%}"
