"""What became of a service of late, read from the read model."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autoscaler.advisor.history import SAMPLE_S, SERIES
from autoscaler.advisor.read_model import MOST_CHANGES, ReadModel
from autoscaler.advisor.read_model import Change as Changed
from autoscaler.api import readings
from autoscaler.api.answers import ChangeAnswer
from autoscaler.api.history.answers import HistoryAnswer, SampleAnswer
from autoscaler.api.history.picture import Chart, Mark
from autoscaler.api.words import time_of_day
from autoscaler.core.state.decision import Reason
from autoscaler.core.state.revision import Mode
from autoscaler.core.types import FloatArray


def history(model: ReadModel, name: str) -> HistoryAnswer:
    """Samples of a known service, and what kn-ahead would have changed."""
    past = model.history.of(name)
    columns = {column: _known(getattr(past, column)) for column in SERIES}
    namespace, _, service = name.partition("/")
    return HistoryAnswer(
        namespace=namespace,
        service=service,
        sample_s=SAMPLE_S,
        samples=[
            SampleAnswer.model_validate(
                {"start": readings.utc(at_s)} | {name: of[i] for name, of in columns.items()}
            )
            for i, at_s in enumerate(past.start_s.tolist())
        ],
        would_change=[readings.change(one) for one in model.would_change(name)],
    )


def _known(values: FloatArray) -> list[float | None]:
    """Rounded to what is kept of them: four digits."""
    return [None if np.isnan(value) else float(f"{value:.4g}") for value in values.tolist()]


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberedChange:
    """A change, with the number that it has in the picture."""

    number: int  # from 1, the newest
    ours: bool  # kn-ahead's; else Knative's
    applied: bool  # else it is what kn-ahead would have done
    change: ChangeAnswer


def numbered(model: ReadModel, name: str) -> list[NumberedChange]:
    """What was changed, and what kn-ahead would have changed, newest first."""
    both = [(True, one) for one in model.changes(name)]
    both += [(False, one) for one in model.would_change(name)]
    both.sort(key=lambda one: one[1].at_s, reverse=True)
    return [
        NumberedChange(
            number=i, ours=one.applied or not was, applied=was, change=readings.change(one)
        )
        for i, (was, one) in enumerate(both, start=1)
    ]


def applied(model: ReadModel, name: str) -> bool:
    """Whether kn-ahead scales a service; else Knative's rule does."""
    return any(state.mode >= Mode.OUTWARD for state in model.revisions(name))


def chart(
    model: ReadModel, name: str, changes: Sequence[NumberedChange], *, now: float, span_s: float
) -> Chart:
    """What is drawn of a service at Unix s ``now``. span_s: of the past at most."""
    forecast = readings.forecast(model, name, now=now)
    return Chart(
        now=now,
        span_s=span_s,
        past=model.history.of(name).since(now - span_s),
        windows=() if forecast.reason else forecast.windows,
        marks=[_mark(one) for one in changes],
        applied=applied(model, name),
        all_marks_s=max(map(_complete_since_s, (model.changes(name), model.would_change(name)))),
    )


def _complete_since_s(log: Sequence[Changed]) -> float:
    """Unix s from which on a log has every change; 0 = it has all."""
    return log[-1].at_s if len(log) >= MOST_CHANGES else 0.0


def _mark(one: NumberedChange) -> Mark:
    change = one.change
    before, after = (pods or 0 for pods in (change.before, change.desired_scale))
    return Mark(
        number=one.number,
        at_s=change.at.timestamp(),
        ours=one.ours,
        up=after > before,
        billed=change.reason == Reason.BILL.name,
        text=f"{time_of_day(change.at)} {change.sentence}",
    )
