"""Real processes that end, crash again and again, or do not listen; some with a time of our own."""

import signal
import sys
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from autoscaler.keeper import LONGEST_S, SHORTEST_S, STEADY_S, Child
from tests.programs import Running, alive, running, until

SLEEP = "import time; time.sleep(600)"
DEAF = f"""
from signal import *
signal(SIGTERM, SIG_IGN)
print("deaf", flush=True)
{SLEEP}
"""


def python(code: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(code)]


# --- when it is started again ---------------------------------------------------------------------


class Kept:
    """A child that is looked after at moments of a test's choosing."""

    def __init__(self, scratch: Path, command: Sequence[str], essential: bool = False) -> None:
        self.child, self._scratch = Child("child", command, essential), scratch

    def poll(self, now: float) -> int | None:
        return self.child.poll(now, self._scratch)

    def ends(self) -> None:
        """Wait until it has ended."""
        assert self.child.process
        self.child.process.wait(30)


def test_what_ends_again_and_again_is_started_ever_more_rarely(tmp_path: Path) -> None:
    kept, now, waits_s = Kept(tmp_path, ["true"]), 0.0, list[float]()
    for _ in range(9):
        kept.poll(now)
        kept.ends()
        kept.poll(now)
        waits_s.append(kept.child.start_s - now)
        kept.poll(kept.child.start_s - 0.01)
        assert kept.child.process is None  # not a moment before
        now = kept.child.start_s
    assert waits_s == [1, 2, 4, 8, 16, LONGEST_S, LONGEST_S, LONGEST_S, LONGEST_S]


def test_what_ran_well_for_long_is_started_again_at_once(tmp_path: Path) -> None:
    kept = Kept(tmp_path, ["true"])
    kept.child.wait_s = LONGEST_S
    kept.poll(0.0)
    kept.ends()
    kept.poll(STEADY_S)
    assert kept.child.start_s == STEADY_S + SHORTEST_S


def test_what_cannot_be_started_is_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The keeper is what must not end: no memory for a process is no reason."""
    program = tmp_path / "program"
    kept = Kept(tmp_path, [str(program)])
    assert kept.poll(0.0) is None
    assert 'process=child why="cannot be started' in caplog.text
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    kept.poll(kept.child.start_s)
    kept.ends()


def test_what_a_killed_one_left_behind_is_removed_before_the_next_starts(tmp_path: Path) -> None:
    leave = "import tempfile; tempfile.mkstemp()[1]; tempfile.mkdtemp()"
    kept = Kept(tmp_path, python(leave))
    now = 0.0
    for _ in range(3):
        kept.poll(now)
        kept.ends()
        kept.poll(now)
        now = kept.child.start_s
    assert len(list((tmp_path / "child").iterdir())) == 2


@pytest.mark.parametrize(
    ("code", "told"),
    [("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 128 + 9), ("", 0)],
)
def test_the_end_of_an_essential_one_is_told_by_its_exit_code(
    tmp_path: Path, code: str, told: int
) -> None:
    kept = Kept(tmp_path, python(code), essential=True)
    assert kept.poll(0.0) is None
    kept.ends()
    assert kept.poll(1.0) == told


# --- a keeper and its children --------------------------------------------------------------------


def keeper(*children: str, leave_s: float = 10.0) -> list[str]:
    """A process that keeps children; each is an expression."""
    return python(
        f"""
        import sys
        from autoscaler import keeper
        from autoscaler.keeper import Child, keep
        from autoscaler.logs import set_up
        keeper.STOP_S = {leave_s}
        set_up()
        sys.exit(keep([{", ".join(children)}]))
        """
    )


def child(name: str, code: str, **options: object) -> str:
    more = "".join(f", {key}={value!r}" for key, value in options.items())
    return f"Child({name!r}, {python(code)!r}{more})"


def has_children(it: Running, n: int) -> None:
    until(lambda: len(it.children) == n, f"{n} children")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_ends_its_children_and_ends_well(number: int) -> None:
    with running(*keeper(child("one", SLEEP), child("two", SLEEP, essential=True))) as it:
        has_children(it, 2)
        assert it.stops(number) == 0


def test_who_does_not_listen_is_killed() -> None:
    with running(*keeper(child("deaf", DEAF), leave_s=0.5)) as it:
        it.says("deaf")
        assert it.stops() == 0


def test_the_end_of_an_essential_one_ends_all_with_its_exit_code() -> None:
    dies = "import time; time.sleep(0.5); raise SystemExit(7)"
    with running(*keeper(child("other", SLEEP), child("dies", dies, essential=True))) as it:
        has_children(it, 2)
        others = it.children
        assert it.ends() == 7
        until(lambda: not any(map(alive, others)), "others end")


def test_a_crash_loop_of_one_concerns_no_other() -> None:
    with running(
        *keeper(
            child("crashes", "raise SystemExit(3)", wait_s=0.02),
            child("lives", f"import os; print('lives:', os.getpid(), flush=True); {SLEEP}"),
        )
    ) as it:
        lives = int(it.says(r"lives: (\d+)")[1])
        it.says('(?s)(process is started again process=crashes why="ended with 3" wait_s=.*){3}')
        assert alive(lives)
        assert it.said.count("lives:") == 1
        assert it.stops() == 0


def test_no_temporary_file_is_left_when_it_ends(tmp_path: Path) -> None:
    leave = f"import tempfile; print(tempfile.mkdtemp(), flush=True); {SLEEP}"
    with running(*keeper(child("leaves", leave)), TMPDIR=str(tmp_path)) as it:
        left = Path(it.says(r"/\S+").group())
        assert left.is_relative_to(tmp_path)
        assert it.stops() == 0
    assert not list(tmp_path.iterdir())


def test_it_costs_next_to_nothing() -> None:
    """It stands in every pod, and must outlive whatever happens to its child."""
    with running(*keeper(child("sleeps", SLEEP))) as it:
        has_children(it, 1)
        began_s, used_s = time.perf_counter(), cpu_s(it.process.pid)
        until(lambda: time.perf_counter() > began_s + 2.0, "a while")
        assert cpu_s(it.process.pid) - used_s < 0.1
        assert mib(it.process.pid) < 40
        it.stops()


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def mib(pid: int) -> float:
    (line,) = (
        line
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmRSS")
    )
    return int(line.split()[1]) / 1024
