"""From requests that were counted to the answer: on the screen, in HTML, in JSON."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.policies.policies import FULL, priced
from benchmarks.replay import Replay, ReplaySettings
from benchmarks.report import outcome
from benchmarks.report.equal_pods import EqualPods, equal_pods
from benchmarks.report.equal_pods import section as at_equal_pods
from benchmarks.report.page import Section, write_report
from benchmarks.report.screen import Screen
from benchmarks.scores.score import PolicyScore
from benchmarks.simulator.spans import Spans
from benchmarks.whatif.accuracy import accuracy_of
from benchmarks.whatif.answer import (
    CHANGE_COLUMNS,
    MOST_SHOWN,
    PRICE_COLUMNS,
    beside_recorded,
    change_rows,
    price_rows,
    sentences,
    unforeseen,
)
from benchmarks.whatif.cluster import OwnSettings
from benchmarks.whatif.coverage import Coverage
from benchmarks.whatif.floor_answer import FloorAnswer
from benchmarks.whatif.floors import floors_of, with_floor
from benchmarks.whatif.money import Money
from benchmarks.whatif.past import DAY_S, Past
from benchmarks.whatif.prices import EXAMPLE, Prices
from benchmarks.whatif.verdict import Verdict, verdict_of
from benchmarks.whatif.warning import without_warning
from learner.engine import ExpertsFactory, NewModel
from learner.models.levels import pods_needed
from learner.prior.file import SHIPPED, load_prior

ASSUMED = (
    "Assumed of every service, for want of its settings: Knative's defaults, and pods that take"
    " {concurrency}, are ready after {start_up:g} s, and take {drain:g} s to be gone."
)
SPAN_S = 43_200.0  # s of what is replayed that are simulated beside each other


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked, and of what."""

    past: Past
    coverage: Coverage
    settings: ReplaySettings
    own: OwnSettings | None = None  # of the services; None = all are as `settings` says
    prices: Prices | None = None  # None = `EXAMPLE`

    def fitted(self, screen: Screen) -> Replay:
        """A replay that has learned what is past, which is said."""
        for line in (*self.past.said(), *self.coverage.said(), accuracy_of(self.past.source)):
            screen.print(line)
        configured = self.own.configured if self.own else None
        replay = Replay(self.past.trace(), self.settings, configured)
        with screen.progress() as progress:
            replay.fit(progress=progress, model=with_prior(self.settings))
        return replay

    def money(self, days: float) -> Money | None:
        """What pods cost, of that many days; None = nobody knows what they request."""
        if self.own is None:
            return None
        money = Money.of(self.prices or EXAMPLE, self.own, days)
        return None if np.isnan(money.pod_hour).all() else money

    def costs(self) -> list[str]:
        """What pods cost, in words."""
        money = self.money(1.0)
        return [money.said()] if money else []

    def assumed(self) -> tuple[str, ...]:
        """How services are set, and where that is known from."""
        return self.own.said if self.own else (_assumed(self.settings),)


def answered(question: Question, screen: Screen, report: Path, json: Path | None) -> Verdict:
    """Replay what is past, say what came out, and write it."""
    past, settings = question.past, question.settings
    replay = question.fitted(screen)
    scores = screen.run(replay, processes=_processes(), span_s=SPAN_S)
    policy = priced(FULL, settings.price_s)
    verdict = verdict_of(replay, policy, requests=scores[0].total.requests)
    learned_days = replay.first * settings.step_s / DAY_S
    said = sentences(verdict, learned_days=learned_days, scored_days=past.days - learned_days)
    equal = equal_pods(scores)
    said[1:1] = _at_as_many_pods(equal[0], policy)
    said += unforeseen(*_surprises(replay))
    recorded = past.recorded_pod_hours(replay.series.pods.shape[1])
    said += beside_recorded(recorded, scores[0].total.allocated_pod_s / 3600)
    for line in (*said, *question.assumed(), *question.costs()):
        screen.print(line)
    sections = [
        at_equal_pods(equal),
        Section("kn-ahead by price, in mode full", PRICE_COLUMNS, tuple(price_rows(scores))),
        Section(f"Services: {policy}", CHANGE_COLUMNS, tuple(change_rows(verdict.changes))),
        *_cost(question, replay, scores),
    ]
    for section in sections:
        screen.print_table(section)
    sections.append(question.coverage.section())
    if question.own and (len(with_floor(replay)) or question.own.uncalled):
        floors = floor_answer(question, question.own, replay, screen)
        show(floors.most(MOST_SHOWN), floors.said(), screen)
        sections += floors.sections()
        said += floors.said()
    page = outcome.report(
        replay, scores, title="What if kn-ahead had run here?",
        facts=[*_facts(question), *_simulated(replay.simulation.spans)], said=said,
        sections=sections,
    )  # fmt: skip
    write_report(page, report)
    if json:
        more = {"coverage": question.coverage.as_json()}
        money = question.money(_scored_days(replay))
        if money:
            more["cost"] = money.as_json(scores)
        outcome.write_json(replay, scores, json, **more)
    screen.print(f"Report: {report.resolve()}" + (f"  Scores: {json.resolve()}" if json else ""))
    return verdict


def floors_alone(question: Question, own: OwnSettings, screen: Screen) -> FloorAnswer:
    """What min-scales buy and cost; where there are none, nothing is learned and simulated."""
    if not (own.configured.revision.min_scale >= 1).any():
        return FloorAnswer(floors=(), own=own, days=0.0, money=None)
    replay = question.fitted(screen)
    for line in (*question.assumed(), *question.costs()):
        screen.print(line)
    return floor_answer(question, own, replay, screen)


def floor_answer(
    question: Question, own: OwnSettings, replay: Replay, screen: Screen
) -> FloorAnswer:
    """What min-scales buy and cost, by a replay that was fitted."""
    days = _scored_days(replay)
    with screen.progress() as progress:
        floors = floors_of(replay, progress, processes=_processes())
    return FloorAnswer(floors=tuple(floors), own=own, days=days, money=question.money(days))


def show(floors: FloorAnswer, said: list[str], screen: Screen) -> None:
    """On the screen, with commands that can be copied."""
    for line in said:
        screen.print(line)
    if floors.floors:
        screen.print_table(floors.table())
    for _, command in floors.commands():
        screen.print(command)


def with_prior(settings: ReplaySettings) -> NewModel:
    """As `kn-ahead learn` has it."""
    windows, prior = settings.learner.windows, load_prior(SHIPPED)
    model = prior.model(windows=windows, step_s=settings.step_s)
    return ExpertsFactory(windows, model, prior.rows)


def _at_as_many_pods(equal: EqualPods, policy: str) -> list[str]:
    """What another price does for no more pods than Knative takes, if it is another one."""
    other = equal.ours is not None and equal.ours.policy != policy
    return [equal.sentence()] if other and equal.setting.total.cold_requests else []


def _surprises(replay: Replay) -> tuple[int, int]:
    """Starts of what is scored that came without warning, and all of them."""
    scored = replay.series.pods.shape[1]
    given = replay.table.exceedance[:, -scored:, 0, 0].astype(np.float64)
    return without_warning(pods_needed(replay.demand)[:, -scored:], given)


def _processes() -> int:
    return os.cpu_count() or 1


def _scored_days(replay: Replay) -> float:
    s = replay.settings
    return (len(replay.table.made_at_s) * s.step_s - s.warm_up_s) / DAY_S


def _cost(question: Question, replay: Replay, scores: list[PolicyScore]) -> list[Section]:
    money = question.money(_scored_days(replay))
    return [money.section(scores)] if money else []


def _assumed(settings: ReplaySettings) -> str:
    number = settings.concurrency
    return ASSUMED.format(
        concurrency=f"{number} requests at once" if number else "any number of requests at once",
        start_up=settings.start_up_s,
        drain=settings.drain_s,
    )


def _simulated(spans: Spans) -> list[tuple[str, str]]:
    """How, where it was not all of it in one."""
    if spans.number == 1:
        return []
    beside = f"{spans.number} spans of {spans.length_s / 3600:.1f} h, beside each other"
    return [("Simulated", f"{beside}, each after {spans.warm_up_s / 3600:.1f} h not scored")]


def _facts(question: Question) -> list[tuple[str, str]]:
    read, *more = question.past.said()
    facts = [
        ("Read", " ".join((read, *question.coverage.said()))),
        ("Missing", " ".join(more).removeprefix("Not known: ")),
        ("Accuracy", accuracy_of(question.past.source)),
        ("Settings" if question.own else "Assumed", " ".join(question.assumed())),
        ("Price of a cold request", f"{question.settings.price_s:g} s of idle pod"),
    ]
    return [*facts, *(("Cost", line) for line in question.costs())]
