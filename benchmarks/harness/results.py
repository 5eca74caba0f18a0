"""What a benchmark found of a trace: scores, curves, and ours beside each rival, with intervals."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from autoscaler.core.types import FloatArray
from benchmarks.harness.chosen import ALWAYS_ON, KPA, NEW_SERVICES
from benchmarks.harness.sweep import Sweep, others, totals
from benchmarks.policies.contenders import OURS
from benchmarks.scores.curves import cold_at, hypervolume, pod_s_at, reaches
from benchmarks.scores.resampling import Estimate, interval

MORE_PODS = (1.0, 1.2)  # times KPA's pod-seconds, at which ours is read
KEPT = "keep-alive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A contender."""

    name: str
    knob: str
    default: float
    hindsight: bool
    hypervolume: Estimate
    scores: list[dict[str, Any]]  # at each of the knob's values
    plan_cpu_s: float
    simulate_cpu_s: float
    peak_mb: float

    @property
    def own(self) -> dict[str, Any]:
        """Its score at its default."""
        return min(self.scores, key=lambda score: abs(score["knob"] - self.default))


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """One of ours beside a rival at one value of its knob. Unknown is NaN."""

    ours: str
    rival: str
    knob: float
    pods: float  # times the rival's pod-seconds, at which ours is read
    cold: float  # the rival's
    pod_s: float
    our_cold: float  # at so many pod-seconds; NaN where each of our settings takes more
    cold_change: Estimate  # of cold requests, as a fraction
    waited_change: Estimate  # of seconds that requests waited
    our_pod_s: float  # at the rival's cold requests; NaN where each of our settings has more
    pod_s_ratio: Estimate  # ours / the rival's
    hypervolume_gain: Estimate  # ours less the rival's


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceResult:
    """All of a trace."""

    trace: str
    services: int
    days: float  # that are scored
    draws: int  # of arrival times
    requests: int  # mean over draws
    starts: int  # of pods after a pause
    surprises: int  # of them without warning: nobody who knows the past alone foresees them
    entries: list[Entry]
    beside: list[Beside]

    def entry(self, name: str) -> Entry | None:
        """By name; None = it did not take part."""
        return next((one for one in self.entries if one.name == name), None)

    def against(self, rival: str, *, ours: str = OURS, pods: float = 1.0) -> Beside | None:
        """Ours beside a rival at its default."""
        entry = self.entry(rival)
        found = (
            one
            for one in self.beside
            if (one.ours, one.rival, one.pods) == (ours, rival, pods)
            and entry
            and one.knob == entry.own["knob"]
        )
        return next(found, None)

    def best_kept(self) -> Beside | None:
        """Ours beside the keep-alive that it spares the least pods of."""
        kept = [one for one in self.beside if (one.ours, one.rival) == (OURS, KEPT)]
        known = [one for one in kept if not np.isnan(one.pod_s_ratio.value)]
        return max(known, key=lambda one: one.pod_s_ratio.value, default=None)

    def as_json(self) -> dict[str, Any]:
        """Plain values; None for what is not known."""
        found: dict[str, Any] = _known(asdict(self))
        return found


def result(trace: str, sweeps: Sequence[Sweep]) -> TraceResult:
    """Of all contenders on one trace."""
    curves = {sweep.name: _Curve(sweep) for sweep in sweeps}
    most = curves[ALWAYS_ON].at_default("pod_s"), curves[KPA].at_default("cold")
    areas = {name: curve.areas(*most) for name, curve in curves.items()}
    found: list[Beside] = []
    for name in (OURS, NEW_SERVICES):
        for sweep in sweeps if name in curves else ():
            if sweep.name in {OURS, NEW_SERVICES}:
                continue
            settings = len(sweep.draws[0].values)
            for at in range(settings) if sweep.name in {KEPT, KPA} else (sweep.default,):
                at_more = sweep.name == KPA and at == sweep.default
                for pods in MORE_PODS if at_more else (1.0,):
                    rival = curves[sweep.name]
                    gain = _less(areas[name], areas[sweep.name])
                    found.append(_beside(curves[name], rival, at, pods, gain))
    counted = next((s.draws for s in sweeps if s.draws[0].starts), sweeps[0].draws)
    first = sweeps[0]
    return TraceResult(
        trace=trace,
        services=first.cold.shape[2],
        days=float(first.draws[0].days_s.sum()) / 86_400,
        draws=len(first.draws),
        requests=round(float(totals(first.column("requests"))[0])),
        starts=round(float(np.mean([one.starts for one in counted]))),
        surprises=round(float(np.mean([one.surprises for one in counted]))),
        entries=[_entry(sweep, _estimate(*areas[sweep.name])) for sweep in sweeps],
        beside=found,
    )


class _Curve:
    """A contender's curve, and what it would have been: (k,), and (RESAMPLES, k)."""

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self.value = {name: totals(getattr(sweep, name)) for name in ("cold", "waited_s", "pod_s")}
        self.again = {name: others(getattr(sweep, name)) for name in self.value}

    def at_default(self, name: str) -> tuple[float, FloatArray]:
        at = self.sweep.default
        return float(self.value[name][at]), self.again[name][:, at]

    def areas(
        self, pod_s: tuple[float, FloatArray], cold: tuple[float, FloatArray]
    ) -> tuple[float, FloatArray]:
        """The hypervolume, and what it would have been."""

        def area(p: FloatArray, c: FloatArray, most_pod_s: float, most_cold: float) -> float:
            return hypervolume(p, c, most_pod_s=most_pod_s, most_cold=most_cold)

        again = zip(self.again["pod_s"], self.again["cold"], pod_s[1], cold[1], strict=True)
        own = area(self.value["pod_s"], self.value["cold"], pod_s[0], cold[0])
        return own, np.array([area(*one) for one in again])

    def read(
        self, read: Callable[[float, FloatArray, FloatArray], float], name: str, at: Any, again: Any
    ) -> tuple[float, FloatArray]:
        """``read`` at a number, of ``name`` over pod-seconds; and what it would have been."""
        value = read(at, self.value["pod_s"], self.value[name])
        rows = zip(again, self.again["pod_s"], self.again[name], strict=True)
        return value, np.array([read(*row) for row in rows])


def _beside(
    ours: _Curve, theirs: _Curve, at: int, pods: float, gain: tuple[float, FloatArray]
) -> Beside:
    value = {name: float(of[at]) for name, of in theirs.value.items()}
    again = {name: of[:, at] for name, of in theirs.again.items()}
    at_pods = pods * value["pod_s"], pods * again["pod_s"]
    cold = ours.read(_where_reached, "cold", *at_pods)
    waited = ours.read(_where_reached, "waited_s", *at_pods)
    pod_s = ours.read(pod_s_at, "cold", value["cold"], again["cold"])
    return Beside(
        ours=ours.sweep.name,
        rival=theirs.sweep.name,
        knob=float(theirs.sweep.draws[0].values[at]),
        pods=pods,
        cold=value["cold"],
        pod_s=value["pod_s"],
        our_cold=cold[0],
        cold_change=_ratio(cold, (value["cold"], again["cold"]), less=1.0),
        waited_change=_ratio(waited, (value["waited_s"], again["waited_s"]), less=1.0),
        our_pod_s=pod_s[0],
        pod_s_ratio=_ratio(pod_s, (value["pod_s"], again["pod_s"])),
        hypervolume_gain=_estimate(*gain),
    )


def _where_reached(pod_s: float, curve_pod_s: FloatArray, curve: FloatArray) -> float:
    return cold_at(pod_s, curve_pod_s, curve) if reaches(pod_s, curve_pod_s) else np.nan


def _ratio(
    over: tuple[float, FloatArray], under: tuple[float, FloatArray], less: float = 0.0
) -> Estimate:
    value = over[0] / under[0] - less if under[0] else np.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        again = np.where(under[1] > 0, over[1] / under[1] - less, np.nan)
    return _estimate(value, again)


def _less(
    one: tuple[float, FloatArray], other: tuple[float, FloatArray]
) -> tuple[float, FloatArray]:
    return one[0] - other[0], one[1] - other[1]


def _estimate(value: float, again: FloatArray) -> Estimate:
    if np.isnan(value):
        return Estimate(value=np.nan, low=np.nan, high=np.nan)
    low, high = interval(again)
    return Estimate(value=float(value), low=low, high=high)


def _entry(sweep: Sweep, area: Estimate) -> Entry:
    knob = sweep.contender.knob
    return Entry(
        name=sweep.name,
        knob=knob.name,
        default=knob.default,
        hindsight=sweep.contender.hindsight,
        hypervolume=area,
        scores=sweep.scores(),
        plan_cpu_s=sweep.plan_s,
        simulate_cpu_s=sweep.simulate_s,
        peak_mb=sweep.peak_mb,
    )


def _known(value: Any) -> Any:
    """The same, with numbers of six digits, and None for NaN."""
    if isinstance(value, dict):
        return {key: _known(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_known(each) for each in value]
    if isinstance(value, float):
        return None if np.isnan(value) else float(f"{value:.6g}")
    return value
