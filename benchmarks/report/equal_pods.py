"""What policies of kn-ahead do with no more pods than settings of Knative.

Cold requests alone mislead: whoever keeps pods for longer has fewer of them, and pays for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.policies.policies import ALWAYS, FULL, KPA, RETENTION
from benchmarks.report.page import Section
from benchmarks.scores.score import PolicyScore

AS_MANY = 1.01  # times as many pods are as many
COLUMNS = ("setting of Knative", "pod-h", "cold", "kn-ahead full, at", "pod-h", "cold")


@dataclass(frozen=True, slots=True, kw_only=True)
class EqualPods:
    """A setting of Knative, and kn-ahead's best price on no more pod-hours."""

    setting: PolicyScore
    ours: PolicyScore | None  # None = every price costs more

    @property
    def price(self) -> str:
        """As "600 s"; "" = there is none."""
        return self.ours.policy.partition("@ ")[2] if self.ours else ""

    def sentence(self) -> str:
        """In words."""
        name, cold = in_words(self.setting.policy), self.setting.total.cold_requests
        had = f"{name} had {cold:,} cold requests on {_hours(self.setting):,.0f} pod-hours;"
        if self.ours is None:
            return f"{had} every price of kn-ahead costs more."
        ours, spent = self.ours.total.cold_requests, _hours(self.ours)
        only = "only " if ours < cold else ""
        return f"{had} on {spent:,.0f}, kn-ahead had {only}{ours:,} (price {self.price})."


def equal_pods(scores: Sequence[PolicyScore]) -> list[EqualPods]:
    """For Knative as it is and each of its settings, the fewest cold requests on as many pods."""
    ours = [each for each in scores if each.policy.startswith(FULL)]
    return [
        EqualPods(
            setting=setting,
            ours=min(
                (one for one in ours if _hours(one) <= AS_MANY * _hours(setting)),
                key=lambda one: (one.total.cold_requests, _hours(one)),
                default=None,
            ),
        )
        for setting in scores
        if setting.policy in {KPA, ALWAYS} or setting.policy.startswith(RETENTION)
    ]


def section(found: Sequence[EqualPods]) -> Section:
    """As a table."""
    rows = []
    for each in found:
        ours = ("none", "", "")
        if each.ours:
            ours = (each.price, f"{_hours(each.ours):,.1f}", f"{each.ours.total.cold_requests:,}")
        cold = f"{each.setting.total.cold_requests:,}"
        rows.append((each.setting.policy, f"{_hours(each.setting):,.1f}", cold, *ours))
    return Section("Cold requests on as many pod-hours, or fewer", COLUMNS, tuple(rows))


def in_words(policy: str) -> str:
    """A setting of Knative in words.

    >>> in_words("KPA, retention 20 min"), in_words("Knative (KPA)")
    ('Knative with its last pod kept for 20 min', 'Knative as it is')
    """
    if policy.startswith(RETENTION):
        return f"Knative with its last pod kept for {policy.removeprefix(RETENTION).strip()}"
    return {KPA: "Knative as it is", ALWAYS: "Knative that never goes to zero"}[policy]


def _hours(score: PolicyScore) -> float:
    return score.total.allocated_pod_s / 3600
