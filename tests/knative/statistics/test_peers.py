"""From which addresses statistics are accepted."""

import pytest

from autoscaler.limits import UNIDENTIFIED
from autoscaler.refusals import Refusals
from knative.mirror.reporters import Reporter, reporter
from knative.statistics.peers import FAULT_AFTER_S, FAULT_ANY, FAULT_HIDDEN, Peers, ReporterPolicy
from tests.knative.statistics.examples import activators

ACTIVATOR, OURS, UNKNOWN = "10.0.0.7", "10.0.0.8", "10.0.9.9"
REPLICA = Reporter(addresses=(OURS,), connects=False)
NOW_S = 1000.0


def peers(policy: ReporterPolicy = ReporterPolicy.AUTO) -> tuple[Peers, Refusals]:
    refusals = Refusals()
    it = Peers(policy, refusals)
    it.follow([*activators(ACTIVATOR), REPLICA])
    return it, refusals


def refused(refusals: Refusals) -> int:
    return refusals.counts[UNIDENTIFIED.name]


def test_as_long_as_no_activator_was_seen_everybody_is_taken() -> None:
    it, refusals = peers()
    assert it.admits(UNKNOWN, NOW_S)
    assert it.admits("10.0.9.10", NOW_S + 3600)
    assert refused(refusals) == 0


def test_once_every_activator_was_seen_nobody_else_is_taken() -> None:
    it, refusals = peers()
    assert it.admits(UNKNOWN, NOW_S)
    assert it.admits(ACTIVATOR, NOW_S)
    assert not it.admits(UNKNOWN, NOW_S)
    assert it.admits(OURS, NOW_S)
    it.follow([])
    assert not it.admits(UNKNOWN, NOW_S)
    assert not it.admits(ACTIVATOR, NOW_S)
    assert refused(refusals) == 3


def test_as_long_as_one_activator_is_hidden_everybody_is_taken() -> None:
    it, _ = peers()
    it.follow([*activators(ACTIVATOR, "10.0.0.9"), REPLICA])
    assert it.admits(ACTIVATOR, NOW_S)
    assert it.admits(OURS, NOW_S)
    assert it.admits(UNKNOWN, NOW_S)
    assert it.admits("10.0.0.9", NOW_S)
    assert not it.admits(UNKNOWN, NOW_S)


def test_an_activator_that_is_not_ready_need_not_be_seen() -> None:
    it, _ = peers()
    it.follow([*activators(ACTIVATOR), Reporter(addresses=("10.0.0.9",), connects=False)])
    assert it.admits(ACTIVATOR, NOW_S)
    assert not it.admits(UNKNOWN, NOW_S)


def test_any_address_of_a_pod_will_do() -> None:
    it, _ = peers()
    it.follow([Reporter(addresses=(ACTIVATOR, "fd00::7"), connects=True)])
    assert it.admits("fd00::7", NOW_S)
    assert not it.admits(UNKNOWN, NOW_S)
    assert it.admits(ACTIVATOR, NOW_S)


def test_an_activator_that_came_before_it_was_known_proves_it_too() -> None:
    it, _ = peers()
    it.follow([])
    assert it.admits(ACTIVATOR, NOW_S)
    assert it.admits(UNKNOWN, NOW_S)
    it.follow(activators(ACTIVATOR))
    assert it.admits(ACTIVATOR, NOW_S + 1)
    assert not it.admits(UNKNOWN, NOW_S + 1)


def test_where_only_activators_are_taken_nothing_need_be_proved() -> None:
    it, refusals = peers(ReporterPolicy.ACTIVATORS)
    assert not it.admits(UNKNOWN, NOW_S)
    assert it.admits(ACTIVATOR, NOW_S)
    assert refused(refusals) == 1
    assert it.fault(NOW_S + 3600) == ""


def test_where_anybody_is_taken_nobody_is_refused() -> None:
    it, refusals = peers(ReporterPolicy.ANY)
    assert it.admits(ACTIVATOR, NOW_S)
    assert it.admits(UNKNOWN, NOW_S)
    assert refused(refusals) == 0
    assert it.fault(NOW_S) == FAULT_ANY


@pytest.mark.parametrize(
    ("known", "seen"),
    [
        ("10.0.0.7", "::ffff:10.0.0.7"),
        ("::ffff:10.0.0.7", "10.0.0.7"),
        ("fd00::7", "fd00:0:0::7"),
        ("fd00::7", "FD00::0007"),
    ],
)
def test_an_address_is_the_same_however_it_is_written(known: str, seen: str) -> None:
    it, _ = peers(ReporterPolicy.ACTIVATORS)
    it.follow(activators(known))
    assert it.admits(seen, NOW_S)
    assert not it.admits("fd00::8", NOW_S)


@pytest.mark.parametrize("address", ["", "nonsense", "10.0.0.7.", "::ffff:10.0.0.9"])
def test_what_is_no_address_of_ours_is_nobody(address: str) -> None:
    it, _ = peers()
    assert not it.knows(address)


def seen_every_second(it: Peers, address: str, seconds: int, since: float = NOW_S) -> float:
    """A connection is open for so long; until when."""
    for i in range(seconds + 1):
        it.admits(address, since + i)
    return since + seconds


def test_operators_are_told_while_anybody_is_taken() -> None:
    it, _ = peers()
    assert it.fault(NOW_S) == ""
    now = seen_every_second(it, UNKNOWN, int(FAULT_AFTER_S))
    assert it.fault(now) == ""
    now = seen_every_second(it, UNKNOWN, 1, now)
    assert it.fault(now) == FAULT_HIDDEN


def test_operators_are_told_no_more_once_an_activator_was_seen() -> None:
    it, _ = peers()
    now = seen_every_second(it, UNKNOWN, 60)
    assert it.admits(ACTIVATOR, now)
    assert it.fault(now) == ""


def test_operators_are_told_no_more_once_strangers_have_left() -> None:
    it, _ = peers()
    now = seen_every_second(it, UNKNOWN, 60)
    assert it.fault(now + 60) == ""
    it.admits(UNKNOWN, now + 60)
    assert it.fault(now + 61) == ""


def test_operators_are_told_of_an_activator_that_may_be_hidden_and_refused() -> None:
    it, _ = peers()
    now = seen_every_second(it, ACTIVATOR, 1)
    it.follow([*activators(ACTIVATOR, "10.0.0.9")])
    assert it.fault(now) == ""
    assert not it.admits(UNKNOWN, now)
    assert "10.0.0.9" in it.fault(now)
    it.admits("10.0.0.9", now)
    assert it.fault(now) == ""


@pytest.mark.parametrize(
    ("app", "ready", "connects"),
    [("activator", "True", True), ("activator", "False", False), ("autoscaler", "True", False)],
)
def test_a_ready_activator_is_connected_for_sure(app: str, ready: str, connects: bool) -> None:
    pod = {
        "metadata": {"labels": {"app": app}},
        "status": {
            "podIP": ACTIVATOR,
            "podIPs": [{"ip": ACTIVATOR}, {"ip": "fd00::7"}],
            "conditions": [{"type": "Ready", "status": ready}],
        },
    }
    assert reporter(pod) == Reporter(addresses=(ACTIVATOR, "fd00::7"), connects=connects)


def test_a_pod_without_an_address_may_not_report() -> None:
    assert reporter({"metadata": {}}) == Reporter(addresses=(), connects=False)
