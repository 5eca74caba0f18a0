"""The Events for a changed decision, and for what has begun."""

import pytest

from autoscaler.advisor.occasions import Begun, Occasion
from autoscaler.advisor.read_model import Change
from autoscaler.core.names import name_id
from autoscaler.core.state.decision import Reason
from autoscaler.exchange.snapshot import Named
from knative.advisor.events import ObjectReference, begun_event, scaling_event

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


def a_change(
    before: int | None, want: int, reason: Reason = Reason.STABLE, *, scale: bool = True
) -> Change:
    """scale: whether anything has to be written."""
    return Change(
        revision=CART,
        at_s=0.0,
        before=before,
        want=want,
        scale=scale,
        applied=True,
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


def test_a_bill_that_is_reached_is_a_warning_about_the_podautoscaler() -> None:
    sentence = "2 pods: the bill allows 1 of 4 pods ahead."
    begun = Begun(occasion=Occasion.BILL_REACHED, revision=CART, sentence=sentence)
    event = begun_event(begun)
    assert (event.reason, event.message, event.warning) == ("BillReached", sentence, True)
    assert (event.about.kind, event.about.uid) == ("PodAutoscaler", "uid-of-cart")


@pytest.mark.parametrize("occasion", Occasion)
def test_all_that_may_begin_has_a_reason_of_an_event(occasion: Occasion) -> None:
    begun = Begun(occasion=occasion, revision=CART, sentence="so it is")
    assert begun_event(begun).reason.isalpha()
