from autoscaler.backoff import Backoff


def waits(backoff: Backoff, n: int) -> list[float]:
    return [backoff.failed() for _ in range(n)]


def test_the_wait_doubles_to_a_limit_with_jitter() -> None:
    for i, wait_s in enumerate(waits(Backoff(0.2, 15.0), 12)):
        longest = min(0.2 * 2**i, 15.0)
        assert longest / 2 <= wait_s <= longest


def test_a_retry_after_may_be_longer() -> None:
    assert Backoff(0.2, 15.0).failed(7.0) == 7.0


def test_after_a_long_success_the_waits_are_short_again() -> None:
    backoff = Backoff(0.2, 15.0)
    waits(backoff, 5)
    assert backoff.worked(300.0)
    assert backoff.failures == 0
    assert backoff.failed() <= 0.2


def test_a_short_success_does_not_shorten_the_waits() -> None:
    backoff, last_s = Backoff(0.2, 15.0), 0.0
    for _ in range(20):
        backoff.worked(3.0)
        last_s = backoff.failed()
    assert last_s > 0.2
    for _ in range(20):
        assert not backoff.worked(0.1)
        last_s = backoff.failed()
    assert last_s >= 7.5
