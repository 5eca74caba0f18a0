from autoscaler.clock import Clock, SimulatedClock, SystemClock


def test_a_simulated_clock_stands_until_it_is_moved() -> None:
    clock = SimulatedClock(100.0)
    assert (clock.now(), clock.now()) == (100.0, 100.0)
    clock.advance(2.5)
    assert clock.now() == 102.5


def test_a_simulated_clock_begins_at_zero() -> None:
    assert SimulatedClock().now() == 0.0


def test_the_machines_clock_does_not_go_back() -> None:
    clock: Clock = SystemClock()
    first, second = clock.now(), clock.now()
    assert 1_600_000_000 < first <= second
