from hypothesis import given
from hypothesis import strategies as st

from knative.advisor.tokens import TokenBucket


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    bucket = TokenBucket(per_s=0.5, burst=3)
    given_at = []
    for second in range(10):
        while bucket.ready(float(second)):
            bucket.take()
            given_at.append(second)
    assert given_at == [0, 0, 0, 2, 4, 6, 8]


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    bucket = TokenBucket(per_s=1.0, burst=2)
    for _ in range(2):
        assert bucket.ready(1e9)
        bucket.take()
    assert not bucket.ready(1e9)
    assert not bucket.full(1e9 + 1)
    assert bucket.full(1e9 + 2)


@given(gaps=st.lists(st.floats(0, 30), max_size=60), burst=st.integers(1, 5))
def test_in_any_span_no_more_is_given_than_burst_and_rate_allow(
    gaps: list[float], burst: int
) -> None:
    bucket, now, taken = TokenBucket(per_s=0.25, burst=burst), 0.0, []
    for gap in gaps:
        now += gap
        if bucket.ready(now):
            bucket.take()
            taken.append(now)
    for i, begin in enumerate(taken):
        for j, end in enumerate(taken[i:]):
            assert j + 1 <= burst + 0.25 * (end - begin) + 1e-9
