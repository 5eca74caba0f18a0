"""What is counted begins an hour after the past."""

from dataclasses import replace

import pytest

from autoscaler.errors import PermanentError
from benchmarks.goals.keep_alives import policies_of
from benchmarks.goals.made_workloads import sparse
from benchmarks.goals.simulated import WARM_UP_S, simulated


def test_a_future_of_which_nothing_would_be_counted_is_refused() -> None:
    whole = sparse()
    hour = int(WARM_UP_S // whole.demand.step_s)
    short = replace(whole, first=whole.demand.n_steps - hour)
    policies, _ = policies_of(short)
    with pytest.raises(PermanentError, match="3600 s follow the past; allowed: more than 3600"):
        simulated(short, {}, policies)
    assert simulated(replace(short, first=short.first - 1), {}, policies[:1]).requests.shape[0] == 1
