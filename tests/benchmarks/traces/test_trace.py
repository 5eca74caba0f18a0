from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoscaler.errors import PermanentError
from benchmarks.traces.trace import Trace, read_trace

IDS = np.array(["func_1", "app/func_2"])
COUNTS = np.array([[0, 3, 1, 2], [5, 0, 0, 7]])
INVOCATIONS = "invocations_per_function_md.anon.d{:02}.csv"
DURATIONS = "function_durations_percentiles.anon.d{:02}.csv"


def npz(folder: Path, **arrays: Any) -> Path:
    """A file of arrays, on top of the ids and the step; None leaves one out."""
    whole: dict[str, Any] = {"ids": IDS, "step_s": 60} | arrays
    path = folder / "trace.npz"
    np.savez(path, **{name: array for name, array in whole.items() if array is not None})
    return path


def day_2019(folder: Path, day: int, calls: dict[str, dict[int, int]]) -> Path:
    """A day's file: by "app,function,trigger", executions by minute from 1."""
    minutes = range(1, 1441)
    lines = ["HashOwner,HashApp,HashFunction,Trigger," + ",".join(map(str, minutes))]
    for name, by_minute in calls.items():
        lines.append(f"owner,{name}," + ",".join(str(by_minute.get(m, 0)) for m in minutes))
    path = folder / INVOCATIONS.format(day)
    path.write_text("\r\n".join(lines) + "\r\n")
    return path


def csv_2021(folder: Path, *rows: str) -> Path:
    path = folder / "two_weeks.txt"
    path.write_text("\n".join(["app,func,end_timestamp,duration", *rows]) + "\n")
    return path


def refusal(path: Path, *more: Path) -> str:
    with pytest.raises(PermanentError) as caught:
        read_trace(path, *more)
    message = str(caught.value)
    assert message.startswith(str(path.parent))
    assert message.count(str(path.parent)) == 1
    assert "\n" not in message
    return message


def test_counts_of_an_npz_come_as_they_are(tmp_path: Path) -> None:
    durations = np.array([[np.nan, 0.5, 0.5, 1.0], [2.0, np.nan, np.nan, 2.0]])
    trace = read_trace(npz(tmp_path, counts=COUNTS, avg_duration_s=durations))
    assert trace.services == ("default/func_1", "app/func_2")
    assert (trace.start_s, trace.step_s, trace.kind) == (0.0, 60.0, "counts")
    assert trace.counts.tolist() == COUNTS.tolist()
    np.testing.assert_array_equal(trace.duration_s, durations)


def test_containers_are_in_flight_and_requests_are_counts(tmp_path: Path) -> None:
    assert read_trace(npz(tmp_path, containers=COUNTS)).kind == "in_flight"
    assert read_trace(npz(tmp_path, requests=COUNTS)).kind == "counts"


@pytest.mark.parametrize("name", ["rate_rps", "ops"])
def test_rates_become_counts_a_step(tmp_path: Path, name: str) -> None:
    trace = read_trace(npz(tmp_path, **{name: COUNTS / 10}))
    assert trace.kind == "counts"
    np.testing.assert_allclose(trace.counts, COUNTS * 6.0)


def test_missing_durations_are_nan(tmp_path: Path) -> None:
    assert np.isnan(read_trace(npz(tmp_path, counts=COUNTS)).duration_s).all()


@pytest.mark.parametrize(
    ("t0", "start_s"),
    [
        ("2022-08-22T00:00Z", 1_661_126_400.0),
        ("2022-08-22T00:00", 1_661_126_400.0),
        ("1995-07-01T00:00-04:00", 804_571_200.0),
    ],
)
def test_the_start_is_read_from_t0(tmp_path: Path, t0: str, start_s: float) -> None:
    assert read_trace(npz(tmp_path, counts=COUNTS, t0=t0)).start_s == start_s


def test_what_was_not_recorded_is_a_gap_whatever_stands_there(tmp_path: Path) -> None:
    counts = np.array([[0.0, -1.0, np.nan, 2.0], [5.0, 0.0, 0.0, np.inf]])
    valid = np.array([[True, False, False, True], [True, True, True, False]])
    trace = read_trace(npz(tmp_path, counts=counts, valid=valid))
    gaps = [[0.0, np.nan, np.nan, 2.0], [5.0, 0.0, 0.0, np.nan]]
    np.testing.assert_array_equal(trace.counts, gaps)


def test_past_the_valid_part_of_a_series_is_a_gap(tmp_path: Path) -> None:
    trace = read_trace(npz(tmp_path, counts=COUNTS, n_valid=np.array([4, 1])))
    np.testing.assert_array_equal(trace.counts[1], [5.0, np.nan, np.nan, np.nan])


def test_minutes_of_ops_that_were_not_measured_are_gaps(tmp_path: Path) -> None:
    trace = read_trace(npz(tmp_path, ops=np.where(COUNTS > 0, COUNTS, np.nan)))
    np.testing.assert_array_equal(trace.counts[0], [np.nan, 180.0, 60.0, 120.0])


def test_columns_stand_at_their_times_with_gaps_between(tmp_path: Path) -> None:
    trace = read_trace(npz(tmp_path, counts=COUNTS, ts=np.array([600, 660, 840, 900])))
    assert trace.start_s == 600.0
    np.testing.assert_array_equal(trace.counts[0], [0.0, 3.0, np.nan, np.nan, 1.0, 2.0])


@pytest.mark.parametrize(
    ("arrays", "part"),
    [
        ({"replicas": COUNTS}, "holds ids, step_s, replicas; allowed: arrays ids, step_s and one"),
        ({"counts": COUNTS, "ops": COUNTS}, "allowed: arrays ids, step_s and one of counts"),
        ({"counts": COUNTS, "ids": None}, "holds step_s, counts; allowed"),
        ({"counts": COUNTS, "step_s": None}, "holds ids, counts; allowed"),
        ({"counts": COUNTS, "step_s": 0}, "step_s is 0; allowed: one number > 0"),
        ({"counts": COUNTS, "step_s": [60, 60]}, "step_s is [60 60]; allowed"),
        ({"counts": COUNTS[0]}, "counts is int64 of shape (4,); allowed: numbers (n, T)"),
        ({"counts": COUNTS[:, :0]}, "counts is int64 of shape (2, 0); allowed: numbers (n, T)"),
        ({"counts": COUNTS.astype(str)}, "allowed: numbers (n, T)"),
        ({"counts": -COUNTS}, "counts[0, 1] is -3; allowed: finite, >= 0"),
        ({"counts": np.full((2, 4), np.nan)}, "counts[0, 0] is nan; allowed: outside valid only"),
        ({"rate_rps": np.full((2, 4), np.nan)}, "rate_rps[0, 0] is nan; allowed"),
        ({"counts": np.full((2, 4), np.inf)}, "counts[0, 0] is inf; allowed: finite, >= 0"),
        ({"counts": COUNTS, "valid": np.ones(4, bool)}, "valid is bool of shape (4,); allowed"),
        ({"counts": COUNTS, "valid": COUNTS}, "valid is int64 of shape (2, 4); allowed: bool"),
        ({"counts": COUNTS, "n_valid": 3}, "n_valid is int64 of shape (); allowed: whole"),
        ({"counts": COUNTS, "ids": IDS[:1]}, "counts has shape (2, 4); allowed: (1, 4)"),
        ({"counts": COUNTS, "ids": np.array(["a", "a"])}, "ids holds 'default/a' 2 times"),
        ({"counts": COUNTS, "ids": np.array([1, 2])}, "ids is int64 of shape (2,); allowed: text"),
        ({"counts": COUNTS, "ids": np.array(["a", ""])}, "allowed: text (n,)"),
        ({"counts": COUNTS, "ids": np.array(["a", None])}, "is damaged or holds objects"),
        ({"counts": COUNTS, "t0": "yesterday"}, "npz: t0 is 'yesterday'; allowed: ISO 8601"),
        ({"counts": COUNTS, "t0": "9999-01-01"}, "start_s is 2.53371e+11; allowed: up to 1e+11 s"),
        ({"counts": COUNTS, "step_s": 1e300}, "step_s is 1e+300; allowed: up to 2.6784e+06 s"),
        (
            {"counts": COUNTS, "avg_duration_s": np.full(COUNTS.shape, 1e300)},
            "the longest of duration_s is 1e+300; allowed: up to 2.6784e+06 s",
        ),
        ({"counts": COUNTS, "ts": [0, 60, 60, 120]}, "ts[2] is 60; allowed: ascending, each"),
        ({"counts": COUNTS, "ts": [0, 120, 60, 180]}, "ts[2] is 60; allowed: ascending, each"),
        ({"counts": COUNTS, "ts": [0, 60, 90, 120]}, "ts[2] is 90; allowed: whole steps of 60 s"),
        ({"counts": COUNTS, "ts": [0.0, 1.0, np.nan, 3.0]}, "ts[2] is nan; allowed: finite"),
        ({"counts": COUNTS, "ts": [0, 60]}, "ts is int64 of shape (2,); allowed: Unix s (4,)"),
        ({"counts": COUNTS, "ts": [0, 60, 120, 6 * 10**10]}, "2 services x 1000000001 steps"),
        ({"counts": COUNTS, "avg_duration_s": [1.0]}, "avg_duration_s is float64 of shape (1,)"),
        (
            {"counts": COUNTS, "avg_duration_s": np.full((2, 4), -1.0)},
            "duration_s holds a negative or infinite value",
        ),
    ],
)
def test_arrays_that_are_no_trace_are_refused(
    tmp_path: Path, arrays: dict[str, Any], part: str
) -> None:
    assert part in refusal(npz(tmp_path, **arrays))


def test_days_of_2019_stand_one_after_another(tmp_path: Path) -> None:
    day_2019(tmp_path, 2, {"a1,f1,http": {1: 4, 1440: 1}})
    day_2019(tmp_path, 4, {"a1,f1,http": {2: 9}, "a2,f1,timer": {60: 1}})
    trace = read_trace(tmp_path)
    assert trace.services == ("a1/f1", "a2/f1")
    assert (trace.start_s, trace.step_s, trace.kind) == (86_400.0, 60.0, "counts")
    assert trace.counts.shape == (2, 3 * 1440)
    assert np.isnan(trace.counts[:, 1440:2880]).all()
    assert np.flatnonzero(np.nan_to_num(trace.counts[0])).tolist() == [0, 1439, 2881]
    assert np.nansum(trace.counts, axis=1).tolist() == [14.0, 1.0]


def test_a_function_that_is_not_listed_on_a_day_was_not_called(tmp_path: Path) -> None:
    first = day_2019(tmp_path, 1, {"a,f,http": {1: 1}})
    second = day_2019(tmp_path, 2, {"a,g,http": {1: 1}})
    trace = read_trace(second, first)
    assert trace.services == ("a/f", "a/g")
    assert trace.counts.sum(axis=1).tolist() == [1.0, 1.0]
    assert not np.isnan(trace.counts).any()


def test_triggers_of_a_function_add_up(tmp_path: Path) -> None:
    path = day_2019(tmp_path, 1, {"a,f,http": {5: 2}, "a,f,timer": {5: 1, 6: 1}})
    assert read_trace(path).counts[0, 3:7].tolist() == [0.0, 3.0, 1.0, 0.0]


def test_durations_of_a_day_stand_where_it_was_called(tmp_path: Path) -> None:
    path = day_2019(tmp_path, 3, {"a,f,http": {5: 2}, "a,g,http": {5: 2}})
    (tmp_path / DURATIONS.format(3)).write_text(
        "HashOwner,HashApp,HashFunction,Average,Count,Minimum\n"
        "o,a,f,100,3,1\no,a,f,500,1,1\no,a,elsewhere,9,1,1\no,a,g,9,0,1\n"
    )
    duration_s = read_trace(path).duration_s
    assert np.flatnonzero(~np.isnan(duration_s[0])).tolist() == [4]
    assert duration_s[0, 4] == pytest.approx(0.2)
    assert np.isnan(duration_s[1]).all()


def test_a_single_file_needs_no_day_in_its_name(tmp_path: Path) -> None:
    path = day_2019(tmp_path, 7, {"a,f,http": {5: 2}}).rename(tmp_path / "cut.csv")
    assert read_trace(path).start_s == 0.0
    assert "cut.csv names no day" in refusal(path, path)


def test_invocations_of_2021_count_when_they_begin(tmp_path: Path) -> None:
    trace = read_trace(
        csv_2021(
            tmp_path,
            "a,f,185.0,0.5",
            "a,f,190.0,1.5",
            "b,f,181.0,0.25",  # the first that ended: the trace begins with its minute, 180
            "b,f,300.5,1.0",  # began at 299.5
            "b,f,200.0,60.0",  # began before the trace
        )
    )
    assert trace.services == ("a/f", "b/f")
    assert (trace.start_s, trace.step_s, trace.kind) == (180.0, 60.0, "counts")
    assert trace.counts.tolist() == [[2.0, 0.0], [1.0, 1.0]]
    np.testing.assert_array_equal(trace.duration_s, [[1.0, np.nan], [0.25, 1.0]])


def test_2021_files_may_be_several(tmp_path: Path) -> None:
    first = csv_2021(tmp_path, "a,f,10.0,0.5").rename(tmp_path / "1.csv")
    second = csv_2021(tmp_path, "a,f,70.0,0.5").rename(tmp_path / "2.csv")
    assert read_trace(first, second).counts.tolist() == [[1.0, 1.0]]


@pytest.mark.parametrize(
    ("row", "part"),
    [
        ("a,f,10.0", "line 3 has 3 columns; allowed: 4"),
        ("a,f,soon,1", "line 3, column end_timestamp: 'soon'; allowed: a number >= 0"),
        (
            "a,f,1e300,1",
            "line 3, column end_timestamp: '1e300'; allowed: a number >= 0 and <= 1e+11",
        ),
        (
            "a,f,60,1e300",
            "line 3, column duration: '1e300'; allowed: a number >= 0 and <= 2.6784e+06",
        ),
        ("a,f,nan,1", "line 3, column end_timestamp: 'nan'"),
        ("a,f,10.0,-1", "line 3, column duration: '-1'"),
        ("a,f,9e10,1", "1 services x 1500000000 steps; allowed"),
    ],
)
def test_a_bad_invocation_is_named_by_line(tmp_path: Path, row: str, part: str) -> None:
    assert part in refusal(csv_2021(tmp_path, "a,f,1.0,0.5", row))


def test_bad_counts_of_2019_are_named_by_line(tmp_path: Path) -> None:
    path = day_2019(tmp_path, 1, {"a,f,http": {5: 2}, "a,g,http": {7: -3}})
    assert "line 3, column 7: '-3'; allowed: a number >= 0" in refusal(path)
    path.write_text(path.read_text().replace("-3", "x"))
    assert "line 3, column 7: 'x'" in refusal(path)
    path.write_text(path.read_text().replace("x,", "nan,"))
    assert "line 3, column 7: 'nan'" in refusal(path)
    path.write_text(path.read_text().replace("nan,", ""))
    assert "line 3 has 1443 columns; allowed: 1444" in refusal(path)


def test_a_function_twice_on_a_day_is_refused(tmp_path: Path) -> None:
    path = day_2019(tmp_path, 1, {"a,f,http": {5: 2}})
    path.write_text(path.read_text() + path.read_text().splitlines()[1] + "\n")
    assert "line 3: f (http) again; allowed: once" in refusal(path)


def test_minutes_out_of_order_are_refused(tmp_path: Path) -> None:
    path = day_2019(tmp_path, 1, {"a,f,http": {5: 2}})
    path.write_text(path.read_text().replace("Trigger,1,2,", "Trigger,2,1,"))
    assert "has other columns; allowed: HashOwner,HashApp,HashFunction,Trigger,1..1440" in refusal(
        path
    )


def test_a_day_twice_is_refused(tmp_path: Path) -> None:
    path = day_2019(tmp_path, 1, {"a,f,http": {5: 2}})
    assert "is day 1; allowed: days from 1, each once" in refusal(path, path)


def test_a_durations_file_of_other_columns_is_refused(tmp_path: Path) -> None:
    path = day_2019(tmp_path, 1, {"a,f,http": {5: 2}})
    (tmp_path / DURATIONS.format(1)).write_text("HashApp,Mean\na,1\n")
    assert "has other columns; allowed: HashApp, HashFunction, Average, Count" in refusal(path)


def test_files_that_hold_no_rows_are_refused(tmp_path: Path) -> None:
    assert "holds no requests" in refusal(csv_2021(tmp_path))
    assert "holds no functions" in refusal(day_2019(tmp_path, 1, {}))


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "begins with ''; allowed: an npz, kn-ahead's OpenMetrics, or the columns HashOwner"),
        (b"time,value\n1,2\n", "begins with 'time,value'; allowed"),
        (b"\xff\xfe\x00", "is no text"),
        (b"PK\x03\x04 and no more", "is damaged"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes, part: str) -> None:
    path = tmp_path / "trace.npz"
    path.write_bytes(content)
    assert part in refusal(path)


def test_layouts_do_not_mix(tmp_path: Path) -> None:
    day = day_2019(tmp_path, 1, {"a,f,http": {5: 2}})
    events = csv_2021(tmp_path, "a,f,1.0,0.5")
    assert "begins with 'app,func,end_timestamp,duration'" in refusal(day, events)
    arrays = npz(tmp_path, counts=COUNTS)
    assert "is one npz too many" in refusal(arrays, arrays)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    assert "nowhere.npz cannot be read: No such file" in refusal(tmp_path / "nowhere.npz")
    (tmp_path / "empty").mkdir()
    assert "empty holds no CSV file; allowed: a public trace" in refusal(tmp_path / "empty")


def test_a_trace_checks_itself() -> None:
    with pytest.raises(PermanentError, match="a service is in the trace twice"):
        Trace(
            services=("a/b", "a/b"),
            start_s=0.0,
            step_s=60.0,
            counts=np.zeros((2, 1)),
            duration_s=np.zeros((2, 1)),
            kind="counts",
        )
