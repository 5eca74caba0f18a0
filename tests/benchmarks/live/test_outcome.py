"""Warm or not is told by pods, not by how long somebody waited."""

import numpy as np

from benchmarks.live.load import Answer
from benchmarks.live.outcome import Outcome, Outcomes
from benchmarks.live.pods import PodTimes

HEAD, TAIL = "shop-00001", "shop-2-00001"


def pod(name: str, revision: str = HEAD, **times: float) -> PodTimes:
    return PodTimes(name=name, revision=revision, created_s=0.0, parts={}, **times)


def answer(at_s: float, *words: str, status: int = 200, timed_out: bool = False) -> Answer:
    return Answer(
        copy=0, intended_s=at_s, sent_s=at_s, done_s=at_s + 9.0, status=status,
        timed_out=timed_out, words=words,
    )  # fmt: skip


PODS = Outcomes(
    [
        pod("a", ready_s=10.0, deleted_s=50.0, gone_s=80.0),
        pod("b", ready_s=60.0),
        pod("c", TAIL, ready_s=20.0),
        pod("never"),
    ]
)


def met(found: Answer, *revisions: str) -> Outcome:
    return PODS.of(found, revisions or (HEAD,))


def test_a_pod_that_was_ready_makes_a_request_warm_however_long_it_took() -> None:
    assert met(answer(10.0, "a")) == Outcome.WARM


def test_a_request_that_was_meant_before_its_pod_was_ready_has_waited() -> None:
    assert met(answer(9.9, "a")) == Outcome.WAITED
    assert met(answer(20.0, "never")) == Outcome.WAITED


def test_a_pod_that_drains_and_still_answers_was_ready() -> None:
    assert met(answer(70.0, "a")) == Outcome.WARM


def test_of_a_chain_all_pods_have_to_be_ready() -> None:
    assert met(answer(15.0, "a", "c"), HEAD, TAIL) == Outcome.WAITED
    assert met(answer(20.0, "a", "c"), HEAD, TAIL) == Outcome.WARM


def test_an_answer_that_names_no_pod_is_judged_by_the_pods_of_its_revisions() -> None:
    assert met(answer(20.0, "hello"), HEAD) == Outcome.WARM
    assert met(answer(55.0), HEAD) == Outcome.WAITED  # one drains, the other is not ready
    assert met(answer(15.0), HEAD, TAIL) == Outcome.WAITED
    assert met(answer(20.0), "unknown-00001") == Outcome.WAITED


def test_what_is_no_answer_is_neither_warm_nor_waited() -> None:
    assert met(answer(20.0, timed_out=True, status=0)) == Outcome.TIMED_OUT
    assert met(answer(20.0, status=0)) == Outcome.FAILED
    assert met(answer(20.0, "a", status=503)) == Outcome.FAILED
    assert met(answer(20.0, "a", status=302)) == Outcome.FAILED


def test_nothing_that_never_happened_is_ready() -> None:
    assert not pod("never").was_ready(np.nextafter(np.inf, 0))
