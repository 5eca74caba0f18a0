"""Parity with Knative's own code: replays recorded ticks and counts differing answers.

    python -m benchmarks.parity tests/golden/kpa_ticks.jsonl.gz

A file has one scenario per line: a spec, events (``record``, ``ready``, ``reachable``, ``tick``)
and, for each tick, what Knative's Go code answered: ``[decided, desired, excess burst capacity,
stable, panic, no data]``. Exit code 1 if anything differs, 2 for a file that cannot be read.
"""

import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from autoscaler.cli.options import one_line_errors
from autoscaler.core.decider import Step, decide
from autoscaler.core.state.fleet import Fleet
from autoscaler.core.state.revision import KNATIVE_DEFAULTS, Revision
from autoscaler.errors import PermanentError

# Averages agree to 1e-8 (the samples in the files are themselves rounded to nine decimals), and
# linear ones are multiples of 1e-6; counts agree exactly.
EXACT = 1e-8
ANSWER = 6  # values per tick

Answer = tuple[int, int, int, float, float, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """The events of one revision, and Knative's answers."""

    revision: Revision
    events: list[list[Any]]
    expected: list[list[float]]

    @classmethod
    def parse(cls, line: str) -> "Scenario":
        """Read one line of a file."""
        raw = json.loads(line)
        events, expected = raw["events"], raw["expected"]
        ticks = sum(event[0] == "tick" for event in events)
        if not ticks or len(expected) != ticks or {len(e) for e in expected} != {ANSWER}:
            raise ValueError(
                f"{ticks} ticks, {len(expected)} answers; allowed: {ANSWER} values each"
            )
        revision = replace(KNATIVE_DEFAULTS, **dict(raw["spec"]))
        return cls(revision=revision, events=events, expected=expected)


def read(path: Path) -> list[Scenario]:
    """Read all scenarios. Raises PermanentError for a file of another format."""
    try:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8") as lines:
            scenarios = [Scenario.parse(line) for line in lines if line.strip()]
        if not scenarios:
            raise ValueError("no scenario")
    except (OSError, EOFError, ValueError, LookupError, TypeError, zlib.error) as error:
        raise PermanentError(
            f"{path}: {error!r}; allowed: one JSON scenario a line with spec, events and expected"
        ) from error
    return scenarios


def replay(scenarios: Sequence[Scenario]) -> Iterator[tuple[int, Answer]]:
    """Run the scenarios as rows of one fleet, event by event; yields (scenario, answer) per tick.

    The n-th events of all scenarios share a turn, so ticks at differences times share one pass.
    """
    fleet = Fleet()
    begin = [s.events[0][1] if len(s.events[0]) > 1 else 0.0 for s in scenarios]
    for i, scenario in enumerate(scenarios):
        fleet.add({str(i): scenario.revision}, now=begin[i])
    turns = max(len(s.events) for s in scenarios)
    for turn in range(turns):
        due = [(i, s.events[turn]) for i, s in enumerate(scenarios) if turn < len(s.events)]
        _record(fleet, [(i, e) for i, e in due if e[0] == "record"])
        for i, event in due:
            if event[0] == "ready":
                fleet.observed.ready[i] = event[1]
            elif event[0] == "reachable":
                fleet.spec.reachable[i] = bool(event[1])
        ticks = [(i, e[1]) for i, e in due if e[0] == "tick"]
        if ticks:
            rows, now = np.array([i for i, _ in ticks]), np.array([t for _, t in ticks])
            step = decide(fleet, None, now=now, rows=rows)
            step.apply(fleet)
            for at, (i, _) in enumerate(ticks):
                yield i, _answer(step, at)


def _record(fleet: Fleet, samples: list[tuple[int, list[Any]]]) -> None:
    if samples:
        rows = np.array([i for i, _ in samples])
        seconds = np.floor([e[1] for _, e in samples]).astype(np.int64)
        values = np.array([e[2] for _, e in samples], dtype=np.float64)
        fleet.record(rows, seconds, np.stack([values, values]))


def _answer(step: Step, at: int) -> Answer:
    decision = step.decision
    if decision.no_data[at]:
        return (0, 0, 0, 0.0, 0.0, 1)
    spare = int(step.memory.excess_burst_capacity[at])
    averages = float(decision.stable[at]), float(decision.panic[at])
    return (1, int(decision.kpa[at]), spare, *averages, 0)


def mismatches(scenarios: Sequence[Scenario]) -> tuple[int, list[str]]:
    """The number of ticks replayed as rows of one fleet, and a line per differing answer."""
    answers = [iter(s.expected) for s in scenarios]
    ticks, differences = 0, []
    for i, answer in replay(scenarios):
        expected = next(answers[i])
        ticks += 1
        if not all(abs(a - b) <= EXACT for a, b in zip(answer, expected, strict=True)):
            differences.append(f"scenario {i}: Knative {expected}, ours {list(answer)}")
    return ticks, differences


def main(
    file: Annotated[Path, typer.Argument(help="Recorded ticks, JSON lines, .gz or plain.")],
    one_fleet: Annotated[
        bool, typer.Option(help="All scenarios as rows of one fleet, too.")
    ] = True,
) -> None:
    """Replay recorded ticks of Knative's own code and count differing answers."""
    with one_line_errors():
        scenarios = read(file)
    results = {"one fleet each": [mismatches([s]) for s in scenarios]}
    if one_fleet:
        results["rows of one fleet"] = [mismatches(scenarios)]
    wrong = [line for runs in results.values() for _, lines in runs for line in lines]
    for line in wrong[:20]:
        typer.echo(line)
    for name, runs in results.items():
        ticks, differ = sum(n for n, _ in runs), sum(len(lines) for _, lines in runs)
        typer.echo(f"{name}: {len(scenarios)} scenarios, {ticks} ticks, {differ} mismatches")
    raise typer.Exit(1 if wrong else 0)


if __name__ == "__main__":
    typer.run(main)
