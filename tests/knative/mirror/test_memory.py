from benchmarks.controller.mirror import measure
from tests.alone import alone

REVISIONS, PODS = 500, 50


def test_ten_thousand_revisions_take_less_than_45_mb() -> None:
    """A twentieth of them; the figure itself: `python -m benchmarks.controller.mirror`."""
    costs = alone(measure, REVISIONS, PODS)
    assert {one.kind: one.objects for one in costs}["PodAutoscalers"] == REVISIONS
    assert sum(one.mb for one in costs) < 2.25
