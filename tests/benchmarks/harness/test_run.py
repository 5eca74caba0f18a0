"""A benchmark that was cut off goes on from there, and gives the same."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from autoscaler.errors import PermanentError
from benchmarks.harness.backends import Done, Task, here, in_processes
from benchmarks.harness.chosen import chosen, names_in
from benchmarks.harness.part import OnProgress
from benchmarks.harness.run import named
from benchmarks.harness.store import Store
from benchmarks.traces.trace import read_trace
from tests.benchmarks.harness.small import benchmark, part, written


def silent(stage: str, share: float) -> None:
    """Show nothing."""


class CutOff:
    """Ends after the first part; counts what it was asked for."""

    def __init__(self, after: int) -> None:
        self.after, self.asked = after, 0

    def __call__(self, tasks: Sequence[Task], progress: OnProgress) -> Iterator[Done]:
        self.asked = len(tasks)
        for number, done in enumerate(here(tasks, progress)):
            if number == self.after:
                raise KeyboardInterrupt
            yield done


def test_what_was_cut_off_goes_on_and_gives_the_same(tmp_path: Path) -> None:
    (whole,) = benchmark().run(Store(tmp_path), here, silent)
    again = tmp_path / "again"
    again.mkdir()
    with pytest.raises(KeyboardInterrupt):
        benchmark().run(Store(again), CutOff(after=1), silent)
    rest = CutOff(after=9)
    (found,) = benchmark().run(Store(again), rest, silent)
    assert rest.asked == 1
    assert cost_aside(found.result.as_json()) == cost_aside(whole.result.as_json())


def cost_aside(result: dict[str, object]) -> dict[str, object]:
    """Without what differs from run to run."""
    entries = result["entries"]
    assert isinstance(entries, list)
    for one in entries:
        for name in ("plan_cpu_s", "simulate_cpu_s", "peak_mb"):
            del one[name]
    return result


def test_processes_give_the_same(tmp_path: Path) -> None:
    def two(tasks: Sequence[Task], progress: OnProgress) -> Iterator[Done]:
        return in_processes(tasks, progress, processes=2)

    (tmp_path / "here").mkdir()
    (one,) = benchmark().run(Store(tmp_path / "here"), here, silent)
    (other,) = benchmark().run(Store(tmp_path), two, silent)
    assert cost_aside(one.result.as_json()) == cost_aside(other.result.as_json())


def test_a_file_that_is_damaged_is_measured_anew(tmp_path: Path) -> None:
    store = Store(tmp_path)
    benchmark(seeds=1).run(store, here, silent)
    (kpa, *_) = chosen(["keep-alive"])
    assert store.of(part(), kpa) is not None
    for file in tmp_path.iterdir():
        file.write_bytes(file.read_bytes()[:-100])
    assert store.of(part(), kpa) is None


def test_another_draw_is_another_file(tmp_path: Path) -> None:
    store = Store(tmp_path)
    benchmark(seeds=1).run(store, here, silent)
    assert store.of(part(seed=1), chosen(["keep-alive"])[0]) is None


def test_two_traces_of_one_name_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path)
    with pytest.raises(PermanentError, match="is a second small; allowed: a name for each"):
        named([path, path], read_trace)


def test_a_contender_that_nobody_knows_is_refused() -> None:
    with pytest.raises(PermanentError, match="contender 'nobody' is not known; allowed: kn-ahead"):
        chosen(["nobody"])


def test_names_may_hold_commas_themselves() -> None:
    text = "keep-alive, FeMux, told by the test set,FeMux, nobody,"
    assert list(names_in(text)) == ["keep-alive", "FeMux, told by the test set", "FeMux", "nobody"]
    assert list(names_in("")) == []
