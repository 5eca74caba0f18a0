from autoscaler.tick_durations import BUCKETS_S, TickDurations


def test_ticks_are_counted_by_how_long_they_took() -> None:
    durations = TickDurations()
    for took_s in (0.0, BUCKETS_S[0], 0.006, 99.0):
        durations.add(took_s)
    assert durations.counts[:2] == [2, 1]  # an upper bound belongs to its bucket
    assert durations.counts[-1] == 1
    assert sum(durations.counts) == 4
    assert durations.sum_s == 99.011
