"""The command line: what it writes, and that bad input is one line and leaves nothing behind."""

import json
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from autoscaler.cli.main import app
from autoscaler.cli.options import moment
from autoscaler.errors import PermanentError

N_STEPS = 170
FIT = ("--fit-until", "2h", "--fit-rows", "2000", "--fit-rounds", "10")


def arrays(**changes: Any) -> dict[str, Any]:
    """Two services over 170 minutes; seeded."""
    rng = np.random.default_rng(0)
    fields = {
        "ids": np.array(["shop/browse", "shop/refund"]),
        "step_s": np.float64(60.0),
        "counts": np.array([rng.poisson(3.0, N_STEPS), rng.random(N_STEPS) < 0.1]).astype(float),
        "t0": np.array("2021-01-31T00:00:00+00:00"),
    }
    return fields | changes


def write(path: Path, **changes: Any) -> Path:
    np.savez(path, **arrays(**changes))
    return path


def invoke(*args: str | Path) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args])


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A folder with a trace in it, and the command lines that write into it."""

    folder: Path
    trace: Path

    def replay(self, *args: str | Path) -> Result:
        """Replay this trace; what is given last wins."""
        report = ("--report", self.folder / "report.html")
        return invoke("replay", "--trace", self.trace, *FIT, *report, *args)

    def refused(self, result: Result) -> str:
        """The one line that an ended command said; nothing but the trace is left."""
        assert result.exit_code == 2, result.exception
        assert result.stderr.startswith("kn-ahead: ")
        assert result.stderr.count("\n") == 1
        assert [path.name for path in self.folder.iterdir()] == [self.trace.name]
        return result.stderr.removeprefix("kn-ahead: ")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(folder=tmp_path, trace=write(tmp_path / "trace.npz"))


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    folder = tmp_path_factory.mktemp("replayed")
    place = Place(folder=folder, trace=write(folder / "trace.npz"))
    return place.replay("--json", folder / "scores.json", "--service", "shop/refund"), folder


def test_replay_prints_a_table_and_where_the_files_are(replayed: tuple[Result, Path]) -> None:
    result, folder = replayed
    assert result.exit_code == 0, result.output
    assert "2 services" in result.stdout
    assert all(word in result.stdout for word in ("Knative", "outward", "full", "oracle"))
    assert f"Report: {folder / 'report.html'}  Scores: {folder / 'scores.json'}" in result.stdout


def test_replay_writes_a_report_that_stands_alone(replayed: tuple[Result, Path]) -> None:
    page = (replayed[1] / "report.html").read_text()
    assert "kn-ahead: replay" in page
    assert "shop/refund" in page
    assert not any(text in page for text in ('src="http', 'href="http', "@import"))


def test_replay_writes_scores_per_policy_and_service(replayed: tuple[Result, Path]) -> None:
    found = json.loads((replayed[1] / "scores.json").read_text())
    assert found["services"] == ["shop/browse", "shop/refund"]
    assert found["settings"]["fit_until_s"] == moment("2h", moment("2021-01-31T00:00+00:00", 0.0))
    assert {len(policy["services"]) for policy in found["policies"]} == {2}
    assert all(policy["total"]["requests"] > 0 for policy in found["policies"])


def test_replay_leaves_no_drafts_behind(replayed: tuple[Result, Path]) -> None:
    names = sorted(path.name for path in replayed[1].iterdir())
    assert names == ["report.html", "scores.json", "trace.npz"]


def test_a_missing_trace_is_named(place: Place) -> None:
    said = place.refused(place.replay("--trace", place.folder / "none.npz"))
    assert "none.npz" in said


WRONG_COUNTS = arrays()["counts"].copy()
WRONG_COUNTS[1, 7] = -3.0
NO_NUMBER = arrays()["counts"].copy()
NO_NUMBER[0, 4] = np.nan
TIMES = 1_612_051_200.0 + 60.0 * np.arange(N_STEPS)
UNSORTED, TWICE = TIMES[[1, 0, *range(2, N_STEPS)]], TIMES[[0, 0, *range(2, N_STEPS)]]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"counts": WRONG_COUNTS}, r"counts[1, 7] is -3; allowed: finite, >= 0"),
        ({"counts": NO_NUMBER}, r"counts[0, 4] is nan; allowed: outside valid only"),
        ({"ts": UNSORTED}, "ts[1] is 1612051200.0; allowed: ascending, each time once"),
        ({"ts": TWICE}, "ts[1] is 1612051200.0; allowed: ascending, each time once"),
        ({"step_s": np.float64(0.0)}, "step_s is 0.0; allowed: one number > 0"),
        ({"ids": np.array(["shop/a", "shop/a"])}, "'shop/a' 2 times; allowed: once"),
    ],
    ids=["negative", "nan", "unsorted", "duplicate", "no step", "same service"],
)
def test_what_no_trace_can_hold_is_named(tmp_path: Path, wrong: Any, said: str) -> None:
    place = Place(folder=tmp_path, trace=write(tmp_path / "trace.npz", **wrong))
    line = place.refused(place.replay())
    assert line.startswith(str(place.trace))
    assert said in line


def test_arrays_that_are_not_known_are_listed_beside_those_that_are(tmp_path: Path) -> None:
    np.savez(tmp_path / "trace.npz", ids=np.array(["a"]), clicks=np.zeros((1, 9)))
    place = Place(folder=tmp_path, trace=tmp_path / "trace.npz")
    said = place.refused(place.replay())
    assert "holds ids, clicks; allowed: arrays ids, step_s and one of counts" in said


def test_a_file_that_is_no_trace_is_refused(tmp_path: Path) -> None:
    (tmp_path / "trace.npz").write_bytes(b"PK\x03\x04 and then nothing")
    place = Place(folder=tmp_path, trace=tmp_path / "trace.npz")
    assert str(place.trace) in place.refused(place.replay())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("soon", "time 'soon' is not understood; allowed: 10d, 36h, 90m, 30s"),
        ("1.2.3h", "time '1.2.3h' is not understood; allowed: 10d, 36h, 90m, 30s"),
        (".h", "time '.h' is not understood"),
        ("-2h", "time '-2h' is not understood"),
        ("0h", "fit-until is 0 s after the trace's start; allowed: > 0 and <= 9000 s"),
        ("10d", "fit-until is 864000 s after the trace's start; allowed: > 0 and <= 9000 s"),
        ("9" * 400 + "d", "allowed: "),
        ("1999-01-01T00:00Z", "allowed: > 0 and <= 9000 s"),
    ],
)
def test_an_end_of_the_past_that_cannot_be_is_named(place: Place, text: str, said: str) -> None:
    assert said in place.refused(place.replay("--fit-until", text))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--start-up", "-1"),
        ("--start-up", "nan"),
        ("--start-up", "inf"),
        ("--drain", "-1"),
        ("--drain", "nan"),
        ("--service-time", "-1"),
        ("--service-time", "nan"),
        ("--price", "-5"),
        ("--price", "nan"),
        ("--step", "1.5"),
        ("--step", "nan"),
    ],
)
def test_a_number_out_of_range_is_refused_before_anything_runs(
    place: Place, option: str, value: str
) -> None:
    result = place.replay(option, value)
    assert result.exit_code == 2, result.exception
    assert value in result.stderr
    assert [path.name for path in place.folder.iterdir()] == [place.trace.name]


def test_counts_that_no_cluster_has_seen_are_refused(tmp_path: Path) -> None:
    trace = write(tmp_path / "trace.npz", counts=np.full((2, N_STEPS), 1e300))
    place = Place(folder=tmp_path, trace=trace)
    assert "requests; allowed: 300,000,000" in place.refused(place.replay())
    exported = invoke("export", "--trace", trace, tmp_path / "trace.om")
    assert "requests; allowed: 300,000,000" in place.refused(exported)


def test_a_service_that_is_not_in_the_trace_is_named(place: Place) -> None:
    said = place.refused(place.replay("--service", "shop/cart"))
    assert said == "service 'shop/cart' is not in the trace; it has shop/browse, shop/refund\n"


@pytest.mark.parametrize("option", ["--report", "--json"])
def test_a_place_that_cannot_be_written_is_named_and_nothing_else_is_written(
    place: Place, option: str
) -> None:
    said = place.refused(place.replay(option, place.folder / "missing" / "file"))
    assert f"{place.folder / 'missing' / 'file'} cannot be written" in said


def test_export_writes_what_promtool_reads(place: Place) -> None:
    result = invoke("export", "--trace", place.trace, place.folder / "trace.om")
    assert result.exit_code == 0, result.output
    lines = (place.folder / "trace.om").read_text().splitlines()
    assert lines[0].startswith("# HELP kn_ahead_requests ")
    assert lines[-1] == "# EOF"
    counter = [line for line in lines if line.startswith("kn_ahead_requests_total{")]
    assert len(counter) == 2 * (N_STEPS + 1)
    assert counter[-1].split()[1] == str(arrays()["counts"][1].sum())


def test_export_takes_a_trace_too_short_to_replay(tmp_path: Path) -> None:
    short = write(tmp_path / "trace.npz", counts=arrays()["counts"][:, :5])
    result = invoke("export", "--trace", short, tmp_path / "trace.om")
    assert result.exit_code == 0, result.stderr


def test_export_to_a_place_that_cannot_be_written_is_one_line(place: Place) -> None:
    target = place.folder / "missing" / "trace.om"
    assert str(target) in place.refused(invoke("export", "--trace", place.trace, target))


def test_an_export_that_fails_keeps_the_file_that_was_there(tmp_path: Path) -> None:
    nameless = write(tmp_path / "trace.npz", ids=np.array(["shop/browse", "/refund"]))
    (tmp_path / "trace.om").write_text("old")
    result = invoke("export", "--trace", nameless, tmp_path / "trace.om")
    assert result.exit_code == 2, result.output
    assert "'/refund'; allowed: namespace/service" in result.stderr
    assert (tmp_path / "trace.om").read_text() == "old"


@pytest.mark.parametrize(
    ("text", "after_s"),
    [("30s", 30.0), ("90m", 5400.0), ("36h", 129_600.0), ("10d", 864_000.0), ("1.5d", 129_600.0)],
)
def test_a_span_counts_from_the_start(text: str, after_s: float) -> None:
    assert moment(text, 100.0) == 100.0 + after_s


def test_an_iso_time_is_a_time() -> None:
    assert moment("2021-01-31T00:00Z", 5.0) == 1_612_051_200.0
    assert moment("2021-01-31T02:00+02:00", 5.0) == 1_612_051_200.0


@pytest.fixture
def in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_tokyo")
def test_an_iso_time_without_a_zone_is_utc_wherever_the_machine_stands() -> None:
    assert moment("2021-01-31T00:00", 5.0) == 1_612_051_200.0


def test_a_time_that_is_none_is_one_line() -> None:
    with pytest.raises(PermanentError, match="'yesterday' is not understood; allowed: 10d"):
        moment("yesterday", 0.0)


@pytest.mark.parametrize("asked", ["version", "--version"])
def test_the_version_is_said_as_it_is_packed(asked: str) -> None:
    result = invoke(asked)
    assert result.exit_code == 0
    packed = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    assert result.stdout.startswith(f"kn-ahead {packed['project']['version']}, Python 3.")


def test_help_is_given_for_short_and_long_options() -> None:
    assert invoke("-h").stdout == invoke("--help").stdout
    assert "whatif" in invoke("-h").stdout
    assert invoke("whatif", "-h").exit_code == 0
