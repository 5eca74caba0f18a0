"""Each public layout is read from small files that are laid out as it is published."""

import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from autoscaler.errors import PermanentError
from autoscaler.limits import TRACE_LINE
from benchmarks.simulator.arrivals import draw, measure
from benchmarks.traces.openmetrics import write_openmetrics
from benchmarks.traces.trace import read_trace

AZURE_2021 = "app,func,end_timestamp,duration\na,f,61.5,0.5\nb,g,130,0.25\n"
AZURE_LLM = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n"
IBM = (
    "NamespaceHash,AppHash,NumEvents,InvocationTimes,AppExecTimes,TotalExecTimes,PodHash\n"
    "ns1,app1,3,17999.25,120,130,p1\nns1,app1,3,18000.5,80,90,p2\nns1,app2,1,18060,500,510,p3\n"
)
HUAWEI_REQUESTS = (
    "time_worker,time_frontend,requestID,clusterName,funcName,podID,userID,totalCost_worker\n"
    "2592000.62,2592000.621,b54c,3,411,pool22-300-128-0000177166,301,0.5\n"
    "2592061,,9878,3,411,pool22-300-128-0000014767,301,0.25\n"
)
HUAWEI_TABLE = "day,time,0,1\n0,0,,3\n0,60,2,\n"
OWN = (
    "time,service,duration_s\n2026-03-01T00:00:30Z,shop/cart,0.2\n2026-03-01T00:01:00Z,shop/cart,\n"
)
INVITRO = "HashOwner,HashApp,HashFunction,Trigger,1,2,3\no,a,f,http,5,0,1\no,a,g,queue,0,2,0\n"
OPENMETRICS = (
    "# TYPE kn_ahead_requests counter\n"
    'kn_ahead_requests_total{namespace="shop",service="cart"} 0.0 600.000\n'
    'kn_ahead_requests_total{namespace="shop",service="cart"} 3.0 660.000\n'
    'kn_ahead_peak_in_flight{namespace="shop",service="cart"} 1.0 660.000\n'
    "# EOF\n"
)
LAYOUTS = {
    "azure 2021": AZURE_2021,
    "azure llm": AZURE_LLM,
    "ibm": IBM,
    "huawei requests": HUAWEI_REQUESTS,
    "huawei table": HUAWEI_TABLE,
    "own": OWN,
    "invitro": INVITRO,
    "openmetrics": OPENMETRICS,
}
CSV = {name: text for name, text in LAYOUTS.items() if name != "openmetrics"}
every_layout = pytest.mark.parametrize("text", LAYOUTS.values(), ids=LAYOUTS)
every_csv = pytest.mark.parametrize("text", CSV.values(), ids=CSV)


def file(folder: Path, text: str, name: str = "trace.csv") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def refusal(path: Path, *more: Path) -> str:
    with pytest.raises(PermanentError) as caught:
        read_trace(path, *more)
    assert str(caught.value).startswith(str(path.parent))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_invitro_has_a_row_a_function_and_its_durations_beside(tmp_path: Path) -> None:
    file(
        tmp_path,
        "HashOwner,HashApp,HashFunction,Average,Count,Minimum,Maximum,percentile_Average_0\n"
        "o,a,f,250,6,1,2,3\n",
        "durations.csv",
    )
    file(tmp_path, INVITRO, "invocations.csv")
    trace = read_trace(tmp_path)
    assert (trace.services, trace.start_s, trace.step_s) == (("a/f", "a/g"), 0.0, 60.0)
    assert trace.counts.tolist() == [[5, 0, 1], [0, 2, 0]]
    np.testing.assert_array_equal(trace.duration_s, [[0.25, np.nan, 0.25], [np.nan] * 3])


def test_invitro_may_hold_an_excerpt_of_the_day(tmp_path: Path) -> None:
    path = file(tmp_path, INVITRO.replace("1,2,3", "481,482,483"), "invocations.csv")
    assert read_trace(path).start_s == 480 * 60.0
    file(tmp_path, INVITRO.replace("1,2,3", "1,3,4"), "invocations.csv")
    assert "in order, or consecutive minutes of an excerpt" in refusal(path)


def test_huawei_has_a_row_a_step_and_blanks_where_nothing_was_called(tmp_path: Path) -> None:
    """Days that were not recorded are gaps; durations stand in a folder beside."""
    days = tmp_path / "private_dataset"
    file(days, HUAWEI_TABLE, "requests_minute/day_000.csv")
    file(days, "day,time,1,2\n0,240,7,1\n", "requests_minute/day_002.csv")
    file(days, "day,time,0,1\n0,0,9,0.5\n0,60,,0.5\n", "function_delay_minute/day_000.csv")
    trace = read_trace(days)
    assert trace.services == ("default/0", "default/1", "default/2")
    gap = [np.nan, np.nan]
    np.testing.assert_array_equal(trace.counts[0], [0, 2, *gap, np.nan])
    np.testing.assert_array_equal(trace.counts[1], [3, 0, *gap, 7])
    np.testing.assert_array_equal(trace.counts[2], [np.nan, np.nan, *gap, 1])
    np.testing.assert_array_equal(trace.duration_s[1], [0.5, np.nan, *gap, np.nan])
    assert np.isnan(trace.duration_s[0]).all()  # where it was called no duration was recorded


def test_huawei_by_second_has_steps_of_a_second(tmp_path: Path) -> None:
    path = file(tmp_path, "day,time,33\n0,0,816\n0,1,960\n0,3,1\n")
    trace = read_trace(path)
    assert trace.step_s == 1.0
    np.testing.assert_array_equal(trace.counts, [[816, 960, np.nan, 1]])


def test_huawei_2025_calls_a_function_alike_by_minute_and_by_request(tmp_path: Path) -> None:
    table = file(tmp_path, "day,time,411---301---pool22-300-128\n0,0,1.0\n")
    assert read_trace(table).services == ("301/411-pool22-300-128",)
    trace = read_trace(file(tmp_path, HUAWEI_REQUESTS))
    assert trace.services == ("301/411-pool22-300-128",)
    assert trace.counts.tolist() == [[1, 1]]  # by when they began
    assert trace.duration_s.tolist() == [[0.5, 0.25]]


def test_huawei_s_cold_starts_are_no_requests(tmp_path: Path) -> None:
    path = file(
        tmp_path, "day,time,clusterName,funcName,userID,totalCost_cold_start\n0,1,1,1,1,2\n"
    )
    assert "holds cold starts; allowed: requests of the same release" in refusal(path)


def test_ibm_has_a_row_a_request_once_its_lists_are_exploded_into_csv(tmp_path: Path) -> None:
    header, *requests = IBM.splitlines()
    rows = [f",{header}", *(f"{place},{request}" for place, request in enumerate(requests))]
    file(tmp_path, "\n".join(rows), "week_1.csv")  # pandas puts its index before
    trace = read_trace(tmp_path)
    assert trace.services == ("ns1/app1", "ns1/app2")
    assert trace.start_s == 17_940.0
    assert trace.counts.tolist() == [[1, 1, 0], [0, 0, 1]]
    np.testing.assert_allclose(trace.duration_s[0], [0.12, 0.08, np.nan])


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "week_1.pickle"
    path.write_bytes(pickle.dumps({"NamespaceHash": []}))
    assert "is a pickle, which would run its code here; allowed: a CSV of it" in refusal(path)


def test_a_trace_of_one_s_own_has_time_and_service(tmp_path: Path) -> None:
    trace = read_trace(file(tmp_path, OWN))
    assert (trace.services, trace.start_s) == (("shop/cart",), 1_772_323_200.0)
    np.testing.assert_array_equal(trace.counts, [[1, 1]])
    np.testing.assert_array_equal(trace.duration_s, [[0.2, np.nan]])
    unix = read_trace(file(tmp_path, "service,time\ncart,600\nlist,540.5\ncart,601\n"))
    assert unix.services == ("default/cart", "default/list")
    assert (unix.start_s, unix.counts.tolist()) == (540.0, [[0, 2], [1, 0]])


def test_requests_of_azure_s_models_are_one_service(tmp_path: Path) -> None:
    trace = read_trace(file(tmp_path, AZURE_LLM))
    assert (trace.services, trace.counts.tolist()) == (("default/requests",), [[1]])


def test_what_was_exported_comes_back(tmp_path: Path) -> None:
    table = file(tmp_path, "day,time,a/b,c/d\n0,600,3,\n0,660,,5\n0,780,1,2\n")
    trace = read_trace(table)
    demand = measure(draw(trace, service_s=0.1, seed=0), trace, step_s=60.0, capacity=1.0)
    text = io.StringIO()
    write_openmetrics(demand, text)
    back = read_trace(file(tmp_path, text.getvalue(), "demand.om"))
    assert (back.services, back.start_s, back.step_s) == (trace.services, 600.0, 60.0)
    np.testing.assert_array_equal(back.counts, trace.counts)


def test_names_of_exported_services_are_unescaped(tmp_path: Path) -> None:
    path = file(tmp_path, OPENMETRICS.replace('"cart"', r'"c\"a\\n\nt"'))
    assert read_trace(path).services == ('shop/c"a\\n\nt',)


@every_layout
def test_one_service_is_a_trace(tmp_path: Path, text: str) -> None:
    lines = text.splitlines(keepends=True)
    trace = read_trace(file(tmp_path, text if text == OPENMETRICS else "".join(lines[:2])))
    assert np.nansum(trace.counts) >= 1


@every_csv
def test_an_empty_trace_is_refused(tmp_path: Path, text: str) -> None:
    assert "allowed: one a row at least" in refusal(file(tmp_path, text.splitlines()[0] + "\n"))


@every_csv
def test_a_row_that_is_cut_off_is_named_by_line(tmp_path: Path, text: str) -> None:
    path = file(tmp_path, text.rstrip("\n").rpartition(",")[0])
    line, columns = len(text.splitlines()), text.splitlines()[0].count(",") + 1
    assert f"line {line} has {columns - 1} columns; allowed: {columns}" in refusal(path)
    path = file(tmp_path, text.rstrip("\n") + ",1\n")
    assert f"line {line} has {columns + 1} columns; allowed: {columns}" in refusal(path)


@every_csv
def test_a_line_without_an_end_is_refused_before_it_fills_the_memory(
    tmp_path: Path, text: str
) -> None:
    path = file(tmp_path, text + "0" * (int(TRACE_LINE.most) + 1))
    assert f"line {len(text.splitlines()) + 1} has more than 4194304 characters" in refusal(path)


@pytest.mark.parametrize(
    ("text", "old", "new", "part"),
    [
        (AZURE_2021, "0.25", "-0.25", "line 3, column duration: '-0.25'; allowed: a number >= 0"),
        (AZURE_2021, "130", "-130", "line 3, column end_timestamp: '-130'; allowed: a number >= 0"),
        (AZURE_2021, "130", "130x", "line 3, column end_timestamp: '130x'; allowed"),
        (IBM, "500", "-500", "line 4, column AppExecTimes: '-500'; allowed: a number >= 0"),
        (IBM, "500", "1e99", "line 4, column AppExecTimes: '1e99'; allowed: a number >= 0 and <="),
        (IBM, "app2", "", "line 4, column AppHash: ''; allowed: a name"),
        (HUAWEI_REQUESTS, "0.25", "-1", "line 3, column totalCost_worker: '-1'; allowed"),
        (HUAWEI_REQUESTS, "2592061", "", "line 3, column time_worker: ''; allowed"),
        (HUAWEI_TABLE, ",3", ",-3", "line 2, column 1: '-3'; allowed: a number >= 0"),
        (HUAWEI_TABLE, ",60,", ",0,", "line 3, column time: '0'; allowed: each time once"),
        (HUAWEI_TABLE, ",60,", ",x,", "line 3, column time: 'x'; allowed: a number >= 0"),
        (HUAWEI_TABLE, "0,60,2,\n", "0,60,2,\n0,90.5,1,1\n", "line 3, column time: '60'"),
        (OWN, "0.2", "-0.2", "line 2, column duration_s: '-0.2'; allowed: a number >= 0"),
        (OWN, "01:00Z", "01:00", "line 3, column time: '2026-03-01T00:01:00'; allowed: times with"),
        (AZURE_LLM, "44\n", "44\n2023-11-16 18:16Z,1,1\n", "allowed: times without a time zone"),
        (OWN, "2026-03-01T00:01:00Z", "yesterday", "allowed: seconds >= 0, or a time as in 2026-"),
        (INVITRO, ",2,0", ",-2,0", "line 3, column 2: '-2'; allowed: a number >= 0"),
        (OPENMETRICS, "3.0 660", "-3.0 660", "line 3: 'kn_ahead_requests_total{namespace="),
        (OPENMETRICS, "3.0 660", "3.0 600", "line 3: 3 at 600.000 after 0 at 600.000; allowed"),
        (OPENMETRICS, "# EOF", "", "does not end with # EOF, so it is cut off"),
        (OPENMETRICS, "requests_total", "others_total", "has no two samples of kn_ahead_"),
        (OPENMETRICS, "3.0 660", "soon 660", "line 3: 'kn_ahead_requests_total{namespace="),
        (OPENMETRICS, '"shop"', "shop", "line 2: 'kn_ahead_requests_total{namespace=shop"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_named_by_line_and_column(
    tmp_path: Path, text: str, old: str, new: str, part: str
) -> None:
    assert old in text
    assert part in refusal(file(tmp_path, text.replace(old, new)))


def test_layouts_are_not_mixed(tmp_path: Path) -> None:
    azure, ibm = file(tmp_path, AZURE_2021, "a.csv"), file(tmp_path, IBM, "b.csv")
    assert "b.csv begins with 'NamespaceHash" in refusal(azure, ibm)
    exported = file(tmp_path, OPENMETRICS, "c.om")
    assert "is one file too many; allowed: one of OpenMetrics" in refusal(exported, azure)


def _bomb(path: Path) -> None:
    """1 GiB of zeros that unpack from a megabyte."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (1, 1 << 27)}
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("counts.npy", header.getvalue())
        archive.infolist()[0].file_size = 1 << 31


def _csv_within(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("trace.csv", AZURE_2021)


def _cut_off(path: Path) -> None:
    np.savez(path, counts=np.ones((1, 100)), ids=np.array(["a"]), step_s=60)
    path.write_bytes(path.read_bytes()[:-30])


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (_bomb, "has more than 1073741824 bytes unpacked"),
        (_csv_within, "its member 'trace.csv' is no array"),
        (_cut_off, "is damaged"),
    ],
)
def test_archives_that_are_none_or_would_fill_the_memory_are_refused(
    tmp_path: Path, make: Callable[[Path], None], part: str
) -> None:
    make(tmp_path / "trace.npz")
    assert part in refusal(tmp_path / "trace.npz")
