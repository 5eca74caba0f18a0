"""One question to a queue-proxy: what is taken of its answer, and what is refused."""

import struct
from contextlib import AsyncExitStack

import pytest

from knative.statistics.scraping.queue_proxy import LARGEST, PORT, Answer, RefusedError, ask
from knative.statistics.wire import Stat
from tests.knative.statistics.queue_proxies import (
    BAD,
    MESHED,
    Page,
    Pods,
    a_session,
    in_two_pieces,
    run,
    says,
)


def answer_of(page: Page | None) -> Answer:
    async def story() -> Answer:
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(a_session())
            pod = await Pods().start(stack, 0, page)
            return await ask(session, f"http://{pod.address}:{PORT}/metrics")

    return run(story())


def numbers(page: Page) -> tuple[float, float]:
    answer = answer_of(page)
    return answer.concurrency, answer.requests


def test_a_pod_says_who_it_is_and_for_how_long() -> None:
    answer = answer_of(says(Stat(pod_name="cart-1", process_uptime=12.5)))
    assert (answer.pod, answer.uptime_s) == ("cart-1", 12.5)


def test_what_the_activator_reports_itself_is_subtracted() -> None:
    stat = Stat(
        average_concurrent_requests=4.0,
        average_proxied_concurrent_requests=1.5,
        request_count=8.0,
        proxied_request_count=3.0,
    )
    assert numbers(says(stat)) == (2.5, 5.0)


def test_an_idle_pod_says_nothing_on_the_wire_and_counts_as_zero() -> None:
    assert numbers(says(b"")) == (0.0, 0.0)


def test_an_answer_in_two_pieces_is_read_whole() -> None:
    assert numbers(in_two_pieces) == (4.0, 8.0)


def test_the_wire_form_of_a_real_queue_proxy_is_understood() -> None:
    fields = [(2, 3.99), (3, 2.0), (4, 8.0), (5, 4.0), (6, 12.5)]
    body = b"".join(bytes([n << 3 | 1]) + struct.pack("<d", value) for n, value in fields)
    assert numbers(says(body)) == pytest.approx((1.99, 4.0))


def test_so_long_an_answer_is_read_and_no_longer_one() -> None:
    head = len(Stat(pod_name="x" * 2000).SerializeToString()) - 2000
    name = "x" * (LARGEST - head)
    assert answer_of(says(Stat(pod_name=name))).pod == name
    with pytest.raises(RefusedError):
        answer_of(says(Stat(pod_name=name + "x")))


@pytest.mark.parametrize("page", [*BAD.values(), *MESHED.values()], ids=[*BAD, *MESHED])
def test_what_is_no_answer_is_refused_and_a_mesh_is_told_from_other_failures(
    page: Page | None,
) -> None:
    with pytest.raises(RefusedError) as refused:
        answer_of(page)
    assert refused.value.mesh == (page in MESHED.values())
