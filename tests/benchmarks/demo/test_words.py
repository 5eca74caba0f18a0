"""What a reader should remember."""

from benchmarks.demo.words import next_steps, verdict
from tests.benchmarks.finished import Finished


def test_the_verdict_compares_with_knative_as_it_is_and_with_the_closest_keep_alive(
    finished: Finished,
) -> None:
    as_it_is, kept, synthetic = verdict(finished[1])
    assert as_it_is.startswith("Knative as it is had ")
    assert kept.startswith("Knative with its last pod kept for 20 min had ")
    assert "pod-hours" in as_it_is
    assert "synthetic" in synthetic


def test_the_next_step_is_ones_own_prometheus() -> None:
    (_, command), *_ = next_steps()
    assert command.endswith("kn-ahead whatif --prometheus http://prometheus:9090")
