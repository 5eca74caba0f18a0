"""Whatever restarts, jumps or falls, the ledger knows what one counter with gaps would."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.advisor.ledger.counted import COLUMNS, GAP_S
from autoscaler.advisor.ledger.ledger import Ledger
from autoscaler.core.names import name_id
from autoscaler.core.types import IntArray
from autoscaler.exchange.snapshot import Changes, Snapshot
from tests.examples import examples

BEGIN_S = 1_772_442_000.0
NAMES = {name_id("shop/cart"): "shop/cart"}
SERVICE = np.array(list(NAMES))


@dataclass
class Scalar:
    """One counter, read as Prometheus reads them, with gaps."""

    total: float = 0.0
    former: tuple[float, float] | None = None  # Unix s and sum

    def takes(self, at_s: float, value: float) -> None:
        if self.former and 0 <= at_s - self.former[0] <= GAP_S:
            before = self.former[1]
            self.total += value - before if value >= before else value
        self.former = at_s, value


def a_snapshot(at_s: float, value: float) -> Snapshot:
    nobody: IntArray = np.zeros(0, dtype=np.int64)
    none: Any = SimpleNamespace(withdrawn=np.zeros(1, np.bool_))  # all that is read of decisions
    columns = {f"account_{name}": np.zeros(1) for name in COLUMNS}
    columns["account_requests"] = np.array([value])
    return Snapshot(
        at_s=at_s,
        revision=SERVICE,
        service_of=np.zeros(1, dtype=np.int64),
        service=SERVICE,
        decision=none,
        changes=Changes(revision=nobody, before=nobody, decision=none),
        columns=columns | {"spec_mode": np.array([3]), "spec_reachable": np.array([True])},
        notes={},
    )


steps = st.tuples(
    st.sampled_from([2.0, 60.0, GAP_S, GAP_S + 1, 3600.0, 90_000.0, -5.0, -4000.0]),
    st.integers(0, 5),
    st.sampled_from(["", "", "controller", "save", "advisor"]),
)


@settings(max_examples=examples(40, many=5000), deadline=None)
@given(st.lists(steps, max_size=30))
def test_the_sum_over_all_hours_is_that_of_one_counter(
    story: list[tuple[float, int, str]],
) -> None:
    with TemporaryDirectory() as name, patch("autoscaler.advisor.ledger.ledger.SAVE_S", 0.0):
        ledger, scalar, saved = Ledger(Path(name)), Scalar(), Scalar()
        at_s, value = BEGIN_S, 0.0
        for seconds, more, event in story:
            at_s += seconds
            value = float(more) if event == "controller" else value + more
            if event == "advisor":
                ledger, scalar = Ledger(Path(name)), Scalar(saved.total, saved.former)
            ledger.fold(a_snapshot(at_s, value), NAMES, leads=True)
            scalar.takes(at_s, value)
            if event == "save":
                assert ledger.save(at_s) == ""
                saved = Scalar(scalar.total, scalar.former)
        known = [table.sums[0].sum() for table in ledger.hours(0.0, float("inf"))]
        assert sum(known) == scalar.total
        assert sum(t.sums[0].sum() for t in ledger.days(0.0, float("inf"))) == scalar.total
