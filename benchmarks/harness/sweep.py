"""A contender on a trace: what was counted at each of its knob's values, in each draw."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from autoscaler.core.types import FloatArray
from benchmarks.harness.fleet import COLUMNS, HISTOGRAMS
from benchmarks.harness.part import Counted
from benchmarks.harness.rules import FEMUX, WILD
from benchmarks.policies.contender import Contender
from benchmarks.scores import rum
from benchmarks.scores.resampling import resampled_all
from benchmarks.scores.score import score_of
from benchmarks.whatif.prices import EXAMPLE

POD_HOUR = float(EXAMPLE.pod_hour(np.array(1.0), np.array(1.0)))  # of a core and a GiB
WEIGHTINGS = {"rum": rum.DEFAULT, "rum_cs": rum.COLD_STARTS, "rum_mem": rum.MEMORY}
NOT_SHOWN = ("service", "busy_pod_s", "idle_pod_s")


@dataclass(frozen=True)
class Sweep:
    """Arrays are (n_draws, k, n, n_days): draws of arrival times, values, services, days."""

    contender: Contender
    draws: Sequence[Counted]

    @property
    def name(self) -> str:
        """The contender's."""
        return self.contender.name

    @cached_property
    def cold(self) -> FloatArray:
        """Cold requests."""
        return self.column("cold_from_zero") + self.column("cold_scale_out")

    @property
    def pod_s(self) -> FloatArray:
        """Pod-seconds from creation to gone."""
        return self.column("allocated_s")

    @property
    def waited_s(self) -> FloatArray:
        """Seconds that requests waited."""
        return self.column("wait_s")

    def column(self, name: str) -> FloatArray:
        """By `COLUMNS`."""
        return np.stack([draw.columns[name] for draw in self.draws]).astype(np.float64)

    @property
    def default(self) -> int:
        """Where the knob's default is among its values."""
        return int(np.argmin(np.abs(self.draws[0].values - self.contender.knob.default)))

    @property
    def plan_s(self) -> float:
        """CPU time of all plans, mean over draws."""
        return float(np.mean([draw.plan_s for draw in self.draws]))

    @property
    def simulate_s(self) -> float:
        """CPU time of the simulation at all values, likewise."""
        return float(np.mean([draw.simulate_s for draw in self.draws]))

    @property
    def peak_mb(self) -> float:
        """Of a process that has planned."""
        return max(draw.peak_mb for draw in self.draws)

    def scores(self) -> list[dict[str, Any]]:
        """At each value of the knob, mean over draws; ready for json.dump."""
        return [self._score(at) for at in range(len(self.draws[0].values))]

    def _score(self, at: int) -> dict[str, Any]:
        columns = {name: self.column(name)[:, at] for name in COLUMNS}
        counts: dict[str, Any] = {
            name: values.sum(axis=(1, 2)).mean(keepdims=True) for name, values in columns.items()
        }
        for name in HISTOGRAMS:
            counts[name] = np.stack([draw.histograms[name][at] for draw in self.draws])
        total = asdict(score_of(counts, "all"))
        hours = float(self.draws[0].days_s.sum()) / 3600
        requests = columns["requests"].sum(axis=(0, 2))
        cold = self.cold[:, at].sum(axis=(0, 2))
        rates = cold[requests > 0] / requests[requests > 0]
        shown = {name: value for name, value in total.items() if name not in NOT_SHOWN}
        return shown | {
            "knob": float(self.draws[0].values[at]),
            "cold_rate_mean": float(rates.mean()) if len(rates) else 0.0,
            "cold_rate_p75": float(np.percentile(rates, 75)) if len(rates) else 0.0,
            "churn_per_hour": total["pods_started"] / (self.cold.shape[2] * hours),
            "usd_per_million": _usd(total["allocated_pod_s"], total["requests"]),
            "femux_rules": self._by_femux(at),
            "wild_rules": self._by_rules(WILD, "wild_", at),
        }

    def _by_femux(self, at: int) -> dict[str, float]:
        """With RUM, which is linear: of all minutes, as of whole blocks of them."""
        found = self._by_rules(FEMUX, "femux_", at)
        cold, wasted = np.array(found["cold_starts"]), np.array(found["wasted_gb_s"])
        rums = {name: float(rum.rum(cold, wasted, one)) for name, one in WEIGHTINGS.items()}
        return found | {"cold_start_s": rum.COLD_START_S * float(cold)} | rums

    def _by_rules(self, names: Sequence[str], prefix: str, at: int) -> dict[str, float]:
        """By a rival's own rules."""
        return {
            name.removeprefix(prefix): float(np.mean([draw.rules[name][at] for draw in self.draws]))
            for name in names
        }

    def services(self) -> list[dict[str, Any]]:
        """Each service at the default, mean over draws."""
        sums = {
            name: self.column(name)[:, self.default].sum(axis=2).mean(axis=0) for name in COLUMNS
        }
        return [
            {"service": name} | {key: float(values[row]) for key, values in sums.items()}
            for row, name in enumerate(self.draws[0].services)
        ]


def totals(values: FloatArray) -> FloatArray:
    """(k,) mean over draws of sums over services and days."""
    return np.asarray(values.sum(axis=(2, 3)).mean(axis=0))


def others(values: FloatArray) -> FloatArray:
    """(RESAMPLES, k) the same, of services, days and draws that are drawn again."""
    return resampled_all(values).T


def _usd(pod_s: float, requests: int) -> float:
    """Of pods of one core and one GiB, for each million requests; 0 where there are none."""
    return POD_HOUR * pod_s / 3600 / requests * 1e6 if requests else 0.0
