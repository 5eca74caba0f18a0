"""What is told of a change of what is wanted, and what is not."""

from dataclasses import fields
from typing import Any

import pytest

from autoscaler.advisor.read_model import Change
from autoscaler.core.names import name_id
from autoscaler.core.state.decision import Decision, Reason
from autoscaler.exchange.snapshot import Named
from knative.advisor.events import Regarding, note_of

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
        (a_change(3, 2, Reason.FORECAST), "Scaled"),
        (a_change(3, 2, Reason.EARLY), "ReleasedEarly"),
        (a_change(None, 2), "Scaled"),
        (a_change(-1, 2), "Scaled"),
    ],
)
def test_a_change_is_told_of_by_its_kind_with_its_sentence(change: Change, reason: str) -> None:
    note = note_of(change)
    assert note is not None
    assert (note.reason, note.message) == (reason, change.sentence)
    assert note.about == Regarding(
        api_version="autoscaling.internal.knative.dev/v1alpha1",
        kind="PodAutoscaler",
        namespace="shop",
        name="cart",
        uid="uid-of-cart",
    )


@pytest.mark.parametrize(
    "change",
    [
        a_change(2, -1, Reason.NO_DATA),  # what is there stays
        a_change(None, 2, scale=False),  # we came, and found it so
        a_change(-1, 2, scale=False),
    ],
)
def test_what_changes_nothing_in_the_cluster_is_not_told(change: Change) -> None:
    assert note_of(change) is None
