"""Laws of the bill: what prediction may cost, whatever it says and whatever happens."""

from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from autoscaler.core.state.revision import Mode, Revision
from tests.autoscaler.core.histories import TICK_S, History, Wanted
from tests.autoscaler.core.stories import LAW, revisions
from tests.examples import examples

# A history follows from its seed, which has no simpler one.
PHASES = [Phase.explicit, Phase.generate]
EXACT = settings(LAW, max_examples=examples(8, many=5_000), phases=PHASES)
BILL = settings(LAW, max_examples=examples(8, many=500), phases=PHASES)
TICKS = 60
EPS = 1e-6  # s, of rounding

fractions = st.sampled_from([0.0, 0.1, 0.2, 1.0])
allowances = st.sampled_from([0.0, 2.0, 9.0, 60.0, 200.0, 600.0, 2000.0])
modes = st.sampled_from([*Mode, Mode.OUTWARD, Mode.FULL, Mode.FULL])
seeds = st.integers(0, 2**32 - 1)


@st.composite
def under_a_bill(draw: st.DrawFn, mode: Mode | None = None) -> Revision:
    revision = draw(revisions(draw(modes) if mode is None else mode))
    return replace(revision, max_extra=draw(fractions), extra_allowance_s=draw(allowances))


@dataclass(slots=True)
class Sums:
    """Pod time since an account began, s."""

    spent_s: float = 0.0  # beyond Knative's, less what went early and what was earned
    earned_s: float = 0.0
    least_s: float = 0.0  # the least of what was spent so far

    def add(self, wanted: int, knative: int, max_extra: float) -> None:
        self.least_s = min(self.least_s, self.spent_s)
        self.spent_s += (wanted - (1 + max_extra) * knative) * TICK_S
        self.earned_s += max_extra * knative * TICK_S

    def obey(self, allowance_s: float) -> None:
        """Since the account began, and in any stretch of time that ends now."""
        assert self.spent_s <= allowance_s + EPS
        assert self.spent_s - self.least_s <= allowance_s + self.earned_s + EPS


def pods(wanted: Wanted) -> tuple[int, int]:
    """Wanted, and wanted by Knative alone; no decision asks for none."""
    return max(wanted.pods, 0), max(wanted.knative, 0)


@EXACT
@given(given_revisions=st.lists(under_a_bill(), min_size=1, max_size=3), seed=seeds)
def test_nothing_costs_more_than_its_bill(given_revisions: list[Revision], seed: int) -> None:
    history = History(given_revisions, seed)
    sums: dict[str, Sums] = defaultdict(Sums)

    def ticked() -> None:
        for key, wanted in history.wanted.items():
            sums[key].add(*pods(wanted), wanted.revision.max_extra)
            sums[key].obey(wanted.revision.extra_allowance_s)

    history.run(TICKS, ticked=ticked)


@EXACT
@given(
    given_revisions=st.lists(st.one_of(revisions(), under_a_bill()), min_size=1, max_size=4),
    max_extra=fractions,
    allowance_s=allowances,
    seed=seeds,
)
def test_nor_does_the_whole_cluster(
    given_revisions: list[Revision], max_extra: float, allowance_s: float, seed: int
) -> None:
    history = History(given_revisions, seed)
    history.fleet.limit_cluster(max_extra, allowance_s)
    sums = Sums()

    def ticked() -> None:
        every = [pods(wanted) for wanted in history.wanted.values()]
        wanted, knative = np.array(every).reshape(-1, 2).sum(axis=0)
        sums.add(wanted, knative, max_extra)
        sums.obey(allowance_s)

    history.run(TICKS, ticked=ticked)


@BILL
@given(
    given_revisions=st.lists(
        st.one_of(revisions(Mode.OUTWARD), under_a_bill(Mode.OUTWARD)), min_size=2, max_size=4
    ),
    max_extra=fractions,
    allowance_s=allowances,
    seed=seeds,
)
def test_between_ticks_no_more_is_wanted_than_the_credit_that_is_there(
    given_revisions: list[Revision], max_extra: float, allowance_s: float, seed: int
) -> None:
    history = History(given_revisions, seed)
    history.fleet.limit_cluster(max_extra, allowance_s)

    def decided() -> None:
        fleet = history.fleet
        extra_s = {
            key: TICK_S * max(0, np.subtract(*pods(wanted)))
            for key, wanted in history.wanted.items()
        }
        there_s = fleet.credit.left_s + fleet.credit.ahead * TICK_S
        for key, spent_s in extra_s.items():
            row = fleet.row(key)
            assert np.isinf(fleet.spec.max_extra[row]) or spent_s <= max(0.0, there_s[row]) + EPS
        all_s = fleet.cluster_credit.left_s + fleet.credit.ahead.sum() * TICK_S
        assert sum(extra_s.values()) <= max(0.0, all_s) + EPS

    history.run(TICKS, ticked=lambda: None, decided=decided)


@BILL
@given(
    given_revisions=st.lists(under_a_bill(Mode.OUTWARD), min_size=1, max_size=3),
    max_extra=fractions,
    seed=seeds,
)
def test_a_bill_never_takes_what_knative_wants(
    given_revisions: list[Revision], max_extra: float, seed: int
) -> None:
    history = History(given_revisions, seed)
    history.fleet.limit_cluster(max_extra, 60.0)

    def decided() -> None:
        for wanted in history.wanted.values():
            if wanted.revision.mode != Mode.FULL:
                assert wanted.pods >= wanted.knative

    history.run(TICKS, ticked=decided, decided=decided)
