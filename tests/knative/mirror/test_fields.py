import pytest

from knative.mirror.fields import LONGEST_TEXT, name, text, unix, whole
from tests.knative.objects import NOW_S


def test_a_text_is_cut_and_shared() -> None:
    assert text("x" * 5000) == "x" * LONGEST_TEXT
    assert text("".join(["No", "Traffic"])) is text("".join(["NoTraf", "fic"]))


@pytest.mark.parametrize("value", [None, 7, {}, [], True, float("inf"), "x" * 254])
def test_what_is_no_name_is_none(value: object) -> None:
    assert name(value) == ""


@pytest.mark.parametrize(("value", "count"), [(None, 0), (0, 0), (7, 7), (2**63 - 1, 2**63 - 1)])
def test_counts(value: object, count: int) -> None:
    assert whole(value) == count


@pytest.mark.parametrize("value", ["7", 7.5, float("inf"), 2**63, {}, [], "x" * 10**6])
def test_what_is_no_count_is_refused_by_value_and_what_is_allowed(value: object) -> None:
    with pytest.raises(ValueError, match="allowed: whole numbers of 64 bits"):
        whole(value)


@pytest.mark.parametrize("value", ["2023-11-14T22:13:20Z", "2023-11-14T22:13:20.000000Z"])
def test_reads_kubernetes_times(value: str) -> None:
    assert unix(value) == NOW_S


@pytest.mark.parametrize("value", [None, ""])
def test_a_time_that_is_missing_is_none(value: str | None) -> None:
    assert unix(value) is None


@pytest.mark.parametrize("value", ["yesterday", "0001-01-01T00:00:00", "9" * 10**6])
def test_what_is_no_time_is_a_wrong_value(value: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # whatever it says
        unix(value)
