"""From requests that were counted to the answer: on the screen, in HTML, in JSON."""

import os
from pathlib import Path

from benchmarks.policies.policies import FULL, priced
from benchmarks.replay import Replay, ReplaySettings
from benchmarks.report import outcome
from benchmarks.report.page import Section, write_report
from benchmarks.report.screen import Screen
from benchmarks.whatif.answer import (
    CHANGE_COLUMNS,
    PRICE_COLUMNS,
    beside_recorded,
    change_rows,
    price_rows,
    sentences,
)
from benchmarks.whatif.past import DAY_S, Past
from benchmarks.whatif.verdict import Verdict, verdict_of
from learner.engine import ExpertsFactory, NewModel
from learner.prior.file import SHIPPED, load_prior

ASSUMED = (
    "Assumed of every service, for want of its settings: Knative's defaults, and pods that take"
    " {concurrency}, are ready after {start_up:g} s, and take {drain:g} s to be gone."
)


def answered(
    past: Past, settings: ReplaySettings, screen: Screen, report: Path, json: Path | None
) -> Verdict:
    """Replay what is past, say what came out, and write it."""
    for line in past.said():
        screen.print(line)
    replay = Replay(past.trace(), settings)
    with screen.progress() as progress:
        replay.fit(progress=progress, model=with_prior(settings))
    scores = screen.run(replay, processes=os.cpu_count() or 1)
    policy = priced(FULL, settings.price_s)
    verdict = verdict_of(replay, policy, requests=scores[0].total.requests)
    learned_days = replay.first * settings.step_s / DAY_S
    said = sentences(verdict, learned_days=learned_days, scored_days=past.days - learned_days)
    sections = (
        Section("kn-ahead by price, in mode full", PRICE_COLUMNS, tuple(price_rows(scores))),
        Section(f"Services: {policy}", CHANGE_COLUMNS, tuple(change_rows(verdict.changes))),
    )
    recorded = past.recorded_pod_hours(replay.series.pods.shape[1])
    said += beside_recorded(recorded, scores[0].total.allocated_pod_s / 3600)
    for line in (*said, _assumed(settings)):
        screen.print(line)
    for section in sections:
        screen.print_table(section)
    page = outcome.report(
        replay, scores, title="What if kn-ahead had run here?", facts=_facts(past, settings),
        said=said, sections=sections,
    )  # fmt: skip
    write_report(page, report)
    if json:
        outcome.write_json(replay, scores, json)
    screen.print(f"Report: {report.resolve()}" + (f"  Scores: {json.resolve()}" if json else ""))
    return verdict


def with_prior(settings: ReplaySettings) -> NewModel:
    """As `kn-ahead learn` has it."""
    windows, prior = settings.learner.windows, load_prior(SHIPPED)
    model = prior.model(windows=windows, step_s=settings.step_s)
    return ExpertsFactory(windows, model, prior.rows)


def _assumed(settings: ReplaySettings) -> str:
    number = settings.concurrency
    return ASSUMED.format(
        concurrency=f"{number} requests at once" if number else "any number of requests at once",
        start_up=settings.start_up_s,
        drain=settings.drain_s,
    )


def _facts(past: Past, settings: ReplaySettings) -> list[tuple[str, str]]:
    read, *more = past.said()
    return [
        ("Read", read),
        ("Missing", " ".join(more).removeprefix("Not known: ")),
        ("Assumed", _assumed(settings)),
        ("Price of a cold request", f"{settings.price_s:g} s of idle pod"),
    ]
