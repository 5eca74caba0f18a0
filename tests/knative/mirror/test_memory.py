from benchmarks.controller.mirror import measure

REVISIONS, PODS = 500, 50


def test_ten_thousand_revisions_take_less_than_45_mb() -> None:
    """A twentieth of them; the figure itself: `python -m benchmarks.controller.mirror`."""
    kept = measure(REVISIONS, PODS)
    assert {one.kind: one.objects for one in kept}["PodAutoscalers"] == REVISIONS
    assert sum(one.mb for one in kept) < 2.25
