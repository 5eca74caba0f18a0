"""The verdict in words, and as rows for people."""

from collections.abc import Sequence

from benchmarks.whatif.verdict import Change, Estimate, Verdict

CHANGE_COLUMNS = ("service", "cold now", "then", "pod-h now", "then")
MOST_SHOWN = 10  # services that lose, and as many that gain


def sentences(verdict: Verdict, *, learned_days: float, scored_days: float) -> list[str]:
    """What a reader should remember, the most important first."""
    v = verdict
    if not v.cold:
        return [
            f"None of your {v.requests:,} requests of the last {scored_days:.1f} days would have"
            " been cold under Knative as it is: there is nothing to gain here."
        ]
    lines = [
        f"{v.policy} would have served {v.served_warm.value:.0%} of your {v.cold:,} cold requests"
        f" warm ({_between(v.served_warm)}), {_for_pods(v.more_pods)}.",
        _keep_alive(v),
        f"Of the {v.cold_ahead:,} still cold, {min(v.cold_foreseen, v.cold_ahead):,} would be so"
        " for whoever knew each minute in advance; the others are what better forecasts could win.",
        f"Learned from the first {learned_days:.1f} days, scored on the {scored_days:.1f} after"
        " them, which it had not seen. In brackets: 95 of 100 such samples of your services and"
        " days lie between.",
    ]
    losers = [change for change in v.changes if change.loses]
    if losers:
        lines.append(f"{len(losers)} of {len(v.changes)} services would have lost: see below.")
    return lines


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
