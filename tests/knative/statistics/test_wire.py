from knative.statistics.wire import Stat
from tests.knative.statistics.examples import STAT


def test_fields_have_knatives_numbers_and_types() -> None:
    stat = Stat.FromString(STAT)
    assert (stat.pod_name, stat.timestamp) == ("activator-1", 1_700_000_000)
    assert stat.average_concurrent_requests == 3.5
    assert stat.average_proxied_concurrent_requests == 1.25
    assert (stat.request_count, stat.proxied_request_count) == (8.0, 4.0)
    assert stat.process_uptime == 60.5


def test_what_is_written_is_the_same_bytes() -> None:
    assert Stat.FromString(STAT).SerializeToString() == STAT


def test_zeros_are_absent() -> None:
    assert Stat(average_concurrent_requests=0.0).SerializeToString() == b""
    assert Stat.FromString(b"").request_count == 0.0
