"""Whatever stands in a file, it is a trace or refused in one line."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoscaler.errors import PermanentError
from benchmarks.traces.trace import read_trace
from tests.benchmarks.traces.test_layouts import LAYOUTS
from tests.examples import examples

ODD = ("", "-1", "nan", "inf", "1e308", "9" * 30, "0001-01-01", "9999-12-31T23:59:59-01:00", "\x00")
ODD_TEXT = st.sampled_from((*ODD, ",", "\n", '"', "é", "0", "{", "}")) | st.text(max_size=3)
every_layout = pytest.mark.parametrize("text", LAYOUTS.values(), ids=LAYOUTS)


def read_or_refuse(path: Path, text: str) -> None:
    path.write_bytes(text.encode(errors="surrogatepass"))
    refused = ""
    try:
        assert (np.nan_to_num(read_trace(path).counts) >= 0).all()
    except PermanentError as error:
        refused = str(error)
    assert "\n" not in refused
    assert not refused or str(path) in refused


@every_layout
@settings(
    max_examples=examples(40, many=500),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
)
@given(data=st.data())
def test_a_changed_file_is_read_or_refused(tmp_path: Path, text: str, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 3))):
        begin = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(begin, min(begin + 12, len(text))))
        text = text[:begin] + data.draw(ODD_TEXT) + text[end:]
    read_or_refuse(tmp_path / "trace.csv", text)


@pytest.mark.parametrize("odd", ODD)
@every_layout
def test_an_odd_field_is_read_or_refused(tmp_path: Path, text: str, odd: str) -> None:
    *head, last = text.splitlines()
    for place in range(last.count(",") + 1):
        fields = last.split(",")
        fields[place] = odd
        read_or_refuse(tmp_path / "trace.csv", "\n".join([*head, ",".join(fields)]) + "\n")
