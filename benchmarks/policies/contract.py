"""What every contender is held to, ours and those of the user's alike.

    python -m benchmarks.policies.contract module:attribute

Laws, tried on small made scenes: no plan knows what is yet to come, unless the contender says so; a
plan has the shapes that the simulator needs; no scene stops it, be it without a past, with gaps,
with services that are never called or called ten thousand times a minute; the same scene gives the
same plan; scenes are left as they were; a greater knob keeps no fewer pods in total, unless the
contender has an attribute ``monotone`` that is False.
"""

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from autoscaler.cli.options import one_line_errors
from autoscaler.core.types import FloatArray
from benchmarks.policies.contender import Contender, Plan, Scene
from benchmarks.policies.contenders import contender
from benchmarks.policies.policies import configured
from benchmarks.simulator.arrivals import Requests, measure
from benchmarks.traces.trace import Trace

DAY, STEP_S = 1440, 60.0
PAST, FUTURE = DAY, 90  # steps
CHANGED = 45  # step of the future from which another one differs
GAP = slice(PAST + 20, PAST + 30)  # steps that nobody saw
SPIKE = 10_000  # calls in a minute
NAMES = ("made/daily", "made/timer", "made/rare", "made/never", "made/spike")


def scene(*, first: int = PAST, rows: tuple[int, ...] = (0, 1, 2, 3, 4), other: int = -1) -> Scene:
    """Services of several kinds; ``other`` >= 0: another future from so many steps on."""
    counts = _counts(7)
    if other >= 0:
        counts[:, PAST + other :] = _counts(8)[:, PAST + other :][:, ::-1] * 3 + 1
    trace = Trace(
        services=tuple(NAMES[row] for row in rows),
        start_s=0.0,
        step_s=STEP_S,
        counts=counts[list(rows), PAST - first :],
        duration_s=np.full((len(rows), first + FUTURE), np.nan),
        kind="counts",
    )
    requests = _requests(trace)
    return Scene(
        demand=measure(requests, trace, step_s=STEP_S, capacity=1.0),
        first=first,
        requests=requests,
        services=configured(1, 5.0, 30.0),
    )


def _counts(seed: int) -> FloatArray:
    """(n, PAST + FUTURE) calls a minute; NaN = gap."""
    random = np.random.default_rng(seed)
    step = np.arange(PAST + FUTURE)
    daily = random.poisson(2 + 2 * np.sin(2 * np.pi * step / DAY))
    spike = np.where(step == PAST - 30, SPIKE, 0) + np.where(step == PAST + 60, SPIKE, 0)
    rare = random.random(len(step)) < 1 / 40
    counts = np.array([daily, step % 15 == 3, rare, 0 * step, spike], dtype=np.float64)
    counts[:, GAP] = np.nan
    return counts


def _requests(trace: Trace) -> Requests:
    """Spread evenly within their minutes; 0.2 to 90 s long."""
    arrivals, durations = [], []
    for counts in np.nan_to_num(trace.counts).astype(np.int64):
        step = np.repeat(np.arange(len(counts)), counts)
        place = np.arange(len(step)) - np.repeat(np.cumsum(counts) - counts, counts)
        arrivals.append(STEP_S * (step + (place + 0.5) / np.maximum(counts[step], 1)))
        durations.append(np.where(step % 7 == 3, 90.0, 0.2))
    return Requests(
        arrival_s=np.concatenate(arrivals),
        service_s=np.concatenate(durations),
        offset=np.concatenate([[0], np.cumsum([len(a) for a in arrivals])]).astype(np.int64),
    )


# --- laws; each yields what breaks it -----------------------------------------------------------


def knows_nothing_of_the_future(it: Contender) -> Iterator[str]:
    """What holds until the step in which two futures part is the same for both."""
    if it.hindsight:
        return
    whole = it.plan(scene(), it.knob.default)
    other = it.plan(scene(other=CHANGED), it.knob.default)
    yield from _differences("services", whole.services, other.services)
    for name in ("floors", "mean_in_flight", "forecasts"):
        one, another = getattr(whole, name), getattr(other, name)
        if (one is None) != (another is None):
            yield f"{name}: one future has some, another none"
        elif one is not None and name != "forecasts":
            until = CHANGED + 1
            differ = np.argwhere(one[:, :until] != another[:, :until])
            if len(differ):
                row, step = differ[0]
                yield f"{name} of {NAMES[row]} in step {step} know of step {CHANGED}"
    if whole.forecasts is not None and other.forecasts is not None:
        for origin in range(CHANGED + 1):
            ours, theirs = (f.bundle(origin).exceedance for f in (whole.forecasts, other.forecasts))
            cells = min(ours.shape[-1], theirs.shape[-1])
            if not np.allclose(ours[..., :cells], theirs[..., :cells], atol=1e-6):
                yield f"forecasts of step {origin} know of step {CHANGED}"
                return


def plans_have_the_shapes_of_their_scenes(it: Contender) -> Iterator[str]:
    """On every scene: a floor or a bundle of forecasts for each step."""
    for name, each in _scenes():
        try:
            plan = it.plan(each, it.knob.default)
        except Exception as error:  # noqa: BLE001  # whatever a plug-in raises breaks this law
            yield f"{name}: {type(error).__name__}: {error}"
            continue
        yield from (f"{name}: {wrong}" for wrong in _wrong_shapes(plan, each))


def _scenes() -> Iterator[tuple[str, Scene]]:
    yield "all kinds", scene()
    yield "no past", scene(first=0)
    yield "three minutes of past", scene(first=3)
    for row, name in enumerate(NAMES):
        yield f"{name} alone", scene(rows=(row,), first=DAY)


def _wrong_shapes(plan: Plan, of: Scene) -> Iterator[str]:
    shape = len(of.demand.services), of.demand.n_steps - of.first
    floors, forecasts = plan.floors, plan.forecasts
    if floors is not None:
        if floors.shape != shape or not np.issubdtype(floors.dtype, np.integer):
            yield f"floors are {floors.dtype} of {floors.shape}; allowed: integers of {shape}"
        elif (floors < 0).any():
            yield f"floors go down to {floors.min()}; allowed: >= 0"
    mean = plan.mean_in_flight
    if mean is not None and mean.shape != shape:
        yield f"mean_in_flight is of {mean.shape}; allowed: {shape}"
    if forecasts is not None:
        if forecasts.services != of.demand.services:
            yield f"forecasts are of {forecasts.services}; allowed: {of.demand.services}"
        if forecasts.exceedance.shape[:2] != shape:
            yield f"forecasts are of {forecasts.exceedance.shape[:2]}; allowed: {shape}"


def the_same_scene_has_the_same_plan(it: Contender) -> Iterator[str]:
    """Whatever was planned for in between."""
    one = it.plan(scene(), it.knob.default)
    it.plan(scene(rows=(1,), first=DAY), it.knob.default)
    yield from _differences("plan", one, it.plan(scene(), it.knob.default))


def scenes_are_left_as_they_were(it: Contender) -> Iterator[str]:
    """Others plan for the same one."""
    given = scene()
    it.plan(given, it.knob.default)
    yield from _differences("scene", given, scene())


def a_greater_knob_keeps_no_fewer_pods(it: Contender) -> Iterator[str]:
    """In total over services and steps, of floors and of what services are set to."""
    if not getattr(it, "monotone", True):
        return
    given, before = scene(), -1
    for value in it.knob.values:
        plan = it.plan(given, value)
        least = np.sum(plan.services.revision.min_scale)
        total = int(least + (0 if plan.floors is None else plan.floors.sum()))
        if total < before:
            yield f"{it.knob.name} {value:g}: {total} pod-steps; allowed: >= {before}"
        before = total


def the_knob_is_swept_upwards(it: Contender) -> Iterator[str]:
    """With its default among its values, so that the curve has the point that users know."""
    if it.knob.default not in it.knob.values:
        yield f"default {it.knob.default:g}; allowed: one of {it.knob.values}"
    if list(it.knob.values) != sorted(set(it.knob.values)):
        yield f"values {it.knob.values}; allowed: ascending"


Law = Callable[[Contender], Iterator[str]]
LAWS: tuple[Law, ...] = (
    the_knob_is_swept_upwards,
    plans_have_the_shapes_of_their_scenes,
    knows_nothing_of_the_future,
    the_same_scene_has_the_same_plan,
    scenes_are_left_as_they_were,
    a_greater_knob_keeps_no_fewer_pods,
)


def _differences(name: str, one: Any, other: Any) -> Iterator[str]:
    """Where two values of the same dataclass differ."""
    if is_dataclass(one) and not isinstance(one, type):
        for each in fields(one):
            yield from _differences(
                f"{name}.{each.name}", getattr(one, each.name), getattr(other, each.name)
            )
    elif not np.array_equal(
        np.asarray(one), np.asarray(other), equal_nan=np.asarray(one).dtype.kind == "f"
    ):
        yield f"{name} differs"


def main(
    where: Annotated[str, typer.Argument(help="module:attribute", metavar="CONTENDER")],
) -> None:
    """Hold a contender to all laws; ends with 1 where one is broken."""
    console, broken = Console(width=100), 0
    with one_line_errors():
        it = contender(where)
    for law in LAWS:
        found = list(law(it))
        broken += len(found)
        console.print(f"{'broken' if found else 'kept  '} {law.__name__.replace('_', ' ')}")
        for each in found:
            console.print(f"       {each}")
    if broken:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
