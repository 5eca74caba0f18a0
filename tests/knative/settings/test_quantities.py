from collections.abc import Callable

import pytest

from knative.settings.quantities import LONGEST_S, boolean, duration_s, integer, number


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("60s", 60.0),
        ("1m30s", 90.0),
        ("1h", 3600.0),
        ("1.5h", 5400.0),
        (".5s", 0.5),
        ("1.s", 1.0),
        ("100ms", 0.1),
        ("250us", 250e-6),
        ("250µs", 250e-6),
        ("10ns", 1e-8),
        ("0", 0.0),
        ("0s", 0.0),
        ("+5s", 5.0),
        ("1h1m1s1ms", 3661.001),
    ],
)
def test_reads_go_durations(text: str, seconds: float) -> None:
    assert duration_s(text) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize(
    "text", ["", "60", "s", "1 s", "1d", "one minute", "5s ", "1e3s", "-", "."]
)
def test_refuses_what_is_no_go_duration_and_names_it(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration; allowed: such as") as refusal:
        duration_s(text)
    assert repr(text) in str(refusal.value)


def test_a_duration_that_go_cannot_count_is_none() -> None:
    assert duration_s("2562047h") <= LONGEST_S
    with pytest.raises(ValueError, match="too long"):
        duration_s("2562048h")


@pytest.mark.parametrize("text", ["1", "t", "T", "TRUE", "true", "True"])
def test_reads_go_truths(text: str) -> None:
    assert boolean(text) is True


@pytest.mark.parametrize("text", ["0", "f", "F", "FALSE", "false", "False"])
def test_reads_go_falsehoods(text: str) -> None:
    assert boolean(text) is False


@pytest.mark.parametrize("text", ["", "yes", "no", "on", "tRUE", " true"])
def test_refuses_what_is_no_go_boolean(text: str) -> None:
    with pytest.raises(ValueError, match="is no boolean; allowed: true, false"):
        boolean(text)


@pytest.mark.parametrize(
    ("text", "count"), [("0", 0), ("-1", -1), ("+7", 7), (str(2**31 - 1), 2**31 - 1)]
)
def test_reads_counts(text: str, count: int) -> None:
    assert integer(text) == count


@pytest.mark.parametrize("text", ["", "1.0", "1_0", " 1", "\uff11", str(2**31), "9" * 60, "0x1"])
def test_refuses_what_kubernetes_cannot_count(text: str) -> None:
    with pytest.raises(ValueError, match="is no count; allowed: whole numbers"):
        integer(text)


@pytest.mark.parametrize(
    ("text", "value"), [("70", 70.0), ("0.7", 0.7), (".5", 0.5), ("1e2", 100.0), ("-1", -1.0)]
)
def test_reads_numbers(text: str, value: float) -> None:
    assert number(text) == value


@pytest.mark.parametrize("text", ["", "nan", "inf", "-inf", "1e999", "1_0", "70%", " 1"])
def test_refuses_what_is_no_finite_number(text: str) -> None:
    with pytest.raises(ValueError, match="is no number; allowed: such as"):
        number(text)


@pytest.mark.parametrize("read", [duration_s, integer, number, boolean])
@pytest.mark.parametrize("text", ["1" * 1_000_000, "1." * 500_000, "1s" * 500_000, "x" * 10**6])
def test_a_text_of_absurd_length_is_refused_at_once_and_not_repeated(
    read: Callable[[str], object], text: str
) -> None:
    with pytest.raises(ValueError, match="1000000 characters; allowed: 64") as refused:
        read(text)
    assert len(str(refused.value)) < 200
