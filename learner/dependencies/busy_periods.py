"""Busy periods: from a call after idleness to the last call before the next idleness."""

from dataclasses import dataclass

import numpy as np

from autoscaler.core.types import FloatArray, IntArray
from autoscaler.errors import PermanentError


@dataclass(frozen=True, slots=True, kw_only=True)
class BusyPeriods:
    """Busy periods of several services, over a span of time."""

    services: tuple[str, ...]  # (n,) "namespace/service"
    service: IntArray  # (n_busy,) index into services
    start_s: FloatArray  # (n_busy,) Unix s, ascending over all services
    end_s: FloatArray  # (n_busy,) Unix s of the last call
    since_s: float  # Unix s from which they were observed
    until_s: float  # Unix s up to which they were observed

    def __post_init__(self) -> None:
        """Check shapes and values. Raises PermanentError."""
        if not len(self.service) == len(self.start_s) == len(self.end_s):
            lengths = len(self.service), len(self.start_s), len(self.end_s)
            raise PermanentError(f"busy periods have lengths {lengths}; allowed: one length")
        if len(self.service) and not 0 <= self.service.min() <= self.service.max() < self.n:
            raise PermanentError(
                f"busy periods name a service beyond {self.n}; allowed: 0 to n - 1"
            )
        times = np.stack([self.start_s, self.end_s])
        if not np.isfinite(times).all() or (np.diff(self.start_s) < 0).any():
            raise PermanentError(
                "starts of busy periods are not in order; allowed: finite, ascending"
            )
        if (self.end_s < self.start_s).any():
            raise PermanentError("a busy period ends before it starts; allowed: end_s >= start_s")

    @property
    def n(self) -> int:
        """Number of services."""
        return len(self.services)

    def previous_end_s(self) -> FloatArray:
        """(n_busy,) Unix s at which the service's period before this one ended; -inf = none."""
        order = np.argsort(self.service, kind="stable")
        end = np.full(len(order), -np.inf)
        same = self.service[order][1:] == self.service[order][:-1]
        end[1:][same] = self.end_s[order][:-1][same]
        result = np.empty(len(order))
        result[order] = end
        return result


def busy_periods_of(
    services: tuple[str, ...],
    service: IntArray,
    at_s: FloatArray,
    *,
    since_s: float,
    until_s: float,
    idle_s: float = 60.0,
) -> BusyPeriods:
    """Busy periods of calls (n_calls,) in any order; idle_s: idleness before a start."""
    order = np.lexsort((at_s, service))
    owner, when = service[order], at_s[order]
    new = np.ones(len(owner), dtype=np.bool_)
    new[1:] = (owner[1:] != owner[:-1]) | (when[1:] - when[:-1] >= idle_s)
    begin = np.flatnonzero(new)
    end = np.append(begin[1:], len(owner))[: len(begin)] - 1
    in_time = np.argsort(when[begin], kind="stable")
    return BusyPeriods(
        services=services,
        service=owner[begin][in_time],
        start_s=when[begin][in_time],
        end_s=when[end][in_time],
        since_s=since_s,
        until_s=until_s,
    )
