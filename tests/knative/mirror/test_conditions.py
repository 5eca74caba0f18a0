import pytest

from knative.mirror.conditions import KINDS, Condition, Status, status
from tests.knative.objects import LONG_AGO, a_condition, an_old_status


def test_a_condition_is_written_as_it_was_read() -> None:
    said = an_old_status("False")["conditions"]
    assert [c.as_object() for c in status({"conditions": said}).conditions] == said


def test_a_condition_that_is_not_there_says_nothing() -> None:
    assert Status().condition("Active") == Condition(kind="Active")


def test_only_conditions_of_a_podautoscaler_are_kept_and_the_first_of_each() -> None:
    many = [a_condition(f"Other-{i}", "True") for i in range(1000)]
    said = [*many, a_condition("Ready", "True"), a_condition("Ready", "False"), *many]
    assert [(c.kind, c.status) for c in status({"conditions": said}).conditions] == [
        ("Ready", "True")
    ]


def test_long_texts_are_cut() -> None:
    said = [a_condition(kind, "x" * 9999, reason="y" * 9999, message="z" * 9999) for kind in KINDS]
    kept = status({"conditions": said, "serviceName": "s" * 9999})
    assert sum(len(c.status + c.reason + c.message) for c in kept.conditions) <= 4 * 3 * 1024
    assert kept.service == ""


@pytest.mark.parametrize("since", [None, 7, "yesterday", "x" * 10_000])
def test_a_time_that_cannot_be_is_not_known(since: object) -> None:
    said = {"type": "Active", "status": "True", "lastTransitionTime": since}
    assert status({"conditions": [said]}).condition("Active").since == ""


@pytest.mark.parametrize("count", ["3", 3.5, float("inf"), {}])
def test_a_count_that_cannot_be_says_nothing(count: object) -> None:
    assert status({"desiredScale": count, "actualScale": count}) == Status()


def test_an_ordinary_status_is_kept() -> None:
    kept = status(an_old_status())
    assert (kept.desired, kept.actual, kept.generation) == (1, 1, 1)
    assert (kept.service, kept.metrics_service) == ("cart", "cart-private")
    assert {c.since for c in kept.conditions} == {LONG_AGO}
