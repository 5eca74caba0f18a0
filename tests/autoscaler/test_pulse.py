from autoscaler.pulse import BUCKETS_S, Pulse


def test_a_pulse_that_was_never_felt_is_not_silent() -> None:
    assert Pulse().silence_s(1e9) == 0.0


def test_silence_counts_from_the_last_tick() -> None:
    pulse = Pulse()
    pulse.beat(10.0, 0.1)
    pulse.beat(12.0, 0.1)
    assert pulse.silence_s(15.5) == 3.5


def test_ticks_are_counted_by_how_long_they_took() -> None:
    pulse = Pulse()
    for took_s in (0.0, BUCKETS_S[0], 0.006, 99.0):
        pulse.beat(0.0, took_s)
    assert pulse.counts[:2] == [2, 1]  # an upper bound belongs to its bucket
    assert pulse.counts[-1] == 1
    assert sum(pulse.counts) == 4
    assert pulse.sum_s == 99.011
