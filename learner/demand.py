"""Demand: the requests of every service, step by step.

A gap (the collector was down, the service was not observed) is NaN, never zero: models would learn
from a zero that there are no calls at that hour.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from autoscaler.core.types import BoolArray, FloatArray, IntArray
from autoscaler.errors import PermanentError
from autoscaler.limits import REQUESTS, SERVICE_PODS

Steps = npt.NDArray[np.floating[Any]]  # (n, n_steps); single precision does


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalSeries:
    """Series that services follow and that are no services: a queue's length, say."""

    names: tuple[str, ...]  # (k,) beside names of services
    followers: tuple[str, ...]  # (k,) "namespace/service" that is declared to follow
    values: FloatArray  # (k, n_steps) >= 0; NaN = gap


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Two series per service at one step: arrivals, and the greatest load."""

    services: tuple[str, ...]  # (n,) "namespace/service"
    start_s: float  # Unix s at which the first step begins
    step_s: float  # s
    arrivals: Steps  # (n, n_steps) requests that arrived in the step; NaN = gap
    peak: Steps  # (n, n_steps) greatest load, requests in flight; NaN = gap
    capacity: FloatArray  # (n,) requests in flight that one pod takes: the height of a pod level
    external: ExternalSeries | None = None  # declared upstreams
    quarantined: Mapping[str, str] = field(default_factory=dict)  # by service: what of it is a gap

    def __post_init__(self) -> None:
        """Check shapes and values. Raises PermanentError.

        `learner.sources.quarantine.sound_demand` makes demand of unchecked values.
        """
        shape = (len(self.services), self.arrivals.shape[-1])
        if self.capacity.shape != shape[:1] or not (self.capacity > 0).all():
            raise PermanentError(f"capacity is {self.capacity}; allowed: one value > 0 a service")
        for name, array, most in (
            ("arrivals", self.arrivals, np.array(REQUESTS.most)),
            ("peak", self.peak, SERVICE_PODS.most * self.capacity),
        ):
            if array.shape != shape:
                raise PermanentError(f"{name} has shape {array.shape}; expected {shape}")
            # Without copies: two weeks of ten thousand services are read every step.
            least, greatest = (
                bound.reduce(array, axis=1, initial=0.0) for bound in (np.fmin, np.fmax)
            )
            if ((least < 0) | (greatest > most)).any():
                raise PermanentError(
                    f"{name} holds a negative, infinite or absurd value; allowed: 0 to"
                    f" {most.max(initial=0.0):g}"
                )
        if not self.step_s > 0:
            raise PermanentError(f"step_s is {self.step_s}; allowed: > 0")

    @property
    def n_steps(self) -> int:
        """Number of steps."""
        return int(self.arrivals.shape[1])

    @property
    def first_step(self) -> int:
        """The first step, counted in steps from Unix time 0."""
        return round(self.start_s / self.step_s)

    @property
    def end_s(self) -> float:
        """Unix s at which the last step ends."""
        return self.start_s + self.n_steps * self.step_s

    @property
    def known(self) -> BoolArray:
        """(n, n_steps) False where the series has a gap."""
        return ~np.isnan(self.peak)

    def until(self, n_steps: int) -> "Demand":
        """The first n_steps of it."""
        return self._steps(0, min(n_steps, self.n_steps))

    def last(self, n_steps: int) -> "Demand":
        """The last n_steps of it."""
        return self._steps(max(self.n_steps - n_steps, 0), self.n_steps)

    def _steps(self, begin: int, end: int) -> "Demand":
        external = self.external
        if external:
            external = replace(external, values=external.values[:, begin:end])
        return replace(
            self,
            start_s=self.start_s + begin * self.step_s,
            arrivals=self.arrivals[:, begin:end],
            peak=self.peak[:, begin:end],
            external=external,
        )

    def of_pods(self, capacity: FloatArray) -> "Demand":
        """With pods that take so many requests, (n,).

        A step that would take more of them than a cluster can hold is a gap.
        """
        beyond = self.peak > SERVICE_PODS.most * capacity[:, None]
        return replace(
            self,
            arrivals=np.where(beyond, np.nan, self.arrivals),
            peak=np.where(beyond, np.nan, self.peak),
            capacity=capacity,
        )

    def only(self, rows: IntArray) -> "Demand":
        """Some of its services."""
        return replace(
            self,
            services=tuple(self.services[row] for row in rows),
            arrivals=self.arrivals[rows],
            peak=self.peak[rows],
            capacity=self.capacity[rows],
        )


class UnknownPastError(PermanentError):
    """Of the time that was asked for nothing is known."""


class DemandSource(Protocol):
    """Where past demand comes from."""

    def read(self, *, start_s: float, end_s: float, step_s: float) -> Demand:
        """Demand over [start_s, end_s), Unix s.

        Raises UnknownPastError where nothing of it is known, and other AutoscalerError.
        """
        ...
