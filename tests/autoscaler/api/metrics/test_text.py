import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from autoscaler.api.metrics.text import braced, family, head, histogram, pairs, single

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(TEXTS, TEXTS)
def test_any_label_is_read_as_it_was_written(one: str, other: str) -> None:
    labels = braced(pairs(one=one, other=other))
    text = family("m", "gauge", "About", [labels], np.ones(1), np.ones(1, np.bool_))
    (read,) = text_string_to_metric_families(text)
    assert [(s.labels, s.value) for s in read.samples] == [({"one": one, "other": other}, 1.0)]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_number_is_read_as_it_was_written(value: float) -> None:
    (read,) = text_string_to_metric_families(single("m", "gauge", "About", value))
    assert [s.value for s in read.samples] == [value]


def test_only_rows_that_are_known_and_finite_have_a_sample() -> None:
    values = np.array([1.0, np.nan, np.inf, 4.0, 5.0])
    known = np.array([True, True, True, False, True])
    labels = [f'{{row="{i}"}}' for i in range(5)]
    text = family("m", "counter", "About", labels, values, known)
    assert text == '# HELP m About\n# TYPE m counter\nm{row="0"} 1.0\nm{row="4"} 5.0\n'


@pytest.mark.parametrize(
    ("values", "said"), [(np.array([True]), "1"), (np.array([2**40]), "1099511627776")]
)
def test_truths_and_whole_numbers_are_whole(values: np.ndarray, said: str) -> None:
    text = family("m", "gauge", "About", [""], values, np.ones(1, np.bool_))
    assert text.endswith(f"\nm {said}\n")


def test_a_histogram_ends_with_its_sum_and_its_count() -> None:
    lines = histogram("m", 'a="b"', [("0.1", 2), ("+Inf", 3)], 4.5).splitlines()
    assert lines == [
        'm_bucket{a="b",le="0.1"} 2',
        'm_bucket{a="b",le="+Inf"} 3',
        'm_sum{a="b"} 4.5',
        'm_count{a="b"} 3',
    ]
    (read,) = text_string_to_metric_families(
        head("m", "histogram", "About") + "\n".join(lines) + "\n"
    )
    assert (read.type, len(read.samples)) == ("histogram", 4)
