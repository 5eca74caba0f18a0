"""The Event for a changed decision."""

from dataclasses import fields
from typing import Any

import pytest

from autoscaler.advisor.read_model import Change
from autoscaler.core.names import name_id
from autoscaler.core.state.decision import Decision, Reason
from autoscaler.exchange.snapshot import Named
from knative.advisor.events import ObjectReference, scaling_event

CART = Named(
    id=name_id("shop/cart"),
    revision="shop/cart",
    service="shop/cart-service",
    configuration="",
    labelled_service="",
    uid="uid-of-cart",
    upstreams="",
    downstream_namespaces="",
)
NOTHING: dict[str, Any] = {f.name: 0 for f in fields(Decision)}


def a_change(
    before: int | None, want: int, reason: Reason = Reason.STABLE, *, scale: bool = True
) -> Change:
    """scale: whether anything has to be written."""
    return Change(
        revision=CART,
        before=before,
        decision=Decision(**NOTHING | {"want": want, "scale": scale}),
        reason=reason,
        sentence=f"{want} pods: because.",
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (a_change(1, 3), "Scaled"),
        (a_change(3, 1), "Scaled"),
        (a_change(1, 3, Reason.PANIC), "Scaled"),
        (a_change(0, 1), "ScaledFromZero"),
        (a_change(1, 0, Reason.ZERO), "ScaledToZero"),
        (a_change(1, 3, Reason.FORECAST), "ScaledAhead"),
        (a_change(0, 1, Reason.FORECAST), "ScaledAhead"),
        (a_change(1, 2, Reason.BILL), "ScaledAhead"),
        (a_change(3, 2, Reason.FORECAST), "Scaled"),
        (a_change(3, 2, Reason.EARLY), "ReleasedEarly"),
        (a_change(None, 2), "Scaled"),
        (a_change(-1, 2), "Scaled"),
    ],
)
def test_the_event_has_the_kind_and_the_sentence_of_the_change(change: Change, reason: str) -> None:
    event = scaling_event(change)
    assert event is not None
    assert (event.reason, event.message) == (reason, change.sentence)
    assert event.about == ObjectReference(
        api_version="autoscaling.internal.knative.dev/v1alpha1",
        kind="PodAutoscaler",
        namespace="shop",
        name="cart",
        uid="uid-of-cart",
    )


@pytest.mark.parametrize(
    "change",
    [
        a_change(2, -1, Reason.NO_DATA),  # the pods stay
        a_change(None, 2, scale=False),  # the first decision after our start
        a_change(-1, 2, scale=False),
    ],
)
def test_a_decision_that_changes_nothing_in_the_cluster_has_no_event(change: Change) -> None:
    assert scaling_event(change) is None
