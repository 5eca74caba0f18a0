"""The status of a PodAutoscaler, as its readers need it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from autoscaler.core.state.revision import Active, Requested
from knative.client.api import Object
from knative.controller.state.status import (
    active_of,
    pending_status,
    same,
    status_of,
    unowned_status,
)
from knative.mirror.conditions import status as kept_status
from knative.mirror.fields import kubernetes_time
from knative.mirror.objects import PodAutoscaler, podautoscaler, serverlessservice
from tests.knative.objects import (
    LONG_AGO,
    NOW_S,
    a_condition,
    a_podautoscaler,
    a_serverlessservice,
    an_old_status,
)

AT_WORK: Requested[float, int, bool] = Requested(
    want=1,
    scale=False,
    probe=False,
    proxy=True,
    activators=2,
    active=Active.TRUE,
    ready=1,
    initialized=True,
    changed=False,
    retry_s=np.nan,
    wait_s=0.0,
)
SKS = serverlessservice(a_serverlessservice())
NOW = kubernetes_time(NOW_S)
SERVED = podautoscaler(a_podautoscaler(status=an_old_status()))
FRESH = podautoscaler(a_podautoscaler())


def after(pa: PodAutoscaler = SERVED, *, sks_ready: bool = True, **asked: Any) -> Object:
    """The status that should stand after a pass."""
    return status_of(pa, replace(SKS, ready=sks_ready), replace(AT_WORK, **asked), NOW_S)


def said(status: Object, kind: str) -> tuple[str, str]:
    """Status and reason of a condition."""
    found = next(c for c in status["conditions"] if c["type"] == kind)
    return found["status"], found.get("reason", "")


def was(active: str, **fields: Any) -> PodAutoscaler:
    return podautoscaler(a_podautoscaler(status=an_old_status(active, **fields)))


# --- each condition -------------------------------------------------------------------------------


def test_active_is_true_without_a_reason() -> None:
    assert said(after(), "Active") == ("True", "")


def test_activating_is_unknown_and_queued() -> None:
    assert said(after(active=Active.UNKNOWN), "Active") == ("Unknown", "Queued")


def test_nobody_comes_is_false_and_no_traffic() -> None:
    assert said(after(want=0, active=Active.FALSE), "Active") == ("False", "NoTraffic")


def test_an_activation_that_failed_is_false_and_timed_out() -> None:
    status = after(was("Unknown"), want=0, ready=0, active=Active.FALSE)
    assert said(status, "Active") == ("False", "TimedOut")


def test_no_pods_at_first_is_no_failure() -> None:
    status = after(FRESH, want=-1, ready=0, active=Active.FALSE)
    assert said(status, "Active") == ("False", "NoTraffic")


def test_the_serverlessservice_is_mirrored() -> None:
    assert said(after(), "SKSReady") == ("True", "")
    assert said(after(sks_ready=False), "SKSReady") == ("Unknown", "NotReady")


def test_initialized_is_true_or_unknown() -> None:
    assert said(after(), "ScaleTargetInitialized") == ("True", "")
    assert said(after(FRESH, initialized=False), "ScaleTargetInitialized") == ("Unknown", "")


@pytest.mark.parametrize("text", ["True", "False", "Unknown"])
def test_reads_active_back(text: str) -> None:
    assert active_of(was(text)) is Active[text.upper()]


def test_a_revision_without_conditions_is_activating() -> None:
    assert active_of(FRESH) is Active.UNKNOWN
    assert FRESH.status.condition("Active").status == ""


# --- Ready ----------------------------------------------------------------------------------------


def test_ready_when_all_are_true() -> None:
    assert said(after(), "Ready") == ("True", "")


def test_not_ready_for_the_reason_of_what_is_false() -> None:
    status = after(want=0, active=Active.FALSE, sks_ready=False)
    assert said(status, "Ready") == ("False", "NoTraffic")


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [({"active": Active.UNKNOWN}, "Queued"), ({"sks_ready": False}, "NotReady")],
)
def test_readiness_is_unknown_for_the_reason_of_what_is_unknown(
    outcome: dict[str, Any], reason: str
) -> None:
    assert said(after(**outcome), "Ready") == ("Unknown", reason)


def test_of_two_that_are_unknown_the_newer_is_the_reason() -> None:
    queued = "Requests to the target are being buffered as resources are provisioned."
    status = an_old_status("Unknown")
    status["conditions"][0] |= {"reason": "Queued", "message": queued}
    pa = podautoscaler(a_podautoscaler(status=status))
    made = after(pa, active=Active.UNKNOWN, sks_ready=False)
    assert said(made, "Ready") == ("Unknown", "NotReady")


def test_ready_carries_the_message_of_its_reason() -> None:
    status = after(want=0, active=Active.FALSE)
    texts = {c["type"]: c.get("message") for c in status["conditions"]}
    assert texts["Ready"] == texts["Active"] == "The target is not receiving traffic."


# --- transition times -----------------------------------------------------------------------------


def test_what_did_not_change_keeps_its_time() -> None:
    assert {c["lastTransitionTime"] for c in after()["conditions"]} == {LONG_AGO}


def test_what_changed_gets_the_time_of_the_change() -> None:
    times = {c["type"]: c["lastTransitionTime"] for c in after(sks_ready=False)["conditions"]}
    assert times == {
        "Active": LONG_AGO,
        "Ready": NOW,
        "SKSReady": NOW,
        "ScaleTargetInitialized": LONG_AGO,
    }


def test_a_condition_that_did_not_change_stays_to_the_last_field() -> None:
    status = an_old_status()
    status["conditions"][0]["severity"] = "Info"
    pa = podautoscaler(a_podautoscaler(status=status))
    assert after(pa)["conditions"][0] == status["conditions"][0]


def test_another_reason_is_a_change() -> None:
    other = an_old_status("False")
    other["conditions"][0]["reason"] = "TimedOut"
    pa = podautoscaler(a_podautoscaler(status=other))
    status = after(pa, want=0, active=Active.FALSE)
    assert status["conditions"][0]["lastTransitionTime"] == NOW


# --- the rest -------------------------------------------------------------------------------------


@pytest.mark.parametrize("pa", [SERVED, FRESH])
def test_conditions_are_sorted_and_all_there(pa: PodAutoscaler) -> None:
    kinds = [c["type"] for c in after(pa)["conditions"]]
    assert kinds == ["Active", "Ready", "SKSReady", "ScaleTargetInitialized"]


def names(status: Object) -> tuple[str, str]:
    return status["serviceName"], status["metricsServiceName"]


def test_both_service_names_are_always_there() -> None:
    assert names(after()) == ("cart", "cart-private")
    unnamed = replace(SKS, service="", private="")
    assert names(status_of(FRESH, unnamed, AT_WORK, NOW_S)) == ("", "")
    assert names(pending_status(FRESH, NOW_S)) == ("", "")
    assert names(pending_status(SERVED, NOW_S)) == ("cart", "cart-private")


def test_both_service_names_are_there_when_the_serverlessservice_is_not_ours() -> None:
    assert names(unowned_status(FRESH, NOW_S)) == ("", "")
    assert names(unowned_status(SERVED, NOW_S)) == ("cart", "cart-private")


@pytest.mark.parametrize(
    ("before", "want", "after_it"), [(3, -1, 3), (0, -1, 0), (3, 0, 0), (0, 5, 5)]
)
def test_no_decision_never_overwrites_one(before: int, want: int, after_it: int) -> None:
    assert after(was("True", desiredScale=before), want=want)["desiredScale"] == after_it


def test_no_decision_is_said_where_none_was_made() -> None:
    assert after(FRESH, want=-1)["desiredScale"] == -1


def test_counts_pods_and_the_generation() -> None:
    pa = replace(SERVED, generation=7)
    status = after(pa, want=4, ready=3)
    assert (status["desiredScale"], status["actualScale"]) == (4, 3)
    assert status["observedGeneration"] == 7


def test_a_status_that_says_nothing_new_is_the_same() -> None:
    assert same(SERVED, after())
    assert not same(SERVED, after(ready=2))
    assert not same(FRESH, after())


def test_a_status_that_another_wrote_more_into_is_the_same() -> None:
    assert same(was("True", annotations={"who": "cares"}), after())


def test_while_its_service_is_not_set_up_it_is_not_ready_and_has_no_pods() -> None:
    status = pending_status(SERVED, NOW_S)
    assert (said(status, "SKSReady"), said(status, "Ready")[0]) == (
        ("Unknown", "NotReady"),
        "Unknown",
    )
    assert said(status, "Active") == ("Unknown", "Queued")
    assert said(status, "ScaleTargetInitialized") == ("True", "")
    assert (status["desiredScale"], status["actualScale"]) == (1, 0)
    fresh = pending_status(FRESH, NOW_S)
    assert said(fresh, "ScaleTargetInitialized") == ("Unknown", "")
    assert fresh["desiredScale"] == -1
    assert said(pending_status(was("False"), NOW_S), "Active") == ("False", "NoTraffic")


def test_not_owned_is_false_and_keeps_what_was_initialized() -> None:
    status = unowned_status(SERVED, NOW_S)
    assert said(status, "Active") == ("False", "NotOwned")
    assert said(status, "SKSReady") == ("False", "NotOwned")
    assert said(status, "Ready") == ("False", "NotOwned")
    assert said(status, "ScaleTargetInitialized") == ("True", "")


def test_not_owned_is_written_once() -> None:
    first = unowned_status(SERVED, NOW_S)
    pa = replace(SERVED, status=kept_status({**an_old_status(), **first}))
    assert same(pa, unowned_status(pa, NOW_S + 100))


def test_a_condition_of_another_is_not_ours_to_read() -> None:
    status = {"conditions": [a_condition("Other", "True")]}
    assert active_of(podautoscaler(a_podautoscaler(status=status))) is Active.UNKNOWN
