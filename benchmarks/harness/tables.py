"""Tables of a benchmark, for the terminal, for Markdown and for the page."""

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autoscaler.errors import PermanentError
from benchmarks.harness import words
from benchmarks.harness.results import Beside, Entry, TraceResult
from benchmarks.report.outcome import percent
from benchmarks.report.page import Section
from benchmarks.scores.resampling import Estimate

CONTENDERS = (
    "contender at its knob", "cold", "rate", "p75", "from zero", "p99, s", "pod-h", "memory",
    "hypervolume (95 %)",
)  # fmt: skip
BESIDE = (
    "rival", "its cold", "pod-h", "ours", "change (95 %)", "waited (95 %)",
    "pods at its cold (95 %)", "hypervolume (95 %)",
)  # fmt: skip
BY_RIVALS = (
    "FeMux: cold starts", "FeMux: wasted GB-s", "FeMux: RUM", "Wild: third-quartile cold",
    "Wild: wasted memory time",
)  # fmt: skip
RULES = ("contender at its knob", "cold rate", "pod-h", *BY_RIVALS)
RULE_SETS = ("femux_rules", "wild_rules")  # of rivals, in a score
MORE = (
    "contender", "scale-out", "waited, s", "p50, s", "p95, s", "p99.9, s", "cold p50, s",
    "container starts", "pods an hour", "USD a million", "plan, s", "simulate, s", "MB",
)  # fmt: skip
BEGIN, END = "<!-- bench -->", "<!-- /bench -->"  # of the short table in a document
SHORT = ("trace", "policy", "cold", "pod-h", "kn-ahead at its pod-h", "pod-h at its cold")


def contenders(result: TraceResult) -> Section:
    """All of them, at their defaults."""
    rows = [_row(one) for one in result.entries]
    return Section(f"{result.trace}: each as its manual has it", CONTENDERS, tuple(rows))


def _row(one: Entry) -> tuple[str, ...]:
    own = one.own
    return (
        f"{one.name} at {own['knob']:g}{_future(hindsight=one.hindsight)}",
        words.number(own["cold_requests"]),
        percent(own["cold_rate"]),
        percent(own["cold_rate_p75"]),
        words.number(own["cold_from_zero"]),
        words.number(own["wait_s"]["p99"], 2),
        words.number(own["allocated_pod_s"] / 3600, 1),
        words.number(own["normalised_memory"], 1),
        words.area(one.hypervolume),
    )


def _future(*, hindsight: bool) -> str:
    return " (knows the future)" if hindsight else ""


def beside(result: TraceResult, ours: str) -> Section:
    """One of ours beside each rival."""
    found = [one for one in result.beside if one.ours == ours]
    return Section(f"{result.trace}: {ours} beside each", BESIDE, tuple(map(_beside, found)))


def _beside(one: Beside) -> tuple[str, ...]:
    times = "" if one.pods == 1 else f", ours at {one.pods:g} times its pods"
    return (
        f"{one.rival} at {one.knob:g}{times}",
        words.number(one.cold),
        words.number(one.pod_s / 3600, 1),
        words.number(one.our_cold),
        words.change(one.cold_change),
        words.change(one.waited_change),
        words.share(one.pod_s_ratio),
        words.gain(one.hypervolume_gain),
    )


def rules(result: TraceResult) -> Section:
    """All of them at their defaults, under three rule sets: ours, FeMux's and Wild's."""
    rows = [
        (
            f"{one.name} at {one.own['knob']:g}{_future(hindsight=one.hindsight)}",
            percent(one.own["cold_rate"]),
            words.number(one.own["allocated_pod_s"] / 3600, 1),
            *_by_rivals(one.own),
        )
        for one in result.entries
    ]
    return Section(f"{result.trace}: the same run under three rule sets", RULES, tuple(rows))


def _by_rivals(score: dict[str, Any]) -> tuple[str, ...]:
    femux, wild = (_numbers(score[name]) for name in RULE_SETS)
    return (
        words.number(femux["cold_starts"]),
        words.number(femux["wasted_gb_s"]),
        words.number(femux["rum"]),
        words.part(wild["cold_p75"]),
        words.part(wild["wasted_memory"]),
    )


def more(result: TraceResult) -> Section:
    """What else was counted, and what each costs itself."""
    rows = [
        (
            one.name,
            words.number(one.own["cold_scale_out"]),
            words.number(one.own["cold_seconds"]),
            *(words.number(one.own["wait_s"][q], 2) for q in ("p50", "p95", "p99.9")),
            words.number(one.own["cold_wait_s"]["p50"], 2),
            words.number(one.own["container_cold_starts"]),
            words.number(one.own["churn_per_hour"], 2),
            words.number(one.own["usd_per_million"], 2),
            words.number(one.plan_cpu_s, 1),
            words.number(one.simulate_cpu_s, 1),
            words.number(one.peak_mb),
        )
        for one in result.entries
    ]
    return Section(f"{result.trace}: waits, starts, and own cost", MORE, tuple(rows))


def short(recorded: dict[str, Any]) -> str:
    """A benchmark's JSON as the Markdown tables that documents include.

    Columns of the first: each policy at its default, then kn-ahead read at the same pod-hours, and
    the pod-hours that it takes for the same cold requests, with intervals of 95 %. The second has
    all of them under rivals' own rules, unless the run was before those were read.
    """
    traces = brief(recorded)["traces"]
    rows = []
    for trace in traces:
        for one in trace["beside"]:
            cells = (
                trace["trace"],
                one["rival"],
                words.number(one["cold"]),
                words.number(one["pod_s"] / 3600, 1),
                words.change(_estimate(one["cold_change"])),
                words.share(_estimate(one["pod_s_ratio"])),
            )
            rows.append(cells)
    ruled = [
        (trace["trace"], one["name"] + _future(hindsight=one["hindsight"]), *_by_rivals(one))
        for trace in traces
        for one in trace["entries"]
        if one.keys() >= set(RULE_SETS)
    ]
    second = "\n" + _markdown((*SHORT[:2], *BY_RIVALS), ruled) if ruled else ""
    return _markdown(SHORT, rows) + second


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns from the third on are numbers."""
    lines = ["| " + " | ".join(cells) + " |" for cells in (columns, *rows)]
    lines.insert(1, "| --- | --- |" + " ---: |" * (len(columns) - 2))
    return "\n".join(lines) + "\n"


def brief(recorded: dict[str, Any]) -> dict[str, Any]:
    """What the short table is made of: kn-ahead beside each rival at its default."""
    traces = []
    for trace in recorded["traces"]:
        rivals = {one["name"]: one for one in trace["entries"] if not one["hindsight"]}
        beside = [
            one
            for one in trace["beside"]
            if (one["ours"], one["pods"]) == (recorded["ours"], 1.0)
            and one["rival"] in rivals
            and one["knob"] == rivals[one["rival"]]["default"]
        ]
        entries = [_brief_entry(one) for one in trace["entries"]]
        traces.append(trace | {"entries": entries, "beside": beside})
    return recorded | {"traces": traces}


def _brief_entry(entry: dict[str, Any]) -> dict[str, Any]:
    """With its score at its default by rivals' rules, if it has one."""
    scores, default = entry.get("scores", [entry]), entry["default"]
    own = min(scores, key=lambda score: abs(score.get("knob", default) - default))
    kept = ("name", "default", "hindsight")
    return {key: entry[key] for key in kept} | {key: own[key] for key in RULE_SETS if key in own}


def _estimate(of: dict[str, float | None]) -> Estimate:
    return Estimate(**_numbers(of))


def _numbers(of: dict[str, float | None]) -> dict[str, float]:
    return {key: math.nan if value is None else value for key, value in of.items()}


def put_into(document: str, table: str) -> str:
    """A document with the table between its marks. Raises PermanentError where it has none."""
    parts = re.split(f"({BEGIN}\n|{END})", document)
    if len(parts) != 5:
        raise PermanentError(f"a document lacks marks; allowed: one {BEGIN} and one {END} after it")
    return "".join((*parts[:2], table, *parts[3:]))


def read_recorded(path: Path) -> dict[str, Any]:
    """A benchmark's JSON. Raises PermanentError."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict) and {"ours", "traces"} <= found.keys():
            return found
    except OSError as error:
        raise PermanentError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise PermanentError(f"{path} is no JSON: {error}") from error
    raise PermanentError(f"{path} is no result of a benchmark; allowed: bench.json of bench run")


def knobs(results: Sequence[TraceResult]) -> Section:
    """What the number is that each contender has."""
    rows = {
        one.name: (one.name, one.knob, ", ".join(f"{score['knob']:g}" for score in one.scores))
        for result in results
        for one in result.entries
    }
    return Section("Knobs", ("contender", "knob", "values"), tuple(rows.values()), (0, 1, 2))


def sections(results: Sequence[TraceResult], ours: Sequence[str]) -> list[Section]:
    """All tables, trace by trace."""
    found = []
    for result in results:
        found += [contenders(result), rules(result)]
        found += [beside(result, name) for name in ours if result.entry(name)]
        found.append(more(result))
    return [*found, knobs(results)]
