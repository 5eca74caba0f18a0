"""A Prometheus that drips, is endless, packs bombs or lies: one clear error, in time, in memory."""

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from autoscaler.clock import SimulatedClock
from autoscaler.errors import AutoscalerError, PermanentError, TransientError
from autoscaler.limits import MIB, PROMETHEUS_SERIES
from learner.sources.counters import Grid
from learner.sources.queries import PrometheusServer, SlowError
from learner.status import LearnerStatus
from tests.alone import with_peak
from tests.misbehaving import Answer, dripping, endless, head, misbehaving, packed_zeros, sent

JSON = "Content-Type: application/json"
GRID = Grid(start_s=600, step_s=60, n_points=4)
QUERY = "last_over_time(kn_ahead_requests_total[59999ms])"


def asked(url: str, status: LearnerStatus, within_s: float = 5.0) -> list[dict[str, str]]:
    server = PrometheusServer(
        url, status=status, attempts=2, within_s=within_s, sleep=lambda _: None
    )
    return [labels for labels, _, _ in server.series(QUERY, GRID)]


def refusal(
    kind: type[AutoscalerError], answer: Answer, within_s: float = 5.0
) -> tuple[str, dict[str, int]]:
    """What it says, and which limits have bitten how often."""
    status = LearnerStatus()
    with misbehaving(answer) as url, pytest.raises(kind) as caught:
        asked(url, status, within_s)
    said = str(caught.value)
    assert f"Prometheus at {url}" in said
    assert "\n" not in said
    assert len(said) < 600
    return said, dict(status.refusals.counts)


@pytest.mark.parametrize(
    "answer",
    [
        dripping(head("Content-Length: 100000", JSON)),
        dripping(head(JSON)),
        dripping(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),
        dripping(b"", b"H"),
        dripping(head("Transfer-Encoding: chunked", JSON), b"1\r\nx\r\n"),
        dripping(head("Transfer-Encoding: chunked", JSON), b"0"),
        dripping(head("Content-Encoding: gzip", JSON) + b"\x1f\x8b\x08\x08" + bytes(6), b"n"),
        dripping(head("Content-Length: 100000", status="302 Found")),
    ],
    ids=["body", "no length", "head", "status", "chunks", "a chunk's size", "gzip", "redirect"],
)
def test_a_byte_now_and_then_ends_at_the_deadline(answer: Answer) -> None:
    said, counts = refusal(SlowError, answer, within_s=0.3)
    assert f"asked for {QUERY}, has not answered within 0.3 s" in said
    assert counts == {"prometheus_s": 2}


def test_a_handshake_by_bytes_ends_at_the_deadline_too() -> None:
    status = LearnerStatus()
    with misbehaving(dripping(b"\x16\x03\x03\x40\x00", b"x")) as url, pytest.raises(SlowError):
        asked(url.replace("http://", "https://"), status, within_s=0.3)
    assert status.refusals.counts == {"prometheus_s": 2}


def test_all_answers_together_have_a_deadline() -> None:
    clock = SimulatedClock()
    status = LearnerStatus(clock)
    body = json.dumps({"data": {"result": [GOOD | {"values": []}]}}).encode()

    def answer(_: bytes) -> Iterator[bytes]:
        clock.advance(400.0)
        yield from sent(body, JSON)(b"")

    with misbehaving(answer) as url:
        server = PrometheusServer(url, status=status)
        with pytest.raises(SlowError, match=r"has not answered all within 900 s"):
            list(server.series(QUERY, Grid(start_s=0, step_s=60, n_points=100_000)))
    assert status.refusals.counts == {"read_s": 1}


def test_a_slow_answer_is_said_before_it_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    refusal(SlowError, dripping(head(JSON)), within_s=0.3)
    (said,) = [r.message for r in caplog.records if r.name == "learner.sources.queries"]
    assert said.endswith('has not answered within 0.3 s"')


@pytest.mark.parametrize(
    "answer",
    [
        endless(head(JSON), b" " * MIB),
        endless(head("Transfer-Encoding: chunked", JSON), b"100000\r\n" + b" " * MIB + b"\r\n"),
        sent(packed_zeros(2048 * MIB), JSON, "Content-Encoding: gzip"),
    ],
    ids=["endless", "endless chunks", "gzip bomb"],
)
def test_more_than_an_answer_may_have_is_asked_for_in_smaller_pieces_and_given_up(
    answer: Answer,
) -> None:
    said, counts = refusal(PermanentError, answer, within_s=30.0)
    assert f"asked for {QUERY}, has more than 67108864 bytes of an answer, unpacked" in said
    assert counts == {"prometheus_bytes": 2}  # for 4 points, and for 1


def test_many_small_parts_are_counted_before_they_are_parsed() -> None:
    (said, counts), peak = with_peak(refusal_of_many_small_parts)
    assert "more than 8000000 brackets and commas" in said
    assert counts == {"prometheus_parts": 2}
    assert peak < 100 * MIB


def refusal_of_many_small_parts() -> tuple[str, dict[str, int]]:
    body = b'{"data":{"result":[' + b"[]," * 5_000_000 + b"[]]}}"
    return refusal(PermanentError, sent(body, JSON), within_s=30.0)


def test_too_many_series_are_refused() -> None:
    series = b'{"metric":{},"values":[]}'
    n = int(PROMETHEUS_SERIES.most) + 1
    body = b'{"data":{"result":[' + b",".join([series] * n) + b"]}}"
    said, counts = refusal(PermanentError, sent(body, JSON), within_s=30.0)
    assert "more than 50000 series in an answer" in said
    assert counts == {"prometheus_series": 2}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"data":{"result":' + b"[" * 5_000 + b"]" * 5_000 + b"}}", "recursion"),
        (b'{"data":{"result":' + b'{"a":' * 5_000 + b"1" + b"}" * 5_000 + b"}}", "recursion"),
        (b'{"data":{"result":[' + b"[" * 40_000 + b"]" * 40_000 + b"]}}", "recursion"),
        (b'{"data":{"result":[' + b"9" * 5_000 + b"]}}", "Exceeds the limit (4300 digits)"),
        (b'{"status":"error","error":' + b"[" * 5_000 + b"]" * 5_000 + b"}", "recursion"),
    ],
    ids=["lists", "objects", "long", "an integer", "an error"],
)
def test_json_that_cannot_be_is_one_clear_error(body: bytes, said: str) -> None:
    message, _ = refusal(PermanentError, sent(body, JSON))
    assert f"asked for {QUERY}, answered JSON that cannot be: " in message
    assert said in message


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "deflate"])
def test_what_is_packed_in_another_way_is_not_unpacked(encoding: str) -> None:
    said, _ = refusal(TransientError, sent(b"x", JSON, f"Content-Encoding: {encoding}"))
    assert f"packed as {encoding}; allowed: gzip" in said


@pytest.mark.parametrize("body", [b"", b"x", b"\x1f\x8b\x08" + bytes(7), packed_zeros(MIB)[:-9]])
def test_gzip_that_is_none_or_lacks_its_end_is_half_an_answer(body: bytes) -> None:
    said, _ = refusal(TransientError, sent(body, JSON, "Content-Encoding: gzip"))
    assert "gave half an answer" in said


def test_an_error_page_of_64_mb_is_shown_in_part() -> None:
    page = b"no way " * (8 * MIB)
    answer = sent(page, "Content-Type: text/plain", status="403 Forbidden")
    said, _ = refusal(PermanentError, answer, within_s=30.0)
    assert "answered 403: no way no way" in said


GOOD = {"metric": {"namespace": "shop", "service": "cart"}, "values": [[600, "1"]]}


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (3, "no series"),
        ({"metric": {"a": "b"}}, "no series"),
        ({"values": [[600, "1"]]}, "metric"),
        ({"metric": 3, "values": []}, "labels are no text"),
        ({"metric": {"namespace": 3}, "values": []}, "labels are no text"),
        ({"metric": {"namespace": ["shop"]}, "values": []}, "labels are no text"),
        ({"metric": {"namespace": "x" * 9000}, "values": []}, "labels of more than 8192"),
        ({"metric": {}, "values": [[600, "many"]]}, "could not convert"),
        ({"metric": {}, "values": [[600, [1]]]}, "must be a string or a real number"),
        ({"metric": {}, "values": [[int("9" * 400), "1"]]}, "int too large"),
        ({"metric": {}, "values": [[1e300, "1"]]}, "times outside the range"),
        ({"metric": {}, "values": [[float("nan"), "1"]]}, "times outside the range"),
        ({"metric": {}, "values": [[600]]}, "not enough values"),
        ({"metric": {}, "values": [600]}, "cannot unpack"),
    ],
)
def test_a_series_that_is_none_is_left_out_and_said_and_the_others_are_read(
    bad: object, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    body = json.dumps({"data": {"result": [bad, GOOD]}}).encode()
    with misbehaving(sent(body, JSON)) as url:
        assert asked(url, LearnerStatus()) == [GOOD["metric"]]
    (said,) = [m for m in caplog.messages if m.startswith("unhealthy ") and "left out" in m]
    assert why in said
    assert QUERY in said
    message, _ = refusal(
        PermanentError, sent(json.dumps({"data": {"result": [bad]}}).encode(), JSON)
    )
    assert why in message


def test_every_attempt_is_a_sign_of_life() -> None:
    beats: list[int] = []

    class Counting(LearnerStatus):
        def heartbeat(self) -> None:
            beats.append(1)

    with misbehaving(lambda _: iter([])) as url, pytest.raises(TransientError):
        asked(url, Counting())
    assert len(beats) == 2


READ = """
import resource, sys
from autoscaler.clock import SimulatedClock
from autoscaler.errors import AutoscalerError
from learner.sources.demand_reader import PrometheusReader
reader = PrometheusReader(sys.argv[1], capacity=1.0, sleep=lambda _: None)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    reader.read(start_s=600, end_s=6000, step_s=60)
except AutoscalerError as error:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, error)
"""


def parts(piece: bytes, n: int) -> Answer:
    """JSON of very many small parts."""

    def answer(_: bytes) -> Iterator[bytes]:
        yield head(JSON)
        yield b'{"data":{"result":['
        yield from [piece * MIB] * n
        yield piece[:-1] + b"]}}"

    return answer


@pytest.mark.parametrize(
    ("answer", "most_mib"),
    [
        (endless(head(JSON), b" " * MIB), 150),
        (sent(packed_zeros(2048 * MIB), JSON, "Content-Encoding: gzip"), 200),
        (parts(b"{},", 20), 400),
        (parts(b"1,", 7), 400),
    ],
    ids=["endless", "gzip bomb", "objects", "as many parts as allowed"],
)
def test_the_process_stays_small(answer: Answer, most_mib: float) -> None:
    with misbehaving(answer) as url:
        done = subprocess.run(
            [sys.executable, "-c", READ, url], check=True, capture_output=True, text=True
        )
    kib, _, said = done.stdout.partition(" ")
    assert url in said
    assert float(kib) / 1024 < most_mib


def test_what_is_packed_well_is_read() -> None:
    body = gzip.compress(json.dumps({"data": {"result": [GOOD]}}).encode())
    with misbehaving(sent(body, JSON, "Content-Encoding: gzip")) as url:
        server = PrometheusServer(url)
        ((_, at_s, values),) = server.series(QUERY, GRID)
    np.testing.assert_array_equal([at_s, values], [[600.0], [1.0]])
